//! One future in the current task.

use core::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// Runs `future` in the current task, which sleeps while it waits. A safe point if it has to wait.
#[inline]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    // Before there are tasks only an interrupt handler can let it go on.
    let waker = task::current().map_or_else(|| Waker::noop().clone(), Waker::from);
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        task::block();
        task::safe_point();
        // Between two polls nothing of the future's is on the stack.
        task::stand_still();
    }
}
