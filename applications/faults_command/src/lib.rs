//! Lists the faults that were.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::format;
use application::{Arguments, ExitCode, Json, OptionSpec, Usage, println};
use faults::{FaultRecord, NoLines};

application::application! {
    usage: Usage {
        name: "faults",
        summary: "list the faults that were",
        options: &[OptionSpec::JSON],
        notes: &["The last ones are kept; all are counted."],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let records = faults::records();
    let total = faults::total_records();
    if arguments.has("json") {
        let records = Json::array(records.iter().map(describe));
        println!(
            "{}",
            Json::object([("total", total.into()), ("records", records)])
        );
        return ExitCode::SUCCESS;
    }
    for record in &records {
        let FaultRecord {
            task,
            task_name,
            component,
            function,
            offset,
            failure,
            number,
            cpu,
            version,
            location,
            action,
            ..
        } = record;
        println!("{number}: task {task} ({task_name}) on {cpu}: {failure}");
        println!("    in {function}+{offset:#x} of {component} {version}");
        if !location.as_str().is_empty() {
            println!("    at {location}");
        }
        match (record.lines(), record.place) {
            (Ok(lines), _) if lines.len() > 1 => println!("    ({})", lines.join(", inlined at ")),
            (Ok(_) | Err(NoLines::NoLine), _) | (_, None) => {}
            (Err(reason), Some(place)) => {
                println!("    no lines: {reason}; on the host:");
                println!("    strake resolve {component}{place}");
            }
        }
        match record.recovery_ns {
            Some(time) => println!("    {} after {} µs", action.as_str(), time / 1000),
            None => println!("    {}", action.as_str()),
        }
    }
    let noun = if total == 1 { "fault" } else { "faults" };
    println!("{total} {noun} since the system's start");
    ExitCode::SUCCESS
}

fn describe(record: &FaultRecord) -> Json {
    Json::object([
        ("number", record.number.into()),
        ("time_ns", record.time_ns.into()),
        ("cpu", record.cpu.0.into()),
        ("task", record.task.0.into()),
        ("name", record.task_name.as_str().into()),
        ("component", record.component.as_str().into()),
        ("version", record.version.as_str().into()),
        ("function", record.function.as_str().into()),
        ("offset", record.offset.into()),
        ("location", record.location.as_str().into()),
        ("lines", Json::array(record.lines().unwrap_or_default())),
        (
            "exact_id",
            record
                .place
                .map(|it| format!("{:032x}", it.exact_id))
                .into(),
        ),
        ("text_offset", record.place.map(|it| it.text_offset).into()),
        ("in_interrupt_handler", record.in_interrupt_handler.into()),
        ("vector", record.vector().map(u32::from).into()),
        ("failure", Json::text(&record.failure)),
        ("action", record.action.as_str().into()),
        ("recovered", record.recovery_ns.is_some().into()),
        ("recovery_ns", record.recovery_ns.into()),
    ])
}
