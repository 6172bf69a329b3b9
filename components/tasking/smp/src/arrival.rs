//! What a CPU does that has just begun.

use alloc::{
    alloc::{Layout, alloc_zeroed},
    boxed::Box,
    sync::Arc,
};
use core::sync::atomic::{AtomicBool, Ordering};

use cpu::{CpuId, CpuTables, InterruptStacks, IrqMutex};
use task::IdleTask;

use crate::SmpError;

/// What a CPU needs, made by the one that starts it.
pub(crate) struct NewCpu {
    id: CpuId,
    tables: CpuTables,
    memory_types: u64,
    idle: IrqMutex<Option<IdleTask>>,
}

impl NewCpu {
    /// Everything for `id`; it sets `arrived` when it has got to its idle task. Never freed, since
    /// the hardware uses it from then on.
    pub(crate) fn make(id: CpuId, arrived: Arc<AtomicBool>) -> Result<&'static Self, SmpError> {
        let idle = task::idle_task(id, move || arrived.store(true, Ordering::Release))?;
        Ok(Box::leak(Box::new(Self {
            id,
            tables: CpuTables::new(interrupt_stacks()?),
            memory_types: cpu::memory_types(),
            idle: IrqMutex::new(Some(idle)),
        })))
    }

    /// What [`begin`] takes.
    pub(crate) fn argument(&'static self) -> u64 {
        core::ptr::from_ref(self).addr() as u64
    }
}

/// Not by a value on the stack, which is too small for it.
fn interrupt_stacks() -> Result<&'static InterruptStacks, SmpError> {
    let layout = Layout::new::<InterruptStacks>();
    // SAFETY: the size is not 0.
    let place = unsafe { alloc_zeroed(layout) }.cast::<InterruptStacks>();
    // SAFETY: the place is null, or was allocated for the type, is nobody else's and never freed;
    // zeroes are a valid value of it.
    unsafe { place.as_ref() }.ok_or(SmpError::Memory(layout))
}

/// The first function of a CPU, called by the trampoline on a stack that it leaves for good.
///
/// Before the first line has run, nothing that asks which CPU runs it may be called.
pub(crate) extern "C" fn begin(argument: u64) -> ! {
    // SAFETY: the trampoline passes on what `NewCpu::argument` gave, the address of a value that lives
    // for ever.
    let new = unsafe { &*(argument as *const NewCpu) };
    cpu::start_cpu(&new.tables, new.id, new.memory_types);
    interrupts::load();
    apic::start_cpu(); // what others ask of this CPU arrives from here on
    cpu::go_online();
    clock::start_cpu();
    let idle = new.idle.lock().take();
    if let Some(idle) = idle {
        task::enter(idle);
    }
    // Nobody calls this twice for one CPU.
    cpu::halt()
}
