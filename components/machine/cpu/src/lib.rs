//! CPU tables, per-CPU data and the interrupt-safe lock.
//!
//! Every CPU has its own descriptor tables, interrupt stacks and a block of data ([`Local`]) that
//! its GS base points to. The boot CPU's tables lie in statics, because it starts before there is a
//! heap; another CPU brings its own ([`CpuTables`]) and begins with [`start_cpu`].
//!
//! What CPUs want of each other is here, too, below everything that waits: forgetting translations
//! ([`flush_everywhere`]), a moment at which all others stand still ([`rendezvous()`]), a look for a
//! better task ([`reschedule`]). A CPU that is alone pays one load and a branch for any of it.
//!
//! Principles: what disables interrupts or preemption is a guard, and dropping the guard restores
//! what was before, also when a panic unwinds through it. A lock that would wait for its own CPU
//! panics instead of hanging.
//!
//! Lock order: an [`IrqMutex`] is the innermost kind of lock; while one is held nothing may block.
//! Waiting for other CPUs is allowed under one, because who waits for one with interrupts off serves
//! requests meanwhile.
//!
//! Neighbours: `interrupts` installs the vectors that use the stacks named here; `apic` sends the
//! interrupts between CPUs; `task` owns `Local::current_task`; `smp` starts further CPUs.
#![cfg_attr(not(test), no_std)]

/// What `holder` is made of; the model of it has another one.
mod atomic {
    pub(crate) use core::sync::atomic::{AtomicU32, Ordering};
}

mod emergency;
mod flush;
mod holder;
mod irq;
mod local;
mod online;
mod preemption;
mod probe;
mod rendezvous;
mod requests;
mod set;
mod suspicion;
mod tables;

use component::{Handover, StartError};
use x86_64::registers::{
    control::{Cr0, Cr0Flags, Cr4, Cr4Flags},
    model_specific::{Efer, EferFlags, Msr},
};

pub use emergency::{emergency_print, fatal};
pub use flush::flush_everywhere;
pub use irq::{
    BareGuard, InterruptsOff, IrqGuard, IrqMutex, abandoned_locks, enable_interrupts, halt,
    interrupts_enabled, wait_for_interrupt, without_interrupts,
};
pub use local::{
    CpuId, Local, MAX_CPUS, clear_leaving_task, clear_reschedule, current_cpu, current_task,
    enter_policy, has_task_requests, heap_word, holds_no_lock, interrupt_nesting, leave_policy,
    leaving_task, local, local_of, preemption_depth, set_current_task, set_leaving_task,
    set_preemption_depth, set_switched_at, set_task_requests, switched_at,
};
pub use online::{alone, go_online, online_cpus};
pub use preemption::{PreemptionGuard, preemption_enabled};
pub use probe::{fix_up, probe_read};
pub use rendezvous::{NotParked, is_parked, leave_rendezvous, parked_stack_pointer, rendezvous};
pub use requests::{Kick, poll_requests, register_kick, reschedule, serve_requests};
pub use set::CpuSet;
pub use suspicion::{is_memory_suspect, leave_heap_share, suspect_memory, trust_memory};
pub use tables::{CpuTables, IST_SIZE, InterruptStack, InterruptStacks, kernel_code_selector};

component::component! { start: start }

/// Model-specific register IA32_PAT.
const PAT: u32 = 0x277;
/// All SSE exceptions masked, rounding to nearest (System V ABI for AMD64, section 3.2.1).
const MXCSR_DEFAULT: u32 = 0x1F80;

/// Sets up the boot CPU.
fn start(_: &'static Handover) -> Result<(), StartError> {
    enable_features();
    tables::install_boot_cpu();
    Ok(())
}

/// Makes the CPU that runs this, which has just been started, `id`, with `tables` of its own and
/// the memory types of the boot CPU ([`memory_types`]).
pub fn start_cpu(tables: &'static CpuTables, id: CpuId, memory_types: u64) {
    enable_features();
    // SAFETY: the boot CPU uses the same value, and the caches must see memory alike on all CPUs.
    unsafe { Msr::new(PAT).write(memory_types) };
    tables.install(id);
}

/// The page attribute table of the CPU that runs this.
#[must_use]
pub fn memory_types() -> u64 {
    // SAFETY: every x86-64 processor has the register.
    unsafe { Msr::new(PAT).read() }
}

/// Turns on what the rest of the system relies on, whatever the nucleus or a reset left: write
/// protection in ring 0 and no-execute (W^X), the x87 and SSE state with the defaults of the ABI.
fn enable_features() {
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
    // SAFETY: nothing is in the x87 registers before the first component runs.
    unsafe { core::arch::asm!("fninit", options(nomem, nostack)) };
    let default = MXCSR_DEFAULT;
    // SAFETY: the value masks all exceptions and has no reserved bit.
    unsafe {
        core::arch::asm!("ldmxcsr [{}]", in(reg) &raw const default, options(readonly, nostack));
    }
    // SAFETY: the page tables in use already have their no-execute bits in the right places.
    unsafe { Efer::update(|flags| flags.insert(EferFlags::NO_EXECUTE_ENABLE)) };
}

/// The time-stamp counter: ticks since the CPU's reset (executed instructions under `-icount`).
#[must_use]
#[inline]
pub fn timestamp() -> u64 {
    // SAFETY: the counter may be read in ring 0 whatever CR4.TSD says.
    unsafe { core::arch::x86_64::_rdtsc() }
}
