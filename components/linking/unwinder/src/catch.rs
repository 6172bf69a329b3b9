//! Where unwindings arrive.

use crate::{
    arrival,
    frame::{Cursor, Pad},
    registers::{self, Registers},
};
use core::{
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};
use cpu::IrqMutex;
use handover::layout;
use interrupts::TrapFrame;
use stacks::Stack;
use task::{Failure, Task, TaskId, UnwindState};

/// A catch in progress, in its function's frame; the task knows the innermost one.
#[repr(C)]
pub(crate) struct Record {
    /// How to go on when an unwinding has arrived.
    pub(crate) landing: Registers,
    /// The catch around this one, or 0.
    previous: usize,
    /// What is being unwound to here.
    pub(crate) failure: Option<Failure>,
    /// What an interrupted task is to be unwound with when its interrupt returns.
    pub(crate) pending: Option<Pending>,
    /// The pad that was entered last.
    last_pad: Option<Pad>,
    /// The caller of that frame, if the pad has not ended yet.
    after_pad: Option<Cursor>,
    /// How often the rest of this unwinding was leapt over: a second time shows that it does not land.
    pub(crate) leaps: u32,
    /// What this unwinding could not drop.
    pub(crate) loss: LossCounts,
    /// Whether the functions of applications drop nothing on the way.
    pub(crate) forgets: bool,
    /// Whether the heap looks twice at what this unwinding frees.
    suspect: bool,
    /// Whether this unwinding began where interrupts were off, maybe in the scheduler, and the books of the
    /// scheduler have not been put right since.
    unsettled: bool,
    /// What to put back on arrival, because the guards that would have may be among what is lost.
    before: Before,
}

/// An unwinding that begins when an interrupt returns.
pub(crate) struct Pending {
    pub(crate) failure: Failure,
    /// What is called first, on the task's stack and with interrupts as the interrupted code had them.
    pub(crate) report: Option<Report>,
    /// Where the stack pointer was, if it cannot be unwound from.
    pub(crate) leap_from: Option<u64>,
    /// Whether the functions of applications drop nothing.
    pub(crate) forget: bool,
}

/// Tells somebody that a task is about to be unwound from where it was interrupted.
pub type Report = fn(&TrapFrame, &Failure);

struct Before {
    task: UnwindState,
    preemption_disabled: u32,
    interrupts_enabled: bool,
}

/// What an unwinding could not drop.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LossCounts {
    pub(crate) failed_drops: u32,
    pub(crate) leapt_bytes: u64,
    pub(crate) interrupted: u32,
    pub(crate) forgotten: u32,
}

impl Record {
    #[inline(always)] // Made where it is to lie: it is a kilobyte.
    fn new(task: &Task) -> Self {
        Self {
            landing: Registers::default(),
            previous: task.catch_word().load(Ordering::Relaxed),
            failure: None,
            pending: None,
            last_pad: None,
            after_pad: None,
            leaps: 0,
            loss: LossCounts::default(),
            forgets: false,
            suspect: false,
            unsettled: false,
            before: Before {
                task: task.unwind_state(),
                preemption_disabled: cpu::preemption_depth(),
                interrupts_enabled: cpu::interrupts_enabled(),
            },
        }
    }

    /// An exception begins, which may have hit anything half way.
    pub(crate) fn suspect_heap(&mut self) {
        if !self.suspect {
            self.suspect = true;
            cpu::suspect_memory();
        }
    }

    /// The unwinding goes on, maybe on another CPU.
    pub(crate) fn goes_on(&mut self) {
        if self.suspect {
            cpu::leave_heap_share();
        }
        self.settle_if_due();
    }

    /// The unwinding has come to an end.
    pub(crate) fn trust_heap(&mut self) {
        if core::mem::take(&mut self.suspect) {
            cpu::trust_memory();
        }
    }

    /// A failure begins: one with interrupts off may have hit the scheduler on its way from this task to
    /// another, and until that is put right nothing may preempt the task.
    pub(crate) fn hold_scheduler(&mut self) {
        if !self.unsettled && !cpu::interrupts_enabled() {
            self.unsettled = true;
            cpu::set_preemption_depth(cpu::preemption_depth() + 1);
        }
    }

    /// Puts the books of the scheduler right as soon as the unwinding has left all that keeps interrupts
    /// off: the drops that are still to come may block.
    pub(crate) fn settle_if_due(&mut self) {
        if self.unsettled && cpu::interrupts_enabled() {
            self.unsettled = false;
            task::settle();
            cpu::set_preemption_depth(cpu::preemption_depth().saturating_sub(1));
        }
    }

    /// Notes that `pad` is about to be entered, and who has called its frame; whether it was not the last one
    /// already, which would go on for ever.
    pub(crate) fn enter_pad(&mut self, pad: Pad, caller: Cursor) -> bool {
        let fresh = self.last_pad != Some(pad);
        self.last_pad = Some(pad);
        self.after_pad = Some(caller);
        fresh
    }

    /// The caller of the frame at `frame`, whose pad has ended, if it is known from its entry: a pad
    /// leaves what its frame has saved of its caller as it is.
    ///
    /// That the stack pointers agree tells that it is the same frame: another unwinding in between,
    /// of a drop in the pad, has its own catch and record or never comes back here.
    pub(crate) fn leave_pad(&mut self, frame: &Cursor) -> Option<Cursor> {
        let caller = self.after_pad.take()?;
        let of_frame = |pad: Pad| pad.stack_pointer == frame.registers.stack_pointer();
        self.last_pad.is_some_and(of_frame).then_some(caller)
    }
}

/// Runs `body`; when it is unwound, answers how it failed.
///
/// Outside of tasks nothing can be unwound, so there a failure of `body` stops the system.
///
/// # Errors
///
/// The failure that unwound `body`.
pub fn catch(body: &mut dyn FnMut()) -> Result<(), Failure> {
    let Some(task) = task::current() else {
        body();
        return Ok(());
    };
    // Reached through the pointer alone until the body is done.
    let mut record = Record::new(&task);
    let pointer = &raw mut record;
    task.catch_word()
        .store(pointer.expose_provenance(), Ordering::Relaxed);
    let mut body = body;
    // SAFETY: the place belongs to `record`, which nothing else refers to yet.
    let landing = unsafe { &raw mut (*pointer).landing };
    // SAFETY: `call` takes a pointer to exactly such a `body`; `landing` is valid until this
    // function ends, and the word that leads to it is reset before that.
    let unwound =
        unsafe { registers::call_with_landing(ptr::from_mut(&mut body).cast(), call, landing) };
    // SAFETY: as above; the word is only read.
    let previous = unsafe { (*pointer).previous };
    task.catch_word().store(previous, Ordering::Relaxed);
    if unwound == 0 {
        return Ok(());
    }
    Err(arrive(&mut record, &task))
}

extern "C-unwind" fn call(data: *mut u8) {
    // SAFETY: `catch` passes a pointer to its `body`, which outlives this call.
    let body = unsafe { &mut *data.cast::<&mut dyn FnMut()>() };
    body();
}

/// How far below its record a catch lands at most: the rest of the frame of [`catch`].
const MOST_BELOW: u64 = 4096;

/// The innermost catch of the current task that can be landed at: the word that leads to it and what it has
/// stored may have been overwritten, and one that is only about to call its body has stored nothing yet.
pub(crate) fn innermost() -> Option<*mut Record> {
    let (word, mut stack) = task::with_current(|task| {
        let word = task.catch_word().load(Ordering::Relaxed);
        (word, task.stack_range())
    })?;
    let mut address = word as u64;
    loop {
        let end = address.checked_add(size_of::<Record>() as u64)?;
        let record = address as *mut Record;
        // Of what was never touched there is nothing to be read, and perhaps no memory to be had.
        let is_mapped = stack.contains(address)
            && task::with_current(|task| task.is_stack_mapped(address)).unwrap_or(false);
        if !is_mapped || end > stack.end || !record.is_aligned() {
            return None;
        }
        if can_land(record) {
            if record.addr() != word {
                task::with_current(|task| {
                    task.catch_word().store(record.addr(), Ordering::Relaxed)
                });
            }
            return Some(record);
        }
        // SAFETY: the place lies in the task's stack, which is mapped, and holds a plain word.
        address = unsafe { (*record).previous } as u64;
        // Catches that are further out lie further up.
        stack.start = end;
    }
}

/// The outermost catch of the current task that can be landed at, which is the only one from here on.
pub(crate) fn outermost() -> Option<*mut Record> {
    let mut outermost = innermost()?;
    loop {
        // SAFETY: the record lies in the frame of a catch of this task, which waits for its body.
        let previous = unsafe { (*outermost).previous };
        task::with_current(|task| task.catch_word().store(previous, Ordering::Relaxed));
        match innermost() {
            Some(record) => outermost = record,
            None => break,
        }
    }
    task::with_current(|task| {
        let word = outermost.addr();
        task.catch_word().store(word, Ordering::Relaxed);
    });
    Some(outermost)
}

/// Whether what `record` has stored is a place in the frame around it. It must lie in a stack.
fn can_land(record: *mut Record) -> bool {
    // SAFETY: the place lies in a stack, which is mapped.
    let landing = unsafe { &raw const (*record).landing };
    // SAFETY: as above, and the registers are plain words.
    let landing = unsafe { landing.read() };
    let distance = (record.addr() as u64).checked_sub(landing.stack_pointer());
    let text = layout::OBJECTS..layout::OBJECTS_END;
    distance.is_some_and(|distance| distance <= MOST_BELOW) && text.contains(&landing.instruction())
}

/// An unwinding has arrived: puts back what guards may not have put back, and keeps the books.
fn arrive(record: &mut Record, task: &Task) -> Failure {
    record.trust_heap();
    task.set_unwind_state(record.before.task);
    if record.before.interrupts_enabled {
        // Before anything preempts it: a task that is in a queue cannot be put in one.
        if record.unsettled {
            task::settle();
        } else {
            task::land();
        }
    }
    cpu::set_preemption_depth(record.before.preemption_disabled);
    if record.before.interrupts_enabled {
        cpu::enable_interrupts();
    }
    note(task.id(), record.loss);
    arrival::tell(task.id(), record.loss.forgotten);
    // An unwinding always stores why before it starts.
    let failure = record.failure.take().unwrap_or(Failure::Killed);
    if record.landing.stack_pointer() > task.stack_range().start {
        // What used the stack's reserve, if anything did, has been unwound: the next overflow is to
        // fault again.
        task.with_stack(Stack::unmap_reserve);
    }
    failure
}

/// Something that an unwinding could not drop.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// Whose it was.
    pub task: TaskId,
    /// What was lost.
    pub kind: LossKind,
}

/// What an unwinding could not drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// Drops that failed themselves, each with the rest of its frame.
    FailedDrops {
        /// How many.
        count: u32,
    },
    /// What functions owned that were hit by an exception themselves, as far as they own anything.
    Interrupted {
        /// How many functions.
        count: u32,
    },
    /// What functions of an application owned that was killed where it was, since it came to no safe point.
    Forgotten {
        /// How many functions.
        count: u32,
    },
    /// The values in this much stack, because it could not be walked.
    Stack {
        /// Bytes.
        bytes: u64,
    },
}

/// How many losses are kept.
const KEPT: usize = 32;

/// What unwindings could not drop: the last ones, and how many there were.
#[derive(Clone, Copy, Debug)]
pub struct Losses {
    kept: [Option<Loss>; KEPT],
    total: usize,
}

impl Losses {
    /// How many there were since the system's start.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.total
    }

    /// The last ones, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.kept.iter().flatten()
    }
}

#[used]
static LOSSES: IrqMutex<Losses> = IrqMutex::new(Losses {
    kept: [None; KEPT],
    total: 0,
});

/// What unwindings could not drop since the system's start.
#[must_use]
pub fn losses() -> Losses {
    *LOSSES.lock()
}

fn note(task: TaskId, counts: LossCounts) {
    if counts.failed_drops > 0 {
        keep(Loss {
            task,
            kind: LossKind::FailedDrops {
                count: counts.failed_drops,
            },
        });
    }
    if counts.interrupted > 0 {
        keep(Loss {
            task,
            kind: LossKind::Interrupted {
                count: counts.interrupted,
            },
        });
    }
    if counts.forgotten > 0 {
        keep(Loss {
            task,
            kind: LossKind::Forgotten {
                count: counts.forgotten,
            },
        });
    }
    if counts.leapt_bytes > 0 {
        keep(Loss {
            task,
            kind: LossKind::Stack {
                bytes: counts.leapt_bytes,
            },
        });
    }
}

/// Adds what the task lost whose unwinding was given up altogether.
pub(crate) fn note_abandoned(task: TaskId, bytes: u64) {
    keep(Loss {
        task,
        kind: LossKind::Stack { bytes },
    });
}

fn keep(loss: Loss) {
    let mut losses = LOSSES.lock();
    let index = losses.total % KEPT;
    losses.total += 1;
    if let Some(place) = losses.kept.get_mut(index) {
        *place = Some(loss);
    }
}

/// How many tasks were ended where they were.
#[used]
static FORCED_ENDS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn note_forced_end() {
    FORCED_ENDS.fetch_add(1, Ordering::Relaxed);
}

/// How many killed tasks came to no safe point and were ended where they were, since the system's start. What
/// such a task was doing for others may be half done: somebody who was to be woken may not have been.
#[must_use]
pub fn forced_ends() -> u64 {
    FORCED_ENDS.load(Ordering::Relaxed)
}
