//! What is compared: the system's operations by the names that its `bench` gives them, each with the
//! goal that the project has set itself.

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Executed instructions, or nanoseconds where they are not counted.
    Cost,
    /// Bytes.
    Bytes,
    /// Thousandths of what it is compared with.
    Thousandths,
}

/// A row of the table.
pub(crate) struct Operation {
    /// Its name in `bench`.
    pub(crate) name: &'static str,
    /// What is done.
    pub(crate) title: &'static str,
    /// At most this, with instructions counted.
    pub(crate) goal: u64,
    /// What is counted.
    pub(crate) unit: Unit,
}

const fn cost(name: &'static str, title: &'static str, goal: u64) -> Operation {
    Operation {
        name,
        title,
        goal,
        unit: Unit::Cost,
    }
}

/// All rows, in the order of the table.
pub(crate) const OPERATIONS: &[Operation] = &[
    cost("null-call", "null call of a service", 8),
    cost("yield", "yield, one way between two tasks", 120),
    cost("spawn", "spawn a task, run it, exit, join", 2_500),
    cost(
        "application",
        "load, link, run and unload an application",
        60_000,
    ),
    cost("map-4k", "map, touch and unmap 4 KiB", 1_000),
    cost("map-64k", "map, touch and unmap 64 KiB", 3_500),
    cost("map-1m", "map, touch and unmap 1 MiB", 25_000),
    cost("ipc", "round trip between two tasks", 500),
    cost("heap", "allocate and free 64 bytes", 60),
    cost("heap-100", "the same, 100 at a time, for one", 80),
    cost("tick", "timer interrupt with the tick's work", 900),
    cost("exception", "exception caught and resumed", 600),
    cost("catch", "panic and catch, one frame", 9_000),
    cost("unwind-50", "unwind over 50 drops", 200_000),
    cost("load-component", "load a 5 KB component, unload it", 60_000),
    cost("load-library", "load and close a small library", 60_000),
    cost("file-read", "open a file, read 4 KiB, close it", 1_500),
    cost("file-create", "create a file, delete it", 3_000),
    cost("boot", "start to prompt, by PVH", 200_000_000),
    cost("boot-grub", "start to prompt, by GRUB", 700_000_000),
    Operation {
        name: "memory",
        title: "memory in use at the prompt",
        goal: 16 << 20,
        unit: Unit::Bytes,
    },
    Operation {
        name: "sleeping-task",
        title: "memory of a sleeping task",
        goal: 12 << 10,
        unit: Unit::Bytes,
    },
    Operation {
        name: "static-link",
        title: "linked at run time, to linked statically",
        goal: 1_020,
        unit: Unit::Thousandths,
    },
];
