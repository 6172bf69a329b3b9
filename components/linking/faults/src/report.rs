//! Telling about a fault.

use crate::{
    record::{self, Action, FaultRecord},
    symbol::{self, Address, Backtrace, Names, Origin},
};
use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt::{self, Write},
    panic::Location,
    sync::atomic::{AtomicU64, Ordering},
};
use cpu::IrqMutex;
use interrupts::TrapFrame;
use loader::CodePlace;
use task::{Failure, KillDeferral, Message, Streams, TaskId};

/// Room for a report in bytes; the rest is cut.
const CAPACITY: usize = 12 * 1024;

/// Memory for a report, taken in good times; who reports takes it and puts it back.
#[used]
static PAGE: IrqMutex<Option<Box<[u8; CAPACITY]>>> = IrqMutex::new(None);

/// How many tasks can report at once.
const REPORTERS: usize = 16;

/// Nobody, as a task's number.
const NOBODY: u64 = u64::MAX;

/// The tasks that are reporting: a fault in a report is not reported.
#[used]
static REPORTING: [AtomicU64; REPORTERS] = [const { AtomicU64::new(NOBODY) }; REPORTERS];

/// Takes what reports will need.
pub(crate) fn set_up() {
    record::set_up();
    let page = Box::new([0; CAPACITY]);
    let before = PAGE.lock().replace(page);
    drop(before);
}

/// Whether this runs in the handler of a device's interrupt.
pub(crate) fn in_interrupt_handler() -> bool {
    cpu::interrupt_nesting() > 0
}

/// Tells about a panic; the frames that `origin` is above belong to its handling.
pub(crate) fn panicked(failure: &Failure, origin: Origin<'_>, location: Option<&Location<'_>>) {
    tell(&Fault {
        failure,
        location,
        origin,
        names: names(),
    });
}

/// Tells about an exception in interrupted code.
pub(crate) fn interrupted(frame: &TrapFrame, failure: &Failure) {
    tell(&Fault {
        failure,
        location: None,
        origin: Origin::Interrupted(frame),
        names: names(),
    });
}

/// How much of a name can be told here: looking a function up asks for memory, whose lock may be held
/// by what has faulted.
fn names() -> Names {
    if in_interrupt_handler() || !cpu::interrupts_enabled() {
        Names::Components
    } else {
        Names::Functions
    }
}

/// What there is to tell.
struct Fault<'a> {
    failure: &'a Failure,
    location: Option<&'a Location<'a>>,
    origin: Origin<'a>,
    names: Names,
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named =
            task::with_current(|task| write!(f, "task {} \"{}\": ", task.id(), task.name()));
        named.unwrap_or(Ok(()))?;
        write!(f, "{}", self.failure)?;
        if in_interrupt_handler() {
            f.write_str(", in an interrupt handler")?;
        }
        writeln!(f)?;
        if let Some(location) = self.location {
            writeln!(f, "  at {location}")?;
        }
        if let Origin::Interrupted(frame) = self.origin {
            writeln!(f, "  in {}", Address(frame.rip, self.names))?;
        }
        write!(f, "{}", Backtrace(self.origin, self.names))
    }
}

/// Tells about a fault everywhere it belongs.
fn tell(fault: &Fault<'_>) {
    let Some(reporting) = Reporting::new() else {
        cpu::emergency_print(format_args!(
            "\nfault while reporting a fault: {}\n",
            fault.failure
        ));
        return;
    };
    if fault.names == Names::Components {
        // Neither the streams nor the log may be waited for here.
        cpu::emergency_print(format_args!("\n{fault}"));
        record::keep(describe(fault));
    } else {
        frames::with_reserve(|| tell_in_peace(fault));
    }
    drop(reporting);
}

fn tell_in_peace(fault: &Fault<'_>) {
    let _whole = KillDeferral::new();
    let streams = task::streams();
    let page = PAGE.lock().take();
    match page {
        Some(mut page) => {
            let mut block = Block {
                bytes: &mut page[..],
                length: 0,
            };
            // A full block is the only failure, and the rest is cut.
            let _ = write!(block, "{fault}");
            let length = block.length;
            write_all(&streams, page.get(..length).unwrap_or(&[]));
            *PAGE.lock() = Some(page);
        }
        // Somebody else is reporting: piece by piece, then.
        None => {
            let _ = write!(Pieces(&streams), "{fault}");
        }
    }
    // No error to the log, which shows those on the console: the block above has been shown.
    log::info!("{}", Line(fault));
    record::keep(describe(fault));
}

/// A fault in one line.
struct Line<'a, 'b>(&'a Fault<'b>);

impl fmt::Display for Line<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(task) = task::current() {
            write!(f, "task {} \"{}\": ", task.id(), task.name())?;
        }
        let culprit = Address(culprit(self.0), self.0.names);
        write!(f, "{} in {culprit}", self.0.failure)
    }
}

/// The instruction that is to blame: the interrupted one; for a panic, the first outside of what
/// only passes panics on.
fn culprit(fault: &Fault<'_>) -> u64 {
    if let Origin::Interrupted(frame) = fault.origin {
        return frame.rip;
    }
    let mut found = 0;
    fault.origin.walk(&mut |frame| {
        found = frame.lookup;
        loader::text_at(frame.lookup)
            .is_some_and(|loaded| matches!(&*loaded.name, "core" | "alloc" | "heap"))
    });
    found
}

fn describe(fault: &Fault<'_>) -> FaultRecord {
    let instruction = culprit(fault);
    let text = loader::text_at(instruction);
    let component = text.as_ref().map_or("", |text| &text.name);
    let version = text.as_ref().map_or("", |text| &text.version);
    let mut function = Message::new("");
    let mut offset = text
        .as_ref()
        .map_or(0, |text| instruction.saturating_sub(text.text().start));
    if fault.names == Names::Functions
        && let Some(location) = loader::resolve(instruction)
    {
        function = Message::new(&location.function);
        offset = location.offset;
    }
    let place = CodePlace::of(instruction);
    let location = match (fault.location, place) {
        (Some(location), _) => {
            Message::new(format_args!("{}:{}", location.file(), location.line()))
        }
        (None, Some(place)) if fault.names == Names::Functions => symbol::best_line(place),
        _ => Message::new(""),
    };
    let in_handler = in_interrupt_handler();
    FaultRecord {
        number: 0,
        time_ns: task::now_ns(),
        cpu: cpu::current_cpu(),
        task: task::with_current(|task| task.id()).unwrap_or(TaskId(NOBODY)),
        task_name: task::with_current(|task| Message::new(task.name()))
            .unwrap_or_else(|| Message::new("")),
        component: Message::new(component),
        version: Message::new(version),
        function,
        offset,
        instruction,
        place,
        location,
        failure: fault.failure.clone(),
        in_interrupt_handler: in_handler,
        action: if in_handler {
            Action::HandlerEnded
        } else {
            Action::Reported
        },
        recovery_ns: in_handler.then_some(0),
    }
}

fn write_all(streams: &Arc<dyn Streams>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // A task whose output leads nowhere is unwound all the same.
        let Ok(written) = streams.write_error(bytes) else {
            return;
        };
        bytes = bytes.get(written.max(1)..).unwrap_or(&[]);
    }
}

/// Text in a given place, up to its end.
struct Block<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

impl Write for Block<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.length..).unwrap_or(&mut []);
        let count = text.len().min(room.len());
        let (Some(to), Some(from)) = (room.get_mut(..count), text.as_bytes().get(..count)) else {
            return Err(fmt::Error);
        };
        to.copy_from_slice(from);
        self.length += count;
        if count < text.len() {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

/// Text that is written as it comes.
struct Pieces<'a>(&'a Arc<dyn Streams>);

impl Write for Pieces<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_all(self.0, text.as_bytes());
        Ok(())
    }
}

/// The current task is reporting.
struct Reporting(&'static AtomicU64);

impl Reporting {
    /// `None` when it is reporting already, or too many are.
    fn new() -> Option<Self> {
        let me = task::with_current(|task| task.id().0).unwrap_or(NOBODY - 1);
        if REPORTING
            .iter()
            .any(|slot| slot.load(Ordering::Relaxed) == me)
        {
            return None;
        }
        let free = REPORTING.iter().find(|slot| {
            slot.compare_exchange(NOBODY, me, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        })?;
        Some(Self(free))
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        self.0.store(NOBODY, Ordering::Relaxed);
    }
}
