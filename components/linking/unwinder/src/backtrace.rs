//! Walks over stacks that change nothing.

use crate::{
    frame::{Cursor, StackBounds, StepError},
    registers::{self, Registers},
};
use core::{
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};
use handover::VirtualRange;
use interrupts::TrapFrame;
use task::Task;

/// How much of the guard below a stack may be mapped as its reserve.
const MAX_RESERVE: u64 = 64 * 1024;

/// The most frames of a walk: a broken stack may lead in a circle.
const MAX_FRAMES: usize = 100_000;

#[used]
static BOOT_STACK: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// Names the stack of the flow that boots, which is walked before there are tasks.
pub(crate) fn set_boot_stack(range: VirtualRange) {
    BOOT_STACK[0].store(range.start, Ordering::Relaxed);
    BOOT_STACK[1].store(range.end, Ordering::Relaxed);
}

/// The stack of the current flow.
pub(crate) fn current_bounds() -> StackBounds {
    let range = task::with_current(|task| task.stack_range()).unwrap_or(VirtualRange {
        start: BOOT_STACK[0].load(Ordering::Relaxed),
        end: BOOT_STACK[1].load(Ordering::Relaxed),
    });
    StackBounds(VirtualRange {
        start: range.start.saturating_sub(MAX_RESERVE),
        ..range
    })
}

/// Whether `address` lies in the stack of the current flow, its reserve included.
#[must_use]
pub fn is_on_stack(address: u64) -> bool {
    let stack = current_bounds().0;
    stack.contains(address) || address == stack.end
}

/// A frame of a walk.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The instruction to be executed next in this frame.
    pub instruction: u64,
    /// An address inside the instruction that was being executed, to look symbols up with.
    pub lookup: u64,
    /// The frame's stack pointer.
    pub stack_pointer: u64,
}

/// Walks from the caller outwards, as long as `visit` answers true.
pub fn backtrace(visit: &mut dyn FnMut(Frame) -> bool) {
    let mut visit = visit;
    registers::with_registers(ptr::from_mut(&mut visit).cast(), walk_from_here);
}

extern "C-unwind" fn walk_from_here(registers: &mut Registers, visit: *mut u8) {
    // SAFETY: `backtrace` passes a pointer to its `visit`, which outlives this call.
    let visit = unsafe { &mut *visit.cast::<&mut dyn FnMut(Frame) -> bool>() };
    // The first frame is that of `backtrace` itself.
    let mut own = true;
    let mut skip_own = |frame| core::mem::take(&mut own) || visit(frame);
    walk(
        Cursor {
            registers: *registers,
            exact: false,
        },
        current_bounds(),
        &mut skip_own,
    );
}

/// Walks from where the current task was interrupted, as long as `visit` answers true.
pub fn backtrace_interrupted(frame: &TrapFrame, visit: &mut dyn FnMut(Frame) -> bool) {
    let cursor = Cursor {
        registers: Registers::of_interrupted(frame),
        exact: true,
    };
    walk(cursor, current_bounds(), visit);
}

/// Walks the stack of a task that does not run and is kept from running meanwhile.
///
/// # Errors
///
/// When what its last switch saved lies outside its stack.
pub fn backtrace_parked(
    task: &Task,
    visit: &mut dyn FnMut(Frame) -> bool,
) -> Result<(), StepError> {
    let stack_pointer = task.saved_stack_pointer();
    let stack = task.stack_range();
    // What lies below may not be mapped.
    let bounds = StackBounds(VirtualRange {
        start: stack_pointer.max(stack.start),
        ..stack
    });
    let mut saved = [0; 3];
    let mut address = stack_pointer;
    for word in &mut saved {
        *word = bounds.read(address)?;
        address = address.wrapping_add(8);
    }
    let registers = Registers::of_parked(saved, address);
    walk(
        Cursor {
            registers,
            exact: false,
        },
        bounds,
        visit,
    );
    Ok(())
}

fn walk(mut cursor: Cursor, bounds: StackBounds, visit: &mut dyn FnMut(Frame) -> bool) {
    for _ in 0..MAX_FRAMES {
        let frame = Frame {
            instruction: cursor.registers.instruction(),
            lookup: cursor.lookup_address(),
            stack_pointer: cursor.registers.stack_pointer(),
        };
        if frame.instruction == 0 && !cursor.exact || !visit(frame) {
            return;
        }
        // The end of the tables is the end of the stack: where a task began.
        let Ok(view) = cursor.view(bounds, false) else {
            return;
        };
        cursor = view.caller;
    }
}
