//! Start-up: what the nucleus jumps to.
//!
//! [`enter`] runs the stages of the manifest, gives the nucleus's memory back and keeps a session
//! running. It is the boot on one page from the components' side.
//!
//! Principles: what is started, in which order and how much it matters is data, from the manifest by
//! way of the archive; a component is started through its hooks and in no other way. A failure names
//! the component and its reason.
//!
//! Neighbours: every started component is called, none is named here but for those that the end of
//! the boot needs. Left out: stopping; a running system has no last stage.
#![no_std]

extern crate alloc;

mod session;
mod stages;

use handover::Handover;

/// Called by the nucleus on the boot stack, interrupts off, with the record that says all it did.
pub fn enter(handover: &'static Handover) -> ! {
    if let Err(failure) = stages::run(handover) {
        cpu::fatal(format_args!("{failure}"));
    }
    give_back_nucleus(handover); // nobody reads its memory any more
    let started = smp::start_others(); // while this CPU does nothing else
    cpu::enable_interrupts(); // last of all: every handler is registered, and preemption begins
    report(handover, started);
    let error = keep_session(handover);
    cpu::fatal(format_args!("{error}"))
}

/// Runs the session, and goes on with it when a fault has hit the flow that does.
fn keep_session(handover: &'static Handover) -> session::SessionError {
    let mut session = session::Session::default();
    let mut ended = None;
    loop {
        let result = task::catch(&mut || ended = Some(session.keep(handover)));
        if let Err(failure) = result {
            log::error!("the flow that keeps the session has failed: {failure}");
        }
        if let Some(error) = ended.take() {
            return error;
        }
    }
}

/// Overwrites and frees what the nucleus took for itself. The hand-over record and the archive stay.
fn give_back_nucleus(handover: &'static Handover) {
    // SAFETY: all tables, stacks and handlers in use were set up by components in the stages.
    match unsafe { mappings::give_back_nucleus(handover) } {
        Ok(frames) => log::info!("the nucleus's {frames} frames are free again"),
        Err(error) => cpu::fatal(format_args!(
            "the nucleus's memory cannot be given back: {error}"
        )),
    }
}

/// What boot cost and what it left aside, for the log.
fn report(handover: &'static Handover, started: smp::Started) {
    let counters = handover.counters;
    log::info!(
        "{} components and {} relocations linked in {} ticks, boot in {} ticks",
        handover.components.as_slice().len(),
        counters.relocations,
        counters.link_end.saturating_sub(counters.link_begin),
        cpu::timestamp().saturating_sub(counters.entry),
    );
    log::info!("{started}");
}
