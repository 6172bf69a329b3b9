//! Starting one CPU after the other.

use alloc::sync::Arc;
use core::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use apic::Message;
use cpu::{CpuId, MAX_CPUS};
use stacks::Stack;

use crate::{
    SmpError,
    arrival::{self, NewCpu},
    trampoline::{ABANDONED, Destination, FREE, Trampoline},
};

/// From a reset to the first start-up message, and from that to the second (Intel SDM volume 3,
/// section 9.4.4.1).
const RESET_NS: u64 = 10_000_000;
const REPEAT_NS: u64 = 200_000;
/// How long a CPU may take to begin, and from there to its idle task. On hardware both are far below
/// a millisecond; a CPU of a virtual machine may have to wait for a CPU of its host.
const PATIENCE_NS: u64 = 3_000_000_000;

/// Stack on which a CPU gets to its idle task.
const STACK_SIZE: usize = 16 * 1024;

/// How many CPUs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// CPUs that take part, the one that booted included.
    pub running: usize,
    /// CPUs that the machine has.
    pub present: usize,
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} CPUs run", self.running, self.present)
    }
}

/// Starts all CPUs of the machine but the one that runs this, which has number 0 and still has
/// interrupts off. Those that do not start are named in the log.
#[must_use]
pub fn start_others() -> Started {
    let own = apic::apic_id();
    let processors = &acpi_tables::platform().interrupts.processors;
    let others = || {
        processors
            .iter()
            .map(|processor| processor.apic_id)
            .filter(move |apic_id| *apic_id != own)
    };
    let present = others().count() + 1;
    let mut running = 1;
    if present > 1 {
        let mut trampoline = Trampoline::new();
        others().for_each(|apic_id| apic::send(apic_id, Message::Init));
        wait(RESET_NS, || false);
        for apic_id in others() {
            let started = match &mut trampoline {
                Ok(trampoline) => start(trampoline, running, apic_id),
                Err(error) => {
                    log::error!("no other CPU can be started: {error}");
                    break;
                }
            };
            match started {
                Ok(()) => running += 1,
                Err(error) => log::error!("the CPU with APIC {apic_id} stays parked: {error}"),
            }
        }
    }
    Started { running, present }
}

/// Starts the CPU with the local APIC `apic_id`, which has been reset, as number `index`.
fn start(trampoline: &mut Trampoline, index: usize, apic_id: u32) -> Result<(), SmpError> {
    let id = u32::try_from(index).ok().filter(|_| index < MAX_CPUS);
    let id = CpuId(id.ok_or(SmpError::TooMany { most: MAX_CPUS })?);
    if !apic::can_reach(apic_id) {
        return Err(SmpError::Unreachable);
    }
    let arrived = Arc::new(AtomicBool::new(false));
    let new = NewCpu::make(id, Arc::clone(&arrived))?;
    let stack = Stack::allocate_mapped(STACK_SIZE)?;
    trampoline.aim(&Destination {
        stack_end: stack.range().end,
        entry: arrival::begin,
        argument: new.argument(),
    })?;
    let begun = begins(trampoline, apic_id);
    if begun && wait(PATIENCE_NS, || arrived.load(Ordering::Acquire)) {
        return Ok(());
    }
    // Whatever it does now, it does not do it any more; but it may have used its stack until here.
    apic::send(apic_id, Message::Init);
    core::mem::forget(stack);
    Err(if begun {
        SmpError::Lost
    } else {
        SmpError::Silent
    })
}

/// Tells a CPU to begin; whether it has. One that has not must not later.
fn begins(trampoline: &Trampoline, apic_id: u32) -> bool {
    let claim = trampoline.claim();
    let claimed = || claim.load(Ordering::Acquire) != FREE;
    let startup = Message::Startup(trampoline.page());
    apic::send(apic_id, startup);
    if wait(REPEAT_NS, claimed) {
        return true;
    }
    apic::send(apic_id, startup);
    wait(PATIENCE_NS, claimed);
    claim
        .compare_exchange(FREE, ABANDONED, Ordering::SeqCst, Ordering::SeqCst)
        .is_err()
}

/// Waits for `condition`, at most so long; whether it has come true.
fn wait(ns: u64, condition: impl Fn() -> bool) -> bool {
    let end = clock::now_ns().saturating_add(ns);
    loop {
        if condition() {
            return true;
        }
        if clock::now_ns() >= end {
            return false;
        }
        cpu::poll_requests();
        core::hint::spin_loop();
    }
}
