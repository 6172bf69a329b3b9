//! Receives rebuilt components over the second serial port and has them swapped in.
//!
//! Bytes go from the interrupt handler into a ring, from there to `push_protocol`'s receiver, whose
//! answers are written back. What a transfer means is `swap`'s to decide; this crate carries.
//!
//! Principles: all state is in statics, and the task's loop enters its body through a function value
//! each time, so that this component too can be replaced by a push; a failure while a client is
//! served ends that session and not the service. Neighbours: `uart` below, `swap` and `loader`
//! beside. Left out: who may push; whoever has the second serial port is at the machine.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod line;
mod system;

use alloc::vec::Vec;
use component::{Handover, StartError};
use core::hint::black_box;
use mutex::Mutex;
use push_protocol::Receiver;
use system::Running;
use task::LockRank;
use uart::Port;

component::component! { start: start }

/// Stack of the task in bytes: it prepares swaps.
const STACK_BYTES: usize = 256 * 1024;

/// Most bytes that are read at a time.
const PIECE: usize = 4096;

/// Above the history of `swap`, which the receiver calls.
const RANK: LockRank = LockRank::new(60);

/// The conversation.
#[used]
static RECEIVER: Mutex<Receiver<Running>> = Mutex::ranked(RANK, Receiver::new(Running));

fn start(_: &'static Handover) -> Result<(), StartError> {
    uart::register_receiver(Port::Com2, line::receive);
    task::Builder::new("push")
        .component("push")
        .stack_size(STACK_BYTES)
        .essential() // Who kills it could not push what makes it well again.
        .supervise(task::Restart::SYSTEM, serve)?;
    Ok(())
}

/// The task's body.
fn serve() {
    loop {
        // By value: the next round runs the code of the build that is there by then.
        let round: fn() = black_box(round);
        if let Err(failure) = task::catch(&mut || round()) {
            log::error!("{failure}; the session is closed");
            let mut receiver = RECEIVER.lock();
            *receiver = Receiver::new(Running);
            receiver.clear_poison();
        }
    }
}

/// Waits for bytes and answers them.
fn round() {
    let mut piece = [0; PIECE];
    let length = line::read(&mut piece);
    let mut answers = Vec::new();
    RECEIVER
        .lock()
        .receive(piece.get(..length).unwrap_or_default(), &mut answers);
    uart::write(Port::Com2, &answers);
}
