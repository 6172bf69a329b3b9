//! What upper layers register here: the unwinder, and which text belongs to applications.
//!
//! Hooks are kept as plain function pointers: their targets are entry stubs, so a hook stays right
//! when the component behind it is replaced.

use crate::Failure;
use spin::Once;

/// Runs a function and returns how it failed when it was unwound.
pub type Catch = fn(&mut dyn FnMut()) -> Result<(), Failure>;

/// Unwinds the current task to its innermost catch.
pub type Unwind = fn(Failure) -> !;

/// Makes an interrupted task unwind from where it was when the interrupt returns; whether it can.
pub type UnwindInterrupted = fn(&mut interrupts::TrapFrame, Failure) -> bool;

/// Whether an address lies in the text of an application.
pub type IsApplicationText = fn(u64) -> bool;

#[derive(Clone, Copy)]
struct Unwinder {
    catch: Catch,
    unwind: Unwind,
    unwind_interrupted: UnwindInterrupted,
}

#[used]
static UNWINDER: Once<Unwinder> = Once::new();

#[used]
static APPLICATION_TEXT: Once<IsApplicationText> = Once::new();

/// Registers the unwinder. The first one stays.
pub fn register_unwinder(catch: Catch, unwind: Unwind, unwind_interrupted: UnwindInterrupted) {
    UNWINDER.call_once(|| Unwinder {
        catch,
        unwind,
        unwind_interrupted,
    });
}

/// Registers the predicate by which a task that loops in an application's own code may be ended from a
/// timer interrupt: such code holds no interrupt-safe lock, which would keep the interrupt away. Generic code of
/// components is compiled into applications, so the task may have been about to wake somebody.
pub fn register_application_text(predicate: IsApplicationText) {
    APPLICATION_TEXT.call_once(|| predicate);
}

/// Runs `body` and returns how it failed when it panicked, faulted or was killed.
///
/// Before there is an unwinder, a failure of `body` stops the system.
///
/// # Errors
///
/// The failure that unwound `body`.
pub fn catch(body: &mut dyn FnMut()) -> Result<(), Failure> {
    match UNWINDER.get() {
        Some(unwinder) => (unwinder.catch)(body),
        None => {
            body();
            Ok(())
        }
    }
}

/// Unwinds the current task to its innermost [`catch`], which returns `failure`.
pub fn unwind(failure: Failure) -> ! {
    match UNWINDER.get() {
        Some(unwinder) => (unwinder.unwind)(failure),
        #[expect(
            clippy::panic,
            reason = "the fault supervisor reports it and stops the system"
        )]
        None => panic!("{failure}, and there is no unwinder yet"),
    }
}

/// Makes the interrupted task unwind when the interrupt returns; whether it can.
pub(crate) fn unwind_interrupted(frame: &mut interrupts::TrapFrame, failure: Failure) -> bool {
    UNWINDER
        .get()
        .is_some_and(|unwinder| (unwinder.unwind_interrupted)(frame, failure))
}

/// Whether `address` lies in the text of an application.
#[must_use]
pub fn is_application_text(address: u64) -> bool {
    APPLICATION_TEXT
        .get()
        .is_some_and(|predicate| predicate(address))
}
