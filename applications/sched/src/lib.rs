//! Lists the scheduling policies.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Json, OptionSpec, Usage, println};

application::application! {
    usage: Usage {
        name: "sched",
        summary: "list the scheduling policies",
        options: &[OptionSpec::JSON],
        notes: &[
            "The one with a star is in charge. 'swap --substitute OLD NEW' puts another one in charge,",
            "and loads it first if it is not in this list.",
        ],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let policies = task::policies();
    if arguments.has("json") {
        let rows = policies.iter().map(|policy| {
            Json::object([
                ("component", (&policy.component).into()),
                ("name", policy.name.into()),
                ("in_charge", policy.in_charge.into()),
            ])
        });
        println!("{}", Json::array(rows));
        return ExitCode::SUCCESS;
    }
    println!("  {:<24} POLICY", "COMPONENT");
    for policy in &policies {
        let mark = if policy.in_charge { '*' } else { ' ' };
        println!("{mark} {:<24} {}", policy.component, policy.name);
    }
    ExitCode::SUCCESS
}
