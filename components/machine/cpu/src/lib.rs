//! CPU tables, per-CPU data and the interrupt-safe lock.
//!
//! Every CPU has its own descriptor tables, interrupt stacks and a block of data ([`Local`]) that
//! its GS base points to. Nothing here assumes that there is one CPU: the boot CPU's tables lie in
//! statics, because it starts before there is a heap; another CPU brings its own ([`CpuTables`]).
//!
//! Principles: what disables interrupts or preemption is a guard, and dropping the guard restores
//! what was before, also when a panic unwinds through it. A lock that would wait for its own CPU
//! panics instead of hanging.
//!
//! Lock order: an [`IrqMutex`] is the innermost kind of lock; while one is held nothing may block.
//!
//! Neighbours: `interrupts` installs the vectors that use the stacks named here; `task` owns
//! `Local::current_task`. Left out: starting further CPUs.
#![no_std]

mod emergency;
mod irq;
mod local;
mod preemption;
mod tables;

use component::{Handover, StartError};
use x86_64::registers::{
    control::{Cr0, Cr0Flags, Cr4, Cr4Flags},
    model_specific::{Efer, EferFlags},
};

pub use emergency::{emergency_print, fatal};
pub use irq::{
    InterruptsOff, IrqGuard, IrqMutex, enable_interrupts, halt, interrupts_enabled,
    wait_for_interrupt, without_interrupts,
};
pub use local::{CpuId, Local, current_cpu, heap_word, local};
pub use preemption::{PreemptionGuard, preemption_enabled};
pub use tables::{CpuTables, IST_SIZE, InterruptStack, kernel_code_selector};

component::component! { start: start }

/// Sets up the boot CPU.
fn start(_: &'static Handover) -> Result<(), StartError> {
    enable_features();
    tables::install_boot_cpu();
    Ok(())
}

/// Turns on what the rest of the system relies on, whatever the nucleus left: write protection in
/// ring 0 and no-execute (W^X), SSE state with its exceptions.
pub(crate) fn enable_features() {
    // SAFETY: write protection only takes rights away, and no code here writes read-only pages.
    unsafe {
        Cr0::update(|flags| {
            flags.insert(Cr0Flags::WRITE_PROTECT);
            flags.insert(Cr0Flags::MONITOR_COPROCESSOR);
            flags.insert(Cr0Flags::NUMERIC_ERROR);
            flags.remove(Cr0Flags::EMULATE_COPROCESSOR);
            flags.remove(Cr0Flags::TASK_SWITCHED);
        });
    }
    // SAFETY: every x86-64 CPU has SSE; interrupt entry saves the SSE state.
    unsafe {
        Cr4::update(|flags| {
            flags.insert(Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE);
        });
    }
    // SAFETY: the page tables in use already have their no-execute bits in the right places.
    unsafe { Efer::update(|flags| flags.insert(EferFlags::NO_EXECUTE_ENABLE)) };
}

/// The time-stamp counter: ticks since the CPU's reset (executed instructions under `-icount`).
#[must_use]
pub fn timestamp() -> u64 {
    // SAFETY: the counter may be read in ring 0 whatever CR4.TSD says.
    unsafe { core::arch::x86_64::_rdtsc() }
}
