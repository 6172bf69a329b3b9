//! Shows who has the memory, and what could not be given back.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use application::{Arguments, ExitCode, Json, OptionSpec, Usage, fail, println};
use faults::Leak;
use frames::FrameStatistics;
use heap::HeapStatistics;
use loader::LoadError;
use mappings::MappingStatistics;

application::application! {
    usage: Usage {
        name: "mem",
        summary: "show who has the memory",
        options: &[OptionSpec::JSON],
        notes: &[
            "Numbers are bytes. 'retired' is what replaced and unloaded versions still take;",
            "a leak is what a fault could not drop.",
        ],
        exit_codes: &[(1, "the loader has not started")],
        ..Usage::NONE
    },
    main: main,
}

/// Bytes of a frame and of a page.
const PAGE: usize = 4096;

struct Memory {
    frames: FrameStatistics,
    heap: HeapStatistics,
    mappings: MappingStatistics,
    retired: u64,
}

fn main(arguments: &Arguments) -> ExitCode {
    let memory = match look() {
        Ok(memory) => memory,
        Err(error) => return fail("mem", error),
    };
    if arguments.has("json") {
        println!("{}", describe(&memory));
    } else {
        print(&memory);
    }
    ExitCode::SUCCESS
}

fn look() -> Result<Memory, LoadError> {
    stacks::trim(); // What is only kept at hand is nobody's.
    let live = loader::snapshot()?;
    Ok(Memory {
        frames: frames::statistics(),
        heap: heap::statistics(),
        mappings: mappings::statistics(),
        retired: loader::retired_bytes(&live),
    })
}

fn describe(memory: &Memory) -> Json {
    let Memory {
        frames,
        heap,
        mappings,
        retired,
    } = memory;
    Json::object([
        ("total", (frames.total * PAGE).into()),
        (
            "used",
            (frames.total.saturating_sub(frames.free) * PAGE).into(),
        ),
        ("free", (frames.free * PAGE).into()),
        ("nucleus", (frames.nucleus * PAGE).into()),
        ("mapped", (mappings.pages * PAGE).into()),
        ("page_tables", (mappings.page_tables * PAGE).into()),
        ("heap_mapped", heap.mapped.into()),
        ("heap_used", heap.used.into()),
        ("heap_at_hand", heap.at_hand.into()),
        ("heap_failures", heap.failures.into()),
        ("retired", (*retired).into()),
        (
            "leaks",
            Json::array(faults::leaks().iter().map(describe_leak)),
        ),
        ("total_leaks", faults::total_leaks().into()),
    ])
}

fn describe_leak(leak: &Leak) -> Json {
    Json::object([
        ("task", leak.task.0.into()),
        ("failed_drops", leak.failed_drops.into()),
        ("interrupted", leak.interrupted.into()),
        ("forgotten", leak.forgotten.into()),
        ("stack_bytes", leak.stack_bytes.into()),
    ])
}

fn print(memory: &Memory) {
    let Memory {
        frames,
        heap,
        mappings,
        retired,
    } = memory;
    let line = |name: &str, bytes: usize| println!("{name:<24} {bytes:>12}");
    line("memory", frames.total * PAGE);
    line("  used", frames.total.saturating_sub(frames.free) * PAGE);
    line("  free", frames.free * PAGE);
    line("  nucleus", frames.nucleus * PAGE);
    line("mapped", mappings.pages * PAGE);
    line("  page tables", mappings.page_tables * PAGE);
    line("heap, mapped", heap.mapped);
    line("heap, used", heap.used);
    line("heap, at hand", heap.at_hand);
    line("heap, failed requests", heap.failures);
    println!("{:<24} {retired:>12}", "retired versions");
    line("leaks", faults::total_leaks());
    for leak in faults::leaks() {
        println!("  {leak}");
    }
}
