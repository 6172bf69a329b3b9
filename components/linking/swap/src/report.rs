//! What a swap did, for people and for scripts.

use crate::{Refusal, Step, Substitution};
use alloc::{string::String, vec::Vec};
use core::fmt::{self, Write};
use task::TaskId;

/// What a swap did, or would do, or why it was refused.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Components that were swapped.
    pub swapped: Vec<String>,
    /// Functions whose stubs keep leading to the old code: they vanished, or are changed closures.
    pub kept_old: Vec<String>,
    /// Who took charge of an interface in whose place, if that was asked for.
    pub substituted: Option<Substitution>,
    /// Why nothing was swapped.
    pub refused: Option<Refusal>,
    /// Time of the preparation in microseconds.
    pub prepare_us: u64,
    /// Time of the commit in microseconds.
    pub commit_us: u64,
    /// What each step cost, in ticks of the time-stamp counter (instructions under `-icount`).
    pub ticks: Vec<(Step, u64)>,
    /// Number of slots that lead to other code now.
    pub slots: usize,
    /// Statics whose initial value the new build changes: their running values stay.
    pub initial_values: Vec<String>,
    /// Components that stay although their panic messages name lines of an older source.
    pub stale_lines: Vec<String>,
    /// Applications whose next run uses the new build, without one running now.
    pub next_run: Vec<String>,
    /// Tasks that are still in replaced code.
    pub in_retired: Vec<TaskInRetired>,
    /// Bytes that replaced versions take, all swaps together.
    pub retired_bytes: u64,
    /// Whether it was only a rehearsal.
    pub dry_run: bool,
}

/// A task that is still in replaced code: a return address or saved instruction pointer is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskInRetired {
    /// The task.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// The functions, innermost first, each with its component.
    pub functions: Vec<String>,
}

impl Report {
    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self {
            refused: Some(refusal),
            ..Self::default()
        }
    }

    /// Whether the swap was made, or nothing was to be done.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.refused.is_none()
    }

    /// The report as one JSON document on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_json(&mut json);
        json
    }

    fn write_json(&self, out: &mut String) -> fmt::Result {
        write!(out, "{{\"ok\":{}", self.is_ok())?;
        list(out, "swapped", &self.swapped)?;
        list(out, "kept_old", &self.kept_old)?;
        match &self.substituted {
            None => out.write_str(",\"substituted\":null")?,
            Some(substitution) => write_substitution(out, substitution)?,
        }
        match &self.refused {
            None => out.write_str(",\"refused\":null")?,
            Some(Refusal { component, reason }) => {
                let reason = alloc::format!("{reason}");
                let (component, reason) = (Quoted(component), Quoted(&reason));
                write!(
                    out,
                    ",\"refused\":{{\"component\":{component},\"reason\":{reason}}}"
                )?;
            }
        }
        write!(
            out,
            ",\"ms\":{{\"prepare\":{},\"quiesce\":null,\"commit\":{},\"reclaim\":null}}",
            Milliseconds(self.prepare_us),
            Milliseconds(self.commit_us)
        )?;
        write!(
            out,
            ",\"slots\":{},\"dry_run\":{}",
            self.slots, self.dry_run
        )?;
        list(out, "initial_values", &self.initial_values)?;
        list(out, "stale_lines", &self.stale_lines)?;
        list(out, "next_run", &self.next_run)?;
        out.write_str(",\"in_retired\":[")?;
        for (index, task) in self.in_retired.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(
                out,
                "{comma}{{\"task\":{},\"name\":{}",
                task.id.0,
                Quoted(&task.name)
            )?;
            list(out, "functions", &task.functions)?;
            out.write_char('}')?;
        }
        write!(
            out,
            "],\"retired_bytes\":{},\"ticks\":{{",
            self.retired_bytes
        )?;
        for (index, (step, ticks)) in self.ticks.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(out, "{comma}\"{step}\":{ticks}")?;
        }
        out.write_str("}}")
    }
}

fn write_substitution(out: &mut String, substitution: &Substitution) -> fmt::Result {
    let Substitution {
        interface,
        from,
        to,
        done,
        loaded,
    } = substitution;
    let (interface, from, to) = (Quoted(interface), Quoted(from), Quoted(to));
    write!(
        out,
        ",\"substituted\":{{\"interface\":{interface},\"from\":{from},\"to\":{to},\"loaded\":{loaded}"
    )?;
    let (moved, stopped) = done.map_or((0, 0), |done| (done.moved, done.stopped_ticks));
    write!(out, ",\"moved\":{moved},\"stopped_ticks\":{stopped}}}")
}

fn list(out: &mut String, name: &str, items: &[String]) -> fmt::Result {
    write!(out, ",\"{name}\":[")?;
    for (index, item) in items.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}{}", Quoted(item))?;
    }
    out.write_char(']')
}

fn describe_substitution(f: &mut fmt::Formatter<'_>, it: &Substitution) -> fmt::Result {
    let Substitution {
        interface,
        from,
        to,
        loaded,
        ..
    } = it;
    let Some(done) = it.done else {
        return write!(f, "{to} would become the {interface} instead of {from}");
    };
    let first = if *loaded {
        "loaded, and now the"
    } else {
        "is now the"
    };
    write!(
        f,
        "{to} {first} {interface} instead of {from} ({} {} moved)",
        done.moved, done.what
    )
}

/// A JSON string.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                control if control < ' ' => write!(f, "\\u{:04x}", u32::from(control))?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}

/// Microseconds, as milliseconds with three places.
struct Milliseconds(u64);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(refusal) = &self.refused {
            return write!(f, "refused: {refusal}");
        }
        if let Some(substitution) = &self.substituted {
            return describe_substitution(f, substitution);
        }
        if self.swapped.is_empty() && self.next_run.is_empty() {
            return f.write_str("nothing to do: the same build runs");
        }
        let verb = if self.dry_run {
            "would swap"
        } else {
            "swapped"
        };
        write!(
            f,
            "{verb} {} ({} slots",
            self.swapped.join(", "),
            self.slots
        )?;
        let (prepare, commit) = (Milliseconds(self.prepare_us), Milliseconds(self.commit_us));
        write!(f, ", prepare {prepare} ms, commit {commit} ms)")?;
        for name in &self.next_run {
            write!(f, "\nthe next run of {name} uses the new build")?;
        }
        for name in &self.kept_old {
            write!(f, "\nkeeps its old code: {name}")?;
        }
        for name in &self.initial_values {
            write!(
                f,
                "\nkeeps its value, though the new build starts with another: {name}"
            )?;
        }
        for task in &self.in_retired {
            let functions = task.functions.join(", ");
            write!(
                f,
                "\nstill in replaced code: task {} \"{}\" in {functions}",
                task.id, task.name
            )?;
        }
        Ok(())
    }
}
