//! Shows who has the CPUs.
//!
//! Two looks at all tasks, some time apart: the time that each has had in between, and, by what the idle
//! tasks have had, how busy each CPU was.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{format, string::ToString, vec::Vec};
use application::{Arguments, ExitCode, Json, OptionSpec, Usage, eprintln, println};
use core::time::Duration;
use task::TaskInfo;

application::application! {
    usage: Usage {
        name: "top",
        summary: "show who has the CPUs",
        options: &[
            OptionSpec::JSON,
            OptionSpec::value("count", "N", "look N times; without it, until it is ended").short('n'),
            OptionSpec::value("interval", "MS", "milliseconds from one look to the next (1000)")
                .short('i'),
        ],
        notes: &[
            "Shares are in percent of one CPU. With --json each look prints one document, and one look is",
            "what is made if --count does not say otherwise.",
        ],
        ..Usage::NONE
    },
    main: main,
}

/// How much of a CPU something has had, in thousandths of a percent.
type Share = u64;

/// A task and its share.
struct Row {
    task: TaskInfo,
    share: Share,
}

fn main(arguments: &Arguments) -> ExitCode {
    let number = |name: &str, default: u64| match arguments.value(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| eprintln!("top: '{text}' is not a number above 0")),
    };
    let json = arguments.has("json");
    let endless = if json { 1 } else { u64::MAX };
    let (Ok(count), Ok(interval)) = (number("count", endless), number("interval", 1000)) else {
        return ExitCode::USAGE;
    };
    let mut before = look();
    for _ in 0..count {
        task::sleep(Duration::from_millis(interval));
        let now = look();
        let rows = compare(&before, &now);
        if json {
            println!("{}", describe(&rows));
        } else {
            print(&rows);
        }
        before = now;
    }
    ExitCode::SUCCESS
}

/// The tasks, and when that was.
fn look() -> (u64, Vec<TaskInfo>) {
    (clock::now_ns(), task::tasks())
}

/// What each task has had between two looks, the busiest first.
fn compare(before: &(u64, Vec<TaskInfo>), now: &(u64, Vec<TaskInfo>)) -> Vec<Row> {
    let time = now.0.saturating_sub(before.0).max(1);
    let had = |task: &TaskInfo| {
        let known = before.1.iter().find(|known| known.id == task.id);
        let then = known.map_or(0, |known| known.cpu_ns);
        task.cpu_ns.saturating_sub(then).saturating_mul(100_000) / time
    };
    let row = |task: &TaskInfo| Row {
        share: had(task),
        task: task.clone(),
    };
    let mut rows: Vec<Row> = now.1.iter().map(row).collect();
    rows.sort_by_key(|row| core::cmp::Reverse(row.share));
    rows
}

/// For each CPU by its number, how busy it was.
fn busy(rows: &[Row]) -> Vec<(u32, Share)> {
    let idle = rows.iter().filter(|row| row.task.is_idle);
    let mut cpus: Vec<(u32, Share)> = idle
        .map(|row| (row.task.cpu.0, 100_000_u64.saturating_sub(row.share)))
        .collect();
    cpus.sort_unstable();
    cpus
}

fn print(rows: &[Row]) {
    let cpus = busy(rows);
    let cpus: Vec<_> = cpus
        .iter()
        .map(|(cpu, share)| format!("cpu{cpu} {} %", tenths(*share)))
        .collect();
    println!("{}", cpus.join("  "));
    println!(
        "{:>5} {:>6} {:>2} {:>2} {:<16} NAME",
        "ID", "%", "ON", "PR", "COMPONENT"
    );
    for Row { task, share } in rows.iter().filter(|row| row.share > 0) {
        println!(
            "{:>5} {:>6} {:>2} {:>2} {:<16} {}",
            task.id.0,
            tenths(*share),
            task.cpu.0,
            task.priority.level(),
            task.component,
            task.name,
        );
    }
}

/// A share in percent with one decimal.
fn tenths(share: Share) -> alloc::string::String {
    let tenths = share.saturating_add(50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn describe(rows: &[Row]) -> Json {
    let cpus = busy(rows);
    let cpus = cpus.iter().map(|(cpu, share)| {
        Json::object([
            ("cpu", (*cpu).into()),
            ("busy_percent", Json::Thousandths(*share)),
        ])
    });
    let tasks = rows.iter().map(|Row { task, share }| {
        Json::object([
            ("id", task.id.0.into()),
            ("name", task.name.to_string().into()),
            ("component", (&task.component).into()),
            ("cpu", task.cpu.0.into()),
            ("priority", u64::from(task.priority.level()).into()),
            ("idle", task.is_idle.into()),
            ("percent", Json::Thousandths(*share)),
        ])
    });
    Json::object([("cpus", Json::array(cpus)), ("tasks", Json::array(tasks))])
}
