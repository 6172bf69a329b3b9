//! The console: the first serial port as a terminal, with a line discipline and a foreground job.
//!
//! Received bytes go from the interrupt handler into a ring; whoever reads takes them from there,
//! as they are (raw mode, for a line editor) or line by line with echo and erasing (cooked mode, for
//! everything else). Ctrl-C in cooked mode kills the foreground job at once, whatever it does, since
//! the interrupt handler looks for it. Output gets a carriage return before each line feed.
//!
//! Principles: the interrupt handler is short and allocates nothing; a reader that is killed while
//! it waits leaves nothing locked; what a mode or a foreground job is set for is a guard, and
//! dropping it restores what was before. All state is in statics, and everything that is called from
//! outside is a function: the crate can be replaced while a task reads.
//!
//! Neighbours: `uart` below; `klog` shows warnings here; the shell sets modes and jobs. Left out:
//! several consoles, the size of the terminal, XON/XOFF.
//!
//! The feature `alternate` marks lines of error output with `! `.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod cooked;
mod foreground;
mod input;
mod output;
mod ring;
mod session;

use alloc::sync::Arc;
use component::{Handover, StartError};
use task::{StreamError, Streams};
use uart::Port;

pub use foreground::{Foreground, set_foreground};
pub use input::{RawMode, push_back, raw_mode};
pub use output::fresh_line;
pub use session::{Session, claim_session};

component::component! { start: start }

fn start(_: &'static Handover) -> Result<(), StartError> {
    uart::register_receiver(Port::Com1, input::receive);
    klog::register_echo(output::log_line);
    Ok(())
}

/// The console as a task's streams.
///
/// Never inlined: the vtable must be this component's and not that of an application that ends.
#[inline(never)]
#[must_use]
pub fn streams() -> Arc<dyn Streams> {
    Arc::new(Console)
}

/// The console; without state, so that any build of this crate can serve it.
struct Console;

impl Streams for Console {
    fn read(&self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        task::safe_point();
        Ok(input::read(buffer))
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, StreamError> {
        task::safe_point();
        output::write(bytes);
        Ok(bytes.len())
    }

    fn write_error(&self, bytes: &[u8]) -> Result<usize, StreamError> {
        task::safe_point();
        output::write_error(bytes);
        Ok(bytes.len())
    }

    fn is_terminal(&self) -> bool {
        true
    }
}
