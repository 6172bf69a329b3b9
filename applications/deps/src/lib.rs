//! Shows who links to whom, from the live relocations.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use application::{Arguments, ExitCode, Json, Operands, OptionSpec, Usage, fail, println};
use loader::Dependency;

application::application! {
    usage: Usage {
        name: "deps",
        summary: "show who links to whom",
        operands: Operands::new("[COMPONENT]", 0, 1),
        options: &[
            OptionSpec::JSON,
            OptionSpec::flag("dot", "print a graph for Graphviz"),
        ],
        notes: &["With a component: whom it uses, and who uses it."],
        exit_codes: &[(1, "the component is not linked")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    match select(arguments.operand()) {
        Ok(dependencies) => {
            print(arguments, &dependencies);
            ExitCode::SUCCESS
        }
        Err(error) => fail("deps", error),
    }
}

/// All dependencies, or those of one component, sorted.
fn select(component: Option<&str>) -> Result<Vec<Dependency>, loader::LoadError> {
    let mut found = loader::dependencies()?;
    if let Some(name) = component {
        if !loader::components()?
            .iter()
            .any(|component| component.name == name)
        {
            return Err(loader::LoadError::NotLoaded {
                component: name.into(),
            });
        }
        found.retain(|dependency| dependency.user == name || dependency.used == name);
    }
    found.sort_by(|left, right| (&left.user, &left.used).cmp(&(&right.user, &right.used)));
    found.dedup();
    Ok(found)
}

fn print(arguments: &Arguments, dependencies: &[Dependency]) {
    if arguments.has("json") {
        println!("{}", Json::array(dependencies.iter().map(describe)));
    } else if arguments.has("dot") {
        println!("digraph components {{");
        for Dependency {
            user,
            used,
            symbols,
        } in dependencies
        {
            println!("    \"{user}\" -> \"{used}\" [label={symbols}];");
        }
        println!("}}");
    } else {
        for Dependency {
            user,
            used,
            symbols,
        } in dependencies
        {
            println!("{user} -> {used} ({symbols})");
        }
    }
}

fn describe(dependency: &Dependency) -> Json {
    Json::object([
        ("user", (&dependency.user).into()),
        ("used", (&dependency.used).into()),
        ("symbols", dependency.symbols.into()),
    ])
}
