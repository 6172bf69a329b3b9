//! Learning how a future ended.

use async_task::FallibleTask;
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// The right to learn what a future came to: awaiting it does. Dropping it lets the future run on.
#[must_use = "dropping it lets the future run on unobserved"]
pub struct Handle<T> {
    task: Option<FallibleTask<T>>,
}

/// A future ended without a value: it failed, or its executor did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the future ended without a value")
    }
}

impl core::error::Error for Ended {}

impl<T> Handle<T> {
    pub(crate) const fn new(task: FallibleTask<T>) -> Self {
        Self { task: Some(task) }
    }

    /// Drops the future where it waits; the value, if it has come to one.
    pub async fn cancel(mut self) -> Option<T> {
        match self.task.take() {
            Some(task) => task.cancel().await,
            None => None,
        }
    }

    /// Whether the future has come to an end.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(FallibleTask::is_finished)
    }
}

impl<T> Future for Handle<T> {
    type Output = Result<T, Ended>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.task else {
            return Poll::Ready(Err(Ended));
        };
        Pin::new(task).poll(context).map(|value| value.ok_or(Ended))
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.detach();
        }
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("is_finished", &self.is_finished())
            .finish()
    }
}
