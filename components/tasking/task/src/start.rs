//! The first tasks.

use crate::{
    Priority, State, Task, builder, cpu_start, ending, info, per_cpu, policies, repair, schedule,
    task::{Kind, Parts},
};
use alloc::sync::Arc;
use component::{Handover, StartError};
use cpu::CpuSet;
use handover::VirtualRange;

/// Makes the flow that calls this the first task, gives it company, and lets interrupts preempt.
pub(crate) fn start(handover: &'static Handover) -> Result<(), StartError> {
    policies::register_interface()?;
    adopt_boot_flow(handover.boot_stack);
    let idle = cpu_start::idle_task(cpu::current_cpu(), || {})?;
    idle.give_to_this_cpu();
    ending::start_reaper()?;
    clock::register_tick(schedule::tick);
    interrupts::set_preemption(schedule::preempt);
    interrupts::set_stack_owner(repair::room);
    interrupts::set_stack_growth(repair::grow);
    Ok(())
}

/// Makes the flow that calls this a task; its stack belongs to the hand-over and is never freed.
fn adopt_boot_flow(stack_range: VirtualRange) {
    let task = Arc::new(Task::new(Parts {
        id: builder::next_id(),
        name: "init".into(),
        component: "init".into(),
        kind: Kind::Essential,
        cpus: CpuSet::ALL,
        priority: Priority::NORMAL,
        state: State::Running,
        stack_range,
        stack_mapped: stack_range.start,
        stack: None,
        saved_stack_pointer: 0,
        body: None,
        streams: None,
        kept: None,
    }));
    info::enter(&task);
    let _off = cpu::InterruptsOff::new();
    cpu::set_switched_at(cpu::timestamp());
    per_cpu::set_current(&task);
    core::mem::forget(task); // The reference is the CPU's.
}
