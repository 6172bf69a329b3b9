//! Who is still in replaced code.
//!
//! Stacks are walked with the unwind tables. A walk that does not arrive at the stack's end is not
//! believed: then the stack is read word by word, where every return address and every instruction
//! pointer that an interrupt saved is among the words. A word that only looks like one names a
//! function too many; none is missed. The stack of a task that another CPU runs is read like that, from
//! where the CPU has parked.

use crate::{TaskInRetired, commit::park_limit};
use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;
use loader::{Live, Loaded};
use task::{State, Task};
use unwinder::Frame;

/// The tasks with a word in the text of a replaced version on their stacks.
pub(crate) fn tasks_in_retired(live: &Live) -> Vec<TaskInRetired> {
    let mut retired: Vec<Arc<Loaded>> = live.retired.clone();
    retired.retain(|loaded| !loaded.text().is_empty());
    retired.sort_unstable_by_key(|loaded| loaded.text().start);
    if retired.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for info in task::tasks() {
        let Some(task) = task::find(info.id) else {
            continue;
        };
        let functions = functions_on_stack(&task, &retired);
        if !functions.is_empty() {
            found.push(TaskInRetired {
                id: info.id,
                name: info.name,
                functions,
            });
        }
    }
    found
}

/// The functions of `retired` that words on the task's stack lie in, innermost first.
fn functions_on_stack(task: &Arc<Task>, retired: &[Arc<Loaded>]) -> Vec<String> {
    let mut addresses = Vec::with_capacity(64);
    // The task stands still while it is looked at: other CPUs could run it otherwise.
    let looked = cpu::rendezvous(park_limit(), || collect(task, retired, &mut addresses));
    let mut functions: Vec<String> = Vec::new();
    if let Err(error) = looked {
        functions.push(format!("what cannot be told: {error}"));
    }
    for address in addresses {
        let Some(location) = loader::resolve(address) else {
            continue;
        };
        let name = format!("{} in {}", location.function, location.component);
        if !functions.contains(&name) {
            functions.push(name);
        }
    }
    functions
}

/// How far from the end of its stack a walk may stop: below lie the frames of a task's first
/// functions, which call nothing of a component's.
const STACK_END: u64 = 128;

/// Collects addresses in the text of `retired` at which the task goes on some time. All other CPUs are
/// parked. The one lock that walking takes, that of the list of texts, is one that nobody parks under.
fn collect(task: &Arc<Task>, retired: &[Arc<Loaded>], addresses: &mut Vec<u64>) {
    if task.state() == State::Ended {
        return; // It goes on nowhere, and its stack may be gone.
    }
    let end = task.stack_range().end;
    let mut last = 0;
    let mut visit = |frame: Frame| {
        last = frame.stack_pointer;
        if in_any(retired, frame.instruction) && addresses.len() < addresses.capacity() {
            addresses.push(frame.instruction);
        }
        true
    };
    let is_current = task::with_current(|current| Arc::ptr_eq(current, task)).unwrap_or(false);
    let walked = if is_current {
        unwinder::backtrace(&mut visit);
        true
    } else if task.is_on_cpu() {
        false
    } else {
        unwinder::backtrace_parked(task, &mut visit).is_ok()
    };
    if !walked || last.saturating_add(STACK_END) < end {
        scan(task, is_current, retired, addresses);
    }
}

/// Collects words on the task's stack that lie in the text of `retired`.
fn scan(task: &Task, is_current: bool, retired: &[Arc<Loaded>], addresses: &mut Vec<u64>) {
    let range = task.stack_range();
    // The saved stack pointer of a task that runs is old. Everything that matters lies above this
    // frame, or above where the CPU has parked; if that was not on the task's stack, anywhere.
    let here = 0_u64;
    let stack_pointer = if is_current {
        (&raw const here) as u64
    } else if task.is_on_cpu() {
        match cpu::parked_stack_pointer(task.cpu()).filter(|pointer| range.contains(*pointer)) {
            Some(pointer) => pointer,
            None => {
                // It has parked in the entry of an interrupt, before the frame came to this stack.
                let hit = cpu::local_of(task.cpu())
                    .map_or(0, |local| local.interrupted_at.load(Ordering::Relaxed));
                if in_any(retired, hit) {
                    addresses.push(hit);
                }
                range.start
            }
        }
    } else {
        task.saved_stack_pointer()
    };
    let mut at = stack_pointer.max(range.start).next_multiple_of(8);
    // A stack is mapped from its end down to some page.
    while at < range.end && !mappings::is_mapped(at) {
        at = (at | (mappings::PAGE_SIZE - 1)) + 1;
    }
    while at + 8 <= range.end && addresses.len() < addresses.capacity() {
        // SAFETY: the word lies in the stack of a task that has not ended, between its stack
        // pointer and its end: that part is mapped, and nobody unmaps it while this CPU alone runs.
        let word = unsafe { (at as *const u64).read_volatile() };
        if in_any(retired, word) {
            addresses.push(word);
        }
        at += 8;
    }
}

fn in_any(retired: &[Arc<Loaded>], address: u64) -> bool {
    let index = retired.partition_point(|loaded| loaded.text().end <= address);
    retired
        .get(index)
        .is_some_and(|loaded| loaded.text().contains(address))
}
