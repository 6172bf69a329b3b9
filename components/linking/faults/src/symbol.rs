//! Addresses as people read them.

use core::{
    fmt,
    panic::Location,
    sync::atomic::{AtomicU32, Ordering},
};
use interrupts::TrapFrame;
use loader::{CodePlace, Line, NoLines};
use task::{Failure, Message};

/// Most frames of a report; what overflowed a stack has more than anybody reads.
const MAX_FRAMES: usize = 24;

/// How much of a name is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Component, build and offset: that asks for no memory.
    Components,
    /// Function and offset, file and line.
    Functions,
}

/// An instruction's address, displayed as function and offset, or as component and offset.
pub(crate) struct Address(pub(crate) u64, pub(crate) Names);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1 == Names::Components {
            return match loader::text_at(self.0) {
                Some(text) => {
                    let place = CodePlace {
                        exact_id: text.exact_id,
                        text_offset: self.0.saturating_sub(text.text().start),
                    };
                    write!(f, "{}{place} ({:#x})", text.name, self.0)
                }
                None => write!(f, "{:#x}", self.0),
            };
        }
        match loader::resolve(self.0) {
            Some(location) => {
                write!(
                    f,
                    "{}+{:#x} ({})",
                    location.function, location.offset, location.component
                )
            }
            None => write!(f, "{:#x}", self.0),
        }
    }
}

/// Most lines of one instruction that are told: of what was inlined more often, the inner ones.
const MAX_INLINED: usize = 6;

/// Tells the lines that the instruction at `address` comes from; answers why not, if they are not known
/// and somebody else may know them.
fn write_lines(f: &mut fmt::Formatter<'_>, address: u64) -> Result<Option<NoLines>, fmt::Error> {
    let Some(place) = CodePlace::of(address) else {
        return Ok(None);
    };
    let (mut count, mut result) = (0, Ok(()));
    let known = loader::lines_of(place, &mut |line| {
        let before = match count {
            0 => "       at ",
            1..MAX_INLINED => ", inlined at ",
            _ => return,
        };
        count += 1;
        if result.is_ok() {
            result = write!(f, "{before}{line}");
        }
    });
    result?;
    if count > 0 {
        writeln!(f)?;
    }
    Ok(known.err().filter(|reason| *reason != NoLines::NoLine))
}

/// The line that a person looks for: the innermost one that is not of the toolchain's own libraries, into
/// which the compiler has inlined so much. Empty if lines are not known.
pub(crate) fn best_line(place: CodePlace) -> Message {
    let mut best = None;
    let visit = &mut |line: Line<'_>| {
        let own = !line.file.starts_with("library/");
        if best.as_ref().is_none_or(|(_, known)| own && !known) {
            best = Some((Message::new(line), own));
        }
    };
    // Whoever asks is told why not when the whole way is told.
    let _ = loader::lines_of(place, visit);
    best.map_or_else(|| Message::new(""), |(line, _)| line)
}

/// Where the stack of a fault begins.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// Where the code was interrupted.
    Interrupted(&'a TrapFrame),
    /// Above this address: what lies below belongs to the report.
    Above(u64),
}

impl Origin<'_> {
    /// Walks from there outwards, as long as `visit` answers true.
    pub(crate) fn walk(self, visit: &mut dyn FnMut(unwinder::Frame) -> bool) {
        match self {
            Self::Interrupted(frame) => unwinder::backtrace_interrupted(frame, visit),
            Self::Above(bottom) => {
                unwinder::backtrace(&mut |frame| frame.stack_pointer <= bottom || visit(frame))
            }
        }
    }
}

/// A walk over the current stack, one frame a line; a recursion takes one line.
pub(crate) struct Backtrace<'a>(pub(crate) Origin<'a>, pub(crate) Names);

impl fmt::Display for Backtrace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines {
            f,
            names: self.1,
            index: 0,
            written: 0,
            last: None,
            repeated: 0,
            unknown: None,
        };
        let mut result = Ok(());
        self.0.walk(&mut |frame| {
            result = lines.add(frame.lookup);
            result.is_ok()
        });
        result?;
        lines.repetitions()?;
        match (lines.unknown, self.1) {
            (_, Names::Components) => f.write_str("  on the host, `strake resolve` reads this\n"),
            (Some(reason), Names::Functions) => {
                write!(f, "  no lines: {reason}; on the host:\n  strake resolve")?;
                self.write_unknown(f)
            }
            (None, Names::Functions) => Ok(()),
        }
    }
}

impl Backtrace<'_> {
    /// Tells the frames whose lines are not known here, as `strake resolve` wants them.
    fn write_unknown(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut result, mut written, mut last) = (Ok(()), 0, 0);
        self.0.walk(&mut |frame| {
            let place = CodePlace::of(frame.lookup).filter(|_| frame.lookup != last);
            last = frame.lookup;
            if let Some(place) = place
                && loader::lines_of(place, &mut |_| ()).is_err_and(|it| it != NoLines::NoLine)
                && let Some(text) = loader::text_at(frame.lookup)
            {
                written += 1;
                result = write!(f, " {}{place}", text.name);
            }
            result.is_ok() && written < MAX_FRAMES
        });
        result?;
        writeln!(f)
    }
}

/// Writes the lines of a backtrace.
struct Lines<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    names: Names,
    /// Index of the next frame.
    index: usize,
    /// Frames that have a line.
    written: usize,
    last: Option<u64>,
    /// How often the last frame came again.
    repeated: usize,
    /// Why the lines of some frame are not known.
    unknown: Option<NoLines>,
}

impl Lines<'_, '_> {
    fn add(&mut self, address: u64) -> fmt::Result {
        let index = self.index;
        self.index += 1;
        if self.last == Some(address) {
            self.repeated += 1;
            return Ok(());
        }
        self.repetitions()?;
        if self.written < MAX_FRAMES {
            self.written += 1;
            self.last = Some(address);
            writeln!(self.f, "  {index:>3}: {}", Address(address, self.names))?;
            if self.names == Names::Functions {
                let unknown = write_lines(self.f, address)?;
                self.unknown = self.unknown.or(unknown);
            }
        }
        Ok(())
    }

    fn repetitions(&mut self) -> fmt::Result {
        let repeated = core::mem::take(&mut self.repeated);
        if repeated > 0 {
            writeln!(self.f, "       ({repeated} times more)")?;
        }
        Ok(())
    }
}

/// No CPU.
const NONE: u32 = u32::MAX;

/// The CPU that ends the system.
#[used]
static DYING: AtomicU32 = AtomicU32::new(NONE);

/// Ends the system with its last words: the failure, where it was, and the way there.
///
/// Finding symbols needs parts of the system that may be what is broken: when that faults again, the
/// second last words are bare. Another CPU that fails meanwhile stops in silence: these words are to be
/// read.
pub(crate) fn end_system(
    failure: &Failure,
    origin: Origin<'_>,
    location: Option<&Location<'_>>,
) -> ! {
    let _off = cpu::InterruptsOff::new();
    let me = cpu::current_cpu().0;
    match DYING.compare_exchange(NONE, me, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {}
        Err(dying) if dying == me => cpu::fatal(format_args!(
            "{failure}, while telling about another failure"
        )),
        Err(_) => cpu::halt(),
    }
    cpu::emergency_print(format_args!("\n{failure}\n"));
    if let Some(location) = location {
        cpu::emergency_print(format_args!("  at {location}\n"));
    }
    if let Origin::Interrupted(frame) = origin {
        cpu::emergency_print(format_args!("  {frame:x?}\n"));
        cpu::emergency_print(format_args!(
            "  in {}\n",
            Address(frame.rip, Names::Functions)
        ));
    }
    cpu::emergency_print(format_args!("{}", Backtrace(origin, Names::Functions)));
    cpu::fatal(format_args!("the system cannot go on"))
}
