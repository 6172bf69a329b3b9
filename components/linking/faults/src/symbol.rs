//! Addresses as people read them.

use core::{
    fmt,
    panic::Location,
    sync::atomic::{AtomicBool, Ordering},
};
use interrupts::TrapFrame;
use task::Failure;

/// Most frames of a report; what overflowed a stack has more than anybody reads.
const MAX_FRAMES: usize = 24;

/// An instruction's address, displayed as function and offset.
pub(crate) struct Address(pub(crate) u64);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

/// A walk over the current stack, one frame a line: from where it was interrupted, or from here
/// but for the frames of the reporting itself.
pub(crate) struct Backtrace<'a>(pub(crate) Option<&'a TrapFrame>);

impl fmt::Display for Backtrace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut count = 0;
        let mut result = Ok(());
        let mut visit = |frame: unwinder::Frame| {
            if count < MAX_FRAMES {
                result = writeln!(f, "  {count:>3}: {}", Address(frame.lookup));
            }
            count += 1;
            result.is_ok()
        };
        match self.0 {
            Some(frame) => unwinder::backtrace_interrupted(frame, &mut visit),
            None => unwinder::backtrace(&mut visit),
        }
        result?;
        if count > MAX_FRAMES {
            writeln!(f, "       and {} more", count - MAX_FRAMES)?;
        }
        Ok(())
    }
}

#[used]
static DYING: AtomicBool = AtomicBool::new(false);

/// Ends the system with its last words: the failure, where it was, and the way there.
///
/// Finding symbols needs parts of the system that may be what is broken: when that faults again, the
/// second last words are bare.
pub(crate) fn end_system(
    failure: &Failure,
    frame: Option<&TrapFrame>,
    location: Option<&Location<'_>>,
) -> ! {
    if DYING.swap(true, Ordering::Relaxed) {
        cpu::fatal(format_args!(
            "{failure}, while telling about another failure"
        ));
    }
    cpu::emergency_print(format_args!("\nfatal: {failure}\n"));
    if let Some(location) = location {
        cpu::emergency_print(format_args!("  at {location}\n"));
    }
    if let Some(frame) = frame {
        cpu::emergency_print(format_args!("  {frame:x?}\n"));
        cpu::emergency_print(format_args!("  in {}\n", Address(frame.rip)));
    }
    cpu::fatal(format_args!("the way there:\n{}", Backtrace(frame)))
}
