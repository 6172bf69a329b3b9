//! Values of which each task has its own.
//!
//! A task keeps its values in a list that only it walks, so there is no lock; it drops them itself when
//! its body has ended, also by unwinding. A key is a number that is given to the static at its first use,
//! and not the static's address: a static keeps its contents when the component is replaced, so tasks
//! keep their values, too.

use alloc::boxed::Box;
use core::{
    any::Any,
    marker::PhantomData,
    ptr,
    sync::atomic::{AtomicPtr, AtomicU32, Ordering},
};

use crate::{Failure, catch, with_current};

/// The next key.
#[used]
static NEXT: AtomicU32 = AtomicU32::new(1);

/// How often the values are looked through at a task's end, since dropping one may make others. What is
/// left then is dropped by whoever frees the task.
const ROUNDS: u32 = 4;

/// A static of which each task has a value of its own, made when the task first asks for it. Statics of this
/// type carry `#[used]`, as all that change.
pub struct TaskLocal<T: 'static> {
    /// 0 until it is first used.
    key: AtomicU32,
    make: fn() -> T,
    value: PhantomData<T>,
}

// SAFETY: the key is atomic, and values are only reached by the task that they belong to.
unsafe impl<T: Send> Sync for TaskLocal<T> {}

/// The values of a task: the first of a list.
#[derive(Default)]
pub(crate) struct Locals(AtomicPtr<Node>);

struct Node {
    key: u32,
    next: *mut Self,
    value: Box<dyn Any + Send>,
}

impl<T: Send + 'static> TaskLocal<T> {
    /// A static whose values are made by `make`.
    #[must_use]
    pub const fn new(make: fn() -> T) -> Self {
        Self {
            key: AtomicU32::new(0),
            make,
            value: PhantomData,
        }
    }

    /// Runs `operation` on the value of the task that calls this, which is made if it has none; `None`
    /// where there is no task, as in early boot. Not for interrupt handlers, which run in any task.
    pub fn with<R>(&self, operation: impl FnOnce(&T) -> R) -> Option<R> {
        let key = self.key();
        with_current(|task| {
            let value = match task.locals.find(key) {
                Some(value) => value,
                None => task.locals.add(key, Box::new((self.make)())),
            };
            // SAFETY: only this task reaches its list, and it drops a value at its end, when no operation
            // runs any more.
            let value = unsafe { &*value };
            value.downcast_ref().map(operation)
        })
        .flatten()
    }

    fn key(&self) -> u32 {
        let key = self.key.load(Ordering::Relaxed);
        if key != 0 {
            return key;
        }
        let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
        let set = self
            .key
            .compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed);
        set.map_or_else(|earlier| earlier, |_| fresh)
    }
}

impl Locals {
    fn find(&self, key: u32) -> Option<*const (dyn Any + Send)> {
        let mut at = self.0.load(Ordering::Relaxed);
        // SAFETY: the list is made of boxes that stay until the task's end, and the task is here.
        while let Some(node) = unsafe { at.as_ref() } {
            if node.key == key {
                return Some(ptr::from_ref(&*node.value));
            }
            at = node.next;
        }
        None
    }

    fn add(&self, key: u32, value: Box<dyn Any + Send>) -> *const (dyn Any + Send) {
        let place = ptr::from_ref(&*value);
        let next = self.0.load(Ordering::Relaxed);
        let node = Box::new(Node { key, next, value });
        self.0.store(Box::into_raw(node), Ordering::Relaxed);
        place
    }

    /// Takes the first one out.
    fn take(&self) -> Option<Box<Node>> {
        let first = self.0.load(Ordering::Relaxed);
        if first.is_null() {
            return None;
        }
        // SAFETY: the pointer came from a box, and is not in the list any more after this.
        let node = unsafe { Box::from_raw(first) };
        self.0.store(node.next, Ordering::Relaxed);
        Some(node)
    }

    /// Whether there is no value.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// Drops all values, the last made first. For the task itself.
    ///
    /// # Errors
    ///
    /// How the first of the drops that failed did; the others are dropped all the same.
    pub(crate) fn drop_all(&self) -> Result<(), Failure> {
        let mut result = Ok(());
        for _ in 0..ROUNDS {
            let rest = Self(AtomicPtr::new(
                self.0.swap(ptr::null_mut(), Ordering::Relaxed),
            ));
            while let Some(node) = rest.take() {
                let mut node = Some(node);
                result = result.and(catch(&mut || drop(node.take())));
            }
            if self.is_empty() {
                break;
            }
        }
        result
    }
}

impl Drop for Locals {
    fn drop(&mut self) {
        while let Some(node) = self.take() {
            drop(node);
        }
    }
}
