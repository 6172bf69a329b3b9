//! The first task of a CPU: its idle task.

use crate::{Builder, SpawnError, State, Task, info, per_cpu, repair, switch};
use alloc::{boxed::Box, sync::Arc};
use core::sync::atomic::Ordering;
use cpu::{CpuId, InterruptsOff};

/// Stack of an idle task: interrupt entry and a switch.
const STACK_SIZE: usize = 16 * 1024;

/// The idle task of a CPU that has not got it yet.
#[must_use]
#[derive(Debug)]
pub struct IdleTask(Arc<Task>);

/// Makes the idle task of `cpu`, which calls `begun` before anything else.
///
/// # Errors
///
/// When there is no memory for its stack.
pub fn idle_task(
    cpu: CpuId,
    begun: impl FnOnce() + Send + 'static,
) -> Result<IdleTask, SpawnError> {
    let builder = Builder::new("idle")
        .component("task")
        .stack_size(STACK_SIZE)
        .idle();
    let task = builder.build(Box::new(|| {
        begun();
        repair::idle_for_ever()
    }))?;
    task.cpu.store(cpu.0, Ordering::Relaxed);
    Ok(IdleTask(task))
}

impl IdleTask {
    /// Makes this the idle task of the CPU that runs this.
    pub(crate) fn give_to_this_cpu(self) {
        info::enter(&self.0);
        per_cpu::set_idle(cpu::current_cpu(), self.0);
    }
}

/// Begins with tasks on the CPU that runs this and has none yet; what it did before is left for good.
///
/// Comes back only when the CPU runs a task already.
pub fn enter(idle: IdleTask) {
    let _off = InterruptsOff::new();
    if !per_cpu::current_raw().is_null() {
        return;
    }
    let task = Arc::clone(&idle.0);
    idle.give_to_this_cpu();
    cpu::set_switched_at(cpu::timestamp());
    task.set_state(State::Running);
    task.words.enter_cpu();
    per_cpu::set_idling(true);
    let load = task.saved_stack_pointer.load(Ordering::Acquire);
    per_cpu::set_current(&task);
    core::mem::forget(task); // The reference is the CPU's.
    // Never gone on with.
    let mut save = 0;
    // SAFETY: interrupts are off; `save` is valid until this stack is left; `load` was made for the
    // task's fresh stack, which no CPU uses.
    unsafe { switch::switch_stacks(&raw mut save, load) };
}
