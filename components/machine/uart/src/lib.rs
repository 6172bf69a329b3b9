//! 16550 serial ports with receive interrupts.
//!
//! The first port is the console, the second the push channel. What arrives is handed to a receiver
//! in the interrupt handler; what is sent is written by the sender itself, in pieces of the size of
//! the port's buffer, so that interrupts wait for one piece only.
//!
//! Principles: a port that is not there is noticed at the start and swallows what is written. What
//! arrives before there is a receiver is kept for it, up to [`EARLY`] bytes; what is lost is counted.
//!
//! Neighbours: `apic` sends the interrupts; `console` and `push` register as receivers. Left out:
//! lines, echo, flow control.
#![cfg_attr(not(test), no_std)]

mod early;
mod port;

use component::{Handover, StartError};

pub use early::EARLY;
pub use port::{Port, PortStatistics, Receiver, is_present, register_receiver, statistics, write};

component::component! { start: start }

/// Starts both ports; a machine may lack either.
fn start(_: &'static Handover) -> Result<(), StartError> {
    for port in [Port::Com1, Port::Com2] {
        if let Err(error) = port::start(port) {
            log::info!("{port}: {error}");
        }
    }
    Ok(())
}
