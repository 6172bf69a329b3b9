//! The supervisor: restarts tasks that a fault has ended.
//!
//! It looks after what has been registered with `task::Builder::supervise`, one for one: a task that
//! failed is made again after a pause that doubles each time, until it has failed too often in a while;
//! then it is given up, and the log says so. What it did stands in the fault's record.
//!
//! A component in which a supervised task faults for the second time in the window is loaded anew before
//! the restart, from the object that it was loaded from. Text and constants are fresh then; statics are
//! *kept*, because other components have pointers into them and the tasks that live rely on their values.
//! A static whose value makes its component fault again and again ends in giving up.
//!
//! Two tasks do this, and each is registered for the other to restart; what they share is behind a
//! mutex that outlives them. They also put tasks back in a queue that a fault in the scheduler has lost, and
//! after a fault they wake all that are blocked: a wake-up may have been lost with whoever was about to make it.
//!
//! Neighbours: `task` keeps the register, so that tasks of any layer can be in it; `faults` keeps the
//! records; `swap` loads anew. Left out: groups of tasks that are restarted together.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod watch;

use component::{Handover, StartError};
use task::{Builder, Restart};

component::component! { start: start }

/// Stack of a supervisor in bytes: it prepares swaps.
const STACK_BYTES: usize = 128 * 1024;

fn start(_: &'static Handover) -> Result<(), StartError> {
    for name in ["supervisor", "deputy"] {
        Builder::new(name)
            .component("supervisor")
            .stack_size(STACK_BYTES)
            .essential()
            .supervise(Restart::SYSTEM, watch::run)?;
    }
    Ok(())
}
