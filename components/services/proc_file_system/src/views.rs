//! The views.

use alloc::{format, string::String};
use core::fmt::{Display, Write};

/// A file and how its text is made.
pub(crate) struct View {
    /// The file's name.
    pub(crate) name: &'static str,
    /// Makes its text.
    pub(crate) text: fn() -> String,
}

/// All views.
pub(crate) const VIEWS: [View; 8] = [
    View {
        name: "commands",
        text: commands,
    },
    View {
        name: "components",
        text: components,
    },
    View {
        name: "cpus",
        text: cpus,
    },
    View {
        name: "faults",
        text: faults,
    },
    View {
        name: "log",
        text: log,
    },
    View {
        name: "memory",
        text: memory,
    },
    View {
        name: "mounts",
        text: mounts,
    },
    View {
        name: "tasks",
        text: tasks,
    },
];

/// The items, a line each.
fn lines<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        // Writing to a `String` does not fail.
        let _ = writeln!(text, "{item}");
    }
    text
}

/// Name and application.
fn commands() -> String {
    let commands = loader::commands().into_iter();
    lines(commands.map(|command| format!("{} {}", command.name, command.application)))
}

/// Name, version, content id, state, bytes of text, of constants, of statics.
fn components() -> String {
    let live = loader::components().unwrap_or_default();
    let retired = loader::retired().unwrap_or_default();
    lines(live.into_iter().chain(retired).map(|component| {
        format!(
            "{} {} {:032x} {} {} {} {}",
            component.name,
            component.version,
            component.content_id,
            component.state.as_str(),
            component.text_size,
            component.rodata_size,
            component.data_size,
        )
    }))
}

/// The numbers of the CPUs that take part.
fn cpus() -> String {
    lines(cpu::online_cpus().iter().map(|cpu| cpu.0))
}

/// Time in nanoseconds, task, what happened.
fn faults() -> String {
    lines(faults::records().into_iter().map(|record| {
        format!(
            "{} {} {} {}",
            record.time_ns, record.task, record.component, record.failure
        )
    }))
}

/// As `log` prints it.
fn log() -> String {
    lines(klog::records())
}

/// A quantity and its bytes.
fn memory() -> String {
    const FRAME: usize = 4096;
    let frames = frames::statistics();
    let heap = heap::statistics();
    lines([
        format!("total {}", frames.total * FRAME),
        format!("free {}", frames.free * FRAME),
        format!("heap_mapped {}", heap.mapped),
        format!("heap_used {}", heap.used),
    ])
}

/// Path, file system, bytes in all and in use, whether it can only be read.
fn mounts() -> String {
    lines(vfs::mounts().into_iter().map(|mount| {
        format!(
            "{} {} {} {} {}",
            mount.path,
            mount.name,
            mount.usage.total,
            mount.usage.used,
            if mount.read_only { "ro" } else { "rw" },
        )
    }))
}

/// Number, state, CPU, time in nanoseconds, component, name.
fn tasks() -> String {
    lines(task::tasks().into_iter().map(|task| {
        format!(
            "{} {} {} {} {} {}",
            task.id, task.state, task.cpu.0, task.cpu_ns, task.component, task.name,
        )
    }))
}
