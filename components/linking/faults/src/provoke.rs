//! Faults on request: the real thing, for the command `crash` and for tests.

use alloc::{
    alloc::{Layout, dealloc},
    boxed::Box,
    vec::Vec,
};
use core::{
    arch::asm,
    fmt,
    hint::black_box,
    ptr,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};
use cpu::IrqMutex;
use x86_64::{
    instructions::tables::{lidt, sidt},
    registers::debug::{DebugAddressRegister as _, Dr0, Dr7, Dr7Flags, Dr7Value},
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
    /// A load from an address that is none.
    GeneralProtection,
    /// A store to memory that is read-only.
    ReadOnlyStore,
    /// A call of an address at which there is no code.
    WildCall,
    /// A return to an address at which there is no code.
    WildReturn,
    /// A stack pointer that points to no stack.
    WildStack,
    /// A fault in the function that holds a lock with interrupts off.
    HoldingLock,
    /// A panic in a drop while a panic is being unwound.
    Drop,
    /// An exception inside the unwinder, while it unwinds a panic.
    Unwinder,
    /// An exception whose handler cannot be entered.
    Double,
    /// A loop with interrupts off, which the watchdog ends.
    Stuck,
    /// A fault while a value owns memory that has been given back already, as in the middle of its move.
    Moved,
}

impl Provocation {
    /// All of them, with their names and what they do.
    pub const ALL: [(Self, &'static str, &'static str); 18] = [
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
        (
            Self::GeneralProtection,
            "gp",
            "loads from an address that is none",
        ),
        (
            Self::ReadOnlyStore,
            "store",
            "stores to memory that is read-only",
        ),
        (Self::WildCall, "call", "calls where there is no code"),
        (
            Self::WildReturn,
            "return",
            "returns to where there is no code",
        ),
        (
            Self::WildStack,
            "wild-stack",
            "uses a stack pointer that points to no stack",
        ),
        (
            Self::HoldingLock,
            "lock",
            "faults in a function that holds a lock with interrupts off",
        ),
        (
            Self::Drop,
            "drop",
            "panics in a drop while a panic is unwound",
        ),
        (
            Self::Unwinder,
            "unwinder",
            "faults in the unwinder while it unwinds a panic",
        ),
        (
            Self::Double,
            "double",
            "faults while no handler can be entered",
        ),
        (
            Self::Stuck,
            "stuck",
            "loops with interrupts off until the watchdog ends it",
        ),
        (
            Self::Moved,
            "moved",
            "faults while a value owns memory that is free",
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
        Provocation::GeneralProtection => {
            black_box(load(black_box(NOT_CANONICAL as *const u64)));
        }
        Provocation::ReadOnlyStore => store_to_constant(),
        Provocation::WildCall => wild_call(),
        Provocation::WildReturn => wild_return(),
        Provocation::WildStack => wild_stack(),
        Provocation::HoldingLock => hold_and_fault(),
        Provocation::Drop => panic_twice(),
        Provocation::Unwinder => fault_in_unwinder(),
        Provocation::Double => fault_without_handlers(),
        Provocation::Stuck => loop_without_interrupts(),
        Provocation::Moved => free_and_fault(),
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

/// An address of no half of the address space.
const NOT_CANONICAL: u64 = 1 << 63;

/// Where nothing is mapped.
const NOWHERE: u64 = 0x1234_5678_9000;

/// What is not to be written.
static CONSTANT: [u64; 2] = [1, 2];

#[inline(never)]
fn store_to_constant() {
    let place = black_box(&raw const CONSTANT[1]).cast_mut();
    // SAFETY: the store faults, because constants are mapped read-only, and the supervisor unwinds this
    // task from here.
    unsafe { place.write_volatile(3) };
}

#[inline(never)]
fn wild_call() {
    // SAFETY: the call faults at its target, and the supervisor unwinds this task from there.
    unsafe { asm!("call {}", in(reg) NOWHERE, clobber_abi("C")) };
}

#[inline(never)]
fn wild_return() {
    // SAFETY: the return faults at its target, and the supervisor ends this task.
    unsafe { asm!("push {}", "ret", in(reg) NOWHERE) };
}

#[inline(never)]
fn wild_stack() {
    // SAFETY: the push faults, and the supervisor ends this task without its stack pointer.
    unsafe { asm!("mov rsp, {}", "push rax", in(reg) NOWHERE) };
}

/// What is locked in vain.
#[used]
static HELD: IrqMutex<u32> = IrqMutex::new(0);

/// Faults while this very function holds a lock, so that no drop of a caller releases it.
#[inline(never)]
fn hold_and_fault() {
    let mut held = HELD.lock();
    *held += 1;
    // SAFETY: the instruction faults, and the supervisor unwinds this task from here.
    unsafe { asm!("ud2") };
    *held += 1;
}

/// How often the lock was taken that [`Provocation::HoldingLock`] leaves behind; takes it over.
#[must_use]
pub fn locked_in_vain() -> u32 {
    *HELD.lock()
}

/// Faults like a growing vector between the move of its memory and the note of where it is.
#[inline(never)]
fn free_and_fault() {
    let owner = black_box(Box::new([0_u64; 4]));
    let memory = (&raw const *owner).cast_mut().cast();
    // SAFETY: the box is not used again; its drop frees the memory a second time, which the heap finds out.
    unsafe { dealloc(memory, Layout::new::<[u64; 4]>()) };
    black_box(load(black_box(ptr::null())));
    drop(owner);
}

fn panic_twice() {
    struct Explosive;
    impl Drop for Explosive {
        #[expect(clippy::panic, reason = "it is what was asked for")]
        fn drop(&mut self) {
            panic!("provoked panic in a drop");
        }
    }
    let explosive = Explosive;
    // A call, so that there is something to clean up after.
    provoke_panic();
    drop(explosive);
}

/// What the unwinder goes on with behind a drop that has run.
const IN_UNWINDER: &str = "unwinder::raise::resume";

/// Panics, and has the CPU stop the unwinder where it goes on after the drop of a value here. The task
/// should be bound to a CPU: the breakpoint is.
fn fault_in_unwinder() {
    /// Sets a breakpoint when it is dropped.
    struct Breakpoint(u64);
    impl Drop for Breakpoint {
        fn drop(&mut self) {
            break_at(self.0);
        }
    }
    let Some(address) = address_of("unwinder", IN_UNWINDER) else {
        return;
    };
    let breakpoint = Breakpoint(address);
    provoke_panic();
    core::mem::forget(breakpoint);
}

/// Has this CPU raise an exception when it next begins the function of that name, once, whoever calls it;
/// whether there is such a function. The task should be bound to a CPU.
#[must_use]
pub fn fault_at(component: &str, function: &str) -> bool {
    let address = address_of(component, function);
    address.map(break_at).is_some()
}

/// Takes back what [`fault_at`] has asked of this CPU, if that has not happened yet.
pub fn fault_nowhere() {
    Dr7::write_raw(0);
}

fn address_of(component: &str, function: &str) -> Option<u64> {
    let symbols = loader::symbols(component).unwrap_or_default();
    let symbol = symbols.iter().find(|symbol| symbol.name == function);
    symbol.map(|symbol| symbol.address)
}

fn break_at(address: u64) {
    Dr0::write(address);
    // The length and the condition are those of an instruction.
    let enable = Dr7Flags::LOCAL_BREAKPOINT_0_ENABLE;
    Dr7::write(Dr7Value::from(enable));
}

/// Loops with interrupts off.
#[inline(never)]
fn loop_without_interrupts() {
    cpu::without_interrupts(|| {
        let mut rounds = 0_u64;
        loop {
            rounds = black_box(rounds.wrapping_add(1));
        }
    });
}

/// Faults with a table of interrupt gates that ends behind the double fault's: neither the page fault
/// nor the general protection fault that its missing gate is can be delivered.
#[inline(never)]
fn fault_without_handlers() {
    /// Offset of the last byte of gates 0 to 8.
    const LIMIT: u16 = 9 * 16 - 1;
    let mut table = sidt();
    table.limit = LIMIT;
    cpu::without_interrupts(|| {
        // SAFETY: the gates that are left are in use already; no interrupt comes before the fault, whose
        // handler loads the whole table anew.
        unsafe { lidt(&table) };
        black_box(load(black_box(ptr::null())));
    });
}

#[inline(never)]
#[expect(clippy::panic, reason = "it is what was asked for")]
fn provoke_panic() {
    if black_box(true) {
        panic!("provoked panic");
    }
}

/// The vector that [`fault_in_interrupt_handler`] uses; the last of those for devices.
const VECTOR: u8 = interrupts::LAST_DEVICE_VECTOR;

/// What the handler does: 0 executes an undefined instruction, anything else panics.
#[used]
static HANDLER_PANICS: AtomicU32 = AtomicU32::new(0);

/// Lets the handler of an interrupt fault, by a panic or else by an exception. It comes back: what was
/// interrupted goes on.
///
/// # Errors
///
/// When the vector has a handler already.
pub fn fault_in_interrupt_handler(panics: bool) -> Result<(), interrupts::VectorError> {
    let registration = interrupts::register(VECTOR, fault_in_handler)?;
    HANDLER_PANICS.store(u32::from(panics), Ordering::Relaxed);
    // SAFETY: a software interrupt of a vector for devices is handled like one of a device.
    unsafe { asm!("int {}", const VECTOR) };
    drop(registration);
    Ok(())
}

fn fault_in_handler(_: &mut interrupts::TrapFrame) {
    if HANDLER_PANICS.load(Ordering::Relaxed) == 0 {
        undefined_instruction();
    } else {
        provoke_panic();
    }
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
