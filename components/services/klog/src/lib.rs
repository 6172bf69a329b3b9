//! The log ring behind the crate `log`.
//!
//! Every component logs through `log`; what it says is kept here, in a ring of fixed size from which
//! the oldest records fall out and are counted. Warnings and errors are also shown on the console,
//! as soon as there is one that asks for them.
//!
//! Principles: logging allocates nothing and never blocks, so it works before there is a heap and
//! inside an interrupt handler; a message is formatted before the ring's lock is taken, so one that
//! logs while it formats itself is harmless; a long message is cut, not refused. All state is in two
//! statics, and `log` holds only a reference to a logger without fields: the crate can be replaced
//! while others log.
//!
//! Neighbours: `log` below, `clock` for the time; the console registers itself for the echo
//! ([`register_echo`]), the command `log` reads [`records`]. Left out: filters by component,
//! anything on disk.
//!
//! The feature `alternate` writes lines in another format.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod record;
mod ring;
mod text;

use alloc::{string::String, vec::Vec};
use component::{Handover, StartError};
use core::fmt::Write;
use cpu::IrqMutex;
use log::{LevelFilter, Log, Metadata};

pub use record::Record;
use ring::Ring;
pub use ring::Statistics;
use text::FixedText;

component::component! { start: start }

/// Longest message in bytes; the rest is cut.
const MESSAGE_LIMIT: usize = 400;

/// Longest line that the echo prints.
const LINE_LIMIT: usize = MESSAGE_LIMIT + 100;

#[used]
static RING: IrqMutex<Ring> = IrqMutex::new(Ring::new());

#[used]
static ECHO: IrqMutex<Option<Echo>> = IrqMutex::new(None);

/// Prints a line on the console. Must not log, allocate or block.
pub type Echo = fn(&str);

/// What `log` calls; without state, so that any build of this crate can serve it.
struct Logger;

static LOGGER: Logger = Logger;

fn start(_: &'static Handover) -> Result<(), StartError> {
    log::set_logger(&LOGGER).map_err(StartError::new)?;
    log::set_max_level(LevelFilter::Debug);
    Ok(())
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, entry: &log::Record<'_>) {
        let mut message = FixedText::<MESSAGE_LIMIT>::new();
        // A full text is the only failure, and a cut message is what is promised.
        let _ = write!(message, "{}", entry.args());
        let time_ns = clock::now_ns();
        RING.lock()
            .push(time_ns, entry.level(), entry.target(), message.as_str());
        if entry.level() <= log::Level::Warn {
            echo(&Record::new(
                time_ns,
                entry.level(),
                entry.target(),
                message.as_str(),
            ));
        }
    }

    fn flush(&self) {}
}

/// Shows warnings and errors by `echo` from now on; first those that are in the ring already.
pub fn register_echo(print: Echo) {
    *ECHO.lock() = Some(print);
    let missed = records();
    missed
        .iter()
        .filter(|record| record.level <= log::Level::Warn)
        .for_each(echo);
}

/// All records in the ring, oldest first.
#[must_use]
pub fn records() -> Vec<Record> {
    // The lock keeps interrupts off, so the memory comes first and the parsing last.
    let mut bytes = Vec::with_capacity(ring::CAPACITY);
    RING.lock().copy_to(&mut bytes);
    ring::parse(&bytes)
}

/// All records as lines, oldest first.
#[must_use]
pub fn lines() -> Vec<String> {
    records()
        .iter()
        .map(alloc::string::ToString::to_string)
        .collect()
}

/// How much is in the ring, and how much fell out of it.
#[must_use]
pub fn statistics() -> Statistics {
    RING.lock().statistics()
}

fn echo(record: &Record) {
    let print = *ECHO.lock();
    if let Some(print) = print {
        let mut line = FixedText::<LINE_LIMIT>::new();
        let _ = write!(line, "{record}");
        print(line.as_str());
    }
}
