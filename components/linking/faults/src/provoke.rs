//! Faults on request: the real thing, for the command `crash` and for tests.

use alloc::{boxed::Box, vec::Vec};
use core::{
    arch::asm,
    fmt,
    hint::black_box,
    ptr,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};

/// A fault to provoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provocation {
    /// A panic.
    Panic,
    /// The CPU's division by zero.
    Divide,
    /// A load from address 0.
    NullLoad,
    /// An undefined instruction.
    Undefined,
    /// A recursion without end.
    StackOverflow,
    /// An allocation that no machine can serve.
    HugeAllocation,
    /// Allocations in small steps until there is no memory left.
    Exhaustion,
}

impl Provocation {
    /// All of them, with their names and what they do.
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Panic, "panic", "panics"),
        (Self::Divide, "div", "divides by zero in hardware"),
        (Self::NullLoad, "null", "loads from address 0"),
        (Self::Undefined, "ud2", "executes an undefined instruction"),
        (
            Self::StackOverflow,
            "stack",
            "recurses until the stack overflows",
        ),
        (
            Self::HugeAllocation,
            "alloc",
            "asks for more memory than any machine has",
        ),
        (
            Self::Exhaustion,
            "exhaust",
            "uses up the memory in small steps",
        ),
    ];
}

/// There is no such provocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownProvocation;

impl fmt::Display for UnknownProvocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown kind of fault; there are")?;
        for (_, name, _) in Provocation::ALL {
            write!(f, " {name}")?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownProvocation {}

impl FromStr for Provocation {
    type Err = UnknownProvocation;

    fn from_str(text: &str) -> Result<Self, UnknownProvocation> {
        Self::ALL
            .iter()
            .find(|(_, name, _)| *name == text)
            .map(|(provocation, ..)| *provocation)
            .ok_or(UnknownProvocation)
    }
}

/// Faults, and so never returns: the current task is unwound to its innermost catch.
pub fn provoke(provocation: Provocation) -> ! {
    match provocation {
        #[expect(clippy::panic, reason = "it is what was asked for")]
        Provocation::Panic => panic!("provoked panic"),
        Provocation::Divide => divide_by_zero(),
        Provocation::NullLoad => {
            black_box(load(black_box(ptr::null())));
        }
        Provocation::Undefined => undefined_instruction(),
        Provocation::StackOverflow => {
            black_box(recurse(black_box(1)));
        }
        Provocation::HugeAllocation => {
            black_box(Vec::<u8>::with_capacity(black_box(1 << 46)));
        }
        Provocation::Exhaustion => exhaust(),
    }
    unreachable_provocation()
}

/// The machine did what it should not.
#[expect(
    clippy::panic,
    reason = "the provocation has to end the task one way or another"
)]
fn unreachable_provocation() -> ! {
    panic!("the provoked fault did not happen")
}

#[inline(never)]
fn divide_by_zero() {
    // SAFETY: the division faults, and the supervisor unwinds this task from here.
    unsafe {
        asm!(
            "div {zero:e}",
            zero = in(reg) 0_u32,
            inout("eax") 1_u32 => _,
            inout("edx") 0_u32 => _,
        );
    }
}

#[inline(never)]
fn undefined_instruction() {
    // SAFETY: the instruction faults, and the supervisor unwinds this task from here.
    unsafe { asm!("ud2") };
}

/// A leaf function that faults when `address` is null.
#[inline(never)]
fn load(address: *const u64) -> u64 {
    // SAFETY: the load faults (page 0 is never mapped), and the supervisor unwinds this task from
    // here; other callers pass the address of a value.
    unsafe { address.read_volatile() }
}

/// Recurses without a tail call, with a value to drop in every frame.
#[expect(unconditional_recursion, reason = "the stack's end is what is wanted")]
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = Counted::new(&RECURSION);
    let below = recurse(black_box(depth + 1));
    drop(frame);
    black_box(below) + depth
}

fn exhaust() {
    /// Small enough that only a great many use up the memory.
    type Piece = [u8; 4096];

    let mut pieces: Vec<Box<Piece>> = Vec::new();
    loop {
        pieces.push(black_box(Box::new([0xA5; 4096])));
    }
}

#[used]
static RECURSION: AtomicU32 = AtomicU32::new(0);

/// A value that counts itself.
struct Counted(&'static AtomicU32);

impl Counted {
    fn new(counter: &'static AtomicU32) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[used]
static LEAF: AtomicU32 = AtomicU32::new(0);

/// Lets a leaf function fault under a caller that has a value to drop, catches that, and answers
/// whether the value was dropped.
///
/// It is not when the compiler was allowed to infer that the leaf cannot unwind, because then the
/// caller has no landing pad.
#[must_use]
pub fn leaf_fault_runs_drops() -> bool {
    let before = LEAF.load(Ordering::Relaxed);
    let result = task::catch(&mut || {
        let value = Counted::new(&LEAF);
        black_box(load(black_box(ptr::null())));
        drop(value);
    });
    result.is_err() && LEAF.load(Ordering::Relaxed) == before
}
