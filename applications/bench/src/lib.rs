//! Measures what the system does, in ticks of the time-stamp counter; with instructions counted,
//! these are executed instructions.
//!
//! Each operation is warmed up and then repeated in batches; the figure is that of the cheapest batch,
//! without the cost of an empty loop: what interrupts and other tasks add is not the operation's.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod files;
mod measure;
mod memory;
mod services;
mod tasks;
mod unwinding;

use alloc::string::String;
use application::{
    Arguments, ExitCode, Json, Operands, OptionSpec, Usage, application, eprintln, println,
};
use measure::{Cost, Outcome};

application! {
    usage: Usage {
        name: "bench",
        summary: "measure what the system does",
        operands: Operands::new("[OPERATION]…", 0, usize::MAX),
        options: &[OptionSpec::JSON],
        notes: &[
            "Ticks are those of the time-stamp counter, for one operation; when QEMU counts",
            "instructions (make run ICOUNT=1), they are executed instructions.",
        ],
        exit_codes: &[(1, "an operation failed, or is not known")],
        ..Usage::NONE
    },
    main: main,
}

/// An operation.
struct Operation {
    /// What the user types.
    name: &'static str,
    /// What is measured.
    summary: &'static str,
    /// Measures it.
    measure: fn() -> Outcome,
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "boot",
        summary: "from the machine's start until now",
        measure: services::boot,
    },
    Operation {
        name: "null-call",
        summary: "call of a function of another component that reads a word",
        measure: services::null_call,
    },
    Operation {
        name: "yield",
        summary: "yield, one way between two tasks",
        measure: tasks::yield_now,
    },
    Operation {
        name: "sleeping-task",
        summary: "bytes of memory that a task takes which sleeps",
        measure: tasks::sleeping_task,
    },
    Operation {
        name: "tick",
        summary: "timer interrupt, with what the tick does",
        measure: tasks::tick,
    },
    Operation {
        name: "spawn",
        summary: "spawn a task, run it, let it end, join it",
        measure: tasks::spawn,
    },
    Operation {
        name: "application",
        summary: "load, link, run and unload hello",
        measure: services::application,
    },
    Operation {
        name: "map-4k",
        summary: "map, touch and unmap 4 KiB",
        measure: memory::map_4k,
    },
    Operation {
        name: "map-64k",
        summary: "map, touch and unmap 64 KiB",
        measure: memory::map_64k,
    },
    Operation {
        name: "map-1m",
        summary: "map, touch and unmap 1 MiB",
        measure: memory::map_1m,
    },
    Operation {
        name: "ipc",
        summary: "round trip between two tasks over two channels",
        measure: tasks::round_trip,
    },
    Operation {
        name: "ipc-rendezvous",
        summary: "the same over rendezvous channels, where sending waits for the receiver",
        measure: tasks::rendezvous_round_trip,
    },
    Operation {
        name: "heap",
        summary: "allocate and free 64 bytes",
        measure: memory::heap,
    },
    Operation {
        name: "heap-100",
        summary: "allocate 100 times 64 bytes, then free them, for one",
        measure: memory::heap_batch,
    },
    Operation {
        name: "file-read",
        summary: "open a file in memory, read 4 KiB, close it",
        measure: files::read,
    },
    Operation {
        name: "file-create",
        summary: "create an empty file in memory, delete it",
        measure: files::create,
    },
    Operation {
        name: "exception",
        summary: "CPU exception with a fix-up, caught and resumed",
        measure: services::exception,
    },
    Operation {
        name: "load-component",
        summary: "load, link and unload the component of yes",
        measure: services::load_component,
    },
    Operation {
        name: "load-library",
        summary: "load, link and close async_task, a library of three functions",
        measure: services::load_library,
    },
    Operation {
        name: "load-sync",
        summary: "load, link and close the library sync: 2.7 KB of text, 119 relocations",
        measure: services::load_sync,
    },
    Operation {
        name: "integrity",
        summary: "compare all text, constants and stubs with what was linked",
        measure: services::integrity,
    },
    Operation {
        name: "catch",
        summary: "unwind to a catch, one frame",
        measure: unwinding::one_frame,
    },
    Operation {
        name: "unwind-50",
        summary: "unwind over 50 frames, each with a drop",
        measure: unwinding::fifty_drops,
    },
    Operation {
        name: "demangle",
        summary: "demangle six names: work inside other crates",
        measure: services::demangle,
    },
];

fn main(arguments: &Arguments) -> ExitCode {
    let wanted: &[String] = arguments.operands();
    if let Some(unknown) = wanted
        .iter()
        .find(|name| OPERATIONS.iter().all(|it| it.name != name.as_str()))
    {
        eprintln!("bench: there is no operation '{unknown}'; without one, all are measured");
        return ExitCode::FAILURE;
    }
    let json = arguments.has("json");
    let mut rows = alloc::vec::Vec::new();
    let mut code = ExitCode::SUCCESS;
    for operation in OPERATIONS {
        if !wanted.is_empty() && wanted.iter().all(|name| name != operation.name) {
            continue;
        }
        match (operation.measure)() {
            Ok(cost) if json => rows.push(describe(operation, cost)),
            Ok(cost) => println!("{:<14} {:>9}  {}", operation.name, cost, operation.summary),
            Err(reason) => {
                eprintln!("bench: {}: {reason}", operation.name);
                code = ExitCode::FAILURE;
            }
        }
    }
    if json {
        println!("{}", Json::array(rows));
    }
    code
}

fn describe(operation: &Operation, cost: Cost) -> Json {
    if cost.is_bytes() {
        return Json::object([
            ("name", operation.name.into()),
            ("bytes", cost.ticks().into()),
            ("summary", operation.summary.into()),
        ]);
    }
    Json::object([
        ("name", operation.name.into()),
        ("ticks", cost.ticks().into()),
        ("ns", clock::ticks_to_ns(cost.ticks()).into()),
        ("summary", operation.summary.into()),
    ])
}
