extern crate alloc;
use alloc::boxed::Box;
use alloc::string::String;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

pub struct Inner {
    first: u32,
    second: u32,
    hidden: u64,
}

pub struct Link {
    next: *const Link,
    inner: Inner,
}

pub enum Choice {
    Empty,
    Full(Inner),
    Named { link: Box<Link> },
}

pub trait Speak {
    fn hello(&self) -> u32;
    fn goodbye(&self) -> u32;
}

impl Speak for Inner {
    fn hello(&self) -> u32 {
        self.first
    }
    fn goodbye(&self) -> u32 {
        self.second
    }
}

impl Inner {
    pub fn new(seed: u32) -> Self {
        Self { first: seed, second: seed + 1, hidden: 3 }
    }
}

#[used]
static COUNTER: AtomicU32 = AtomicU32::new(5);
#[used]
static CALLBACK: Callback = Callback { function: UnsafeCell::new(on_event) };
#[used]
static OTHER: AtomicU64 = AtomicU64::new(0);

pub struct Callback {
    function: UnsafeCell<fn(u32) -> u32>,
}

unsafe impl Sync for Callback {}

#[inline(never)]
fn on_event(value: u32) -> u32 {
    COUNTER.fetch_add(value, Ordering::Relaxed)
}

pub fn speaker(seed: u32) -> Box<dyn Speak> {
    Box::new(Inner::new(seed))
}

#[inline(never)]
pub fn weigh(link: &Link, factor: u32) -> u32 {
    link.inner.first * factor + (unsafe { *CALLBACK.function.get() })(1)
}

#[inline(never)]
pub fn choose(full: bool) -> Choice {
    if full { Choice::Full(Inner::new(1)) } else { Choice::Empty }
}

#[inline(never)]
pub fn apply(function: &dyn Fn(u32) -> u32) -> u32 {
    function(3)
}

pub fn with_closure(base: u32) -> u32 {
    apply(&|value| value + base)
}

pub fn message(value: u32) -> String {
    alloc::format!("value {value}")
}

#[inline(never)]
fn unused_helper(value: u32) -> u32 {
    value * 7 + 1
}

pub fn uses_helper(value: u32) -> u32 {
    unused_helper(value)
}

impl Link {
    #[inline(never)]
    pub fn local(&self) -> Box<dyn Speak> {
        struct Local(u32);
        impl Speak for Local {
            fn hello(&self) -> u32 {
                self.0
            }
            fn goodbye(&self) -> u32 {
                self.0
            }
        }
        Box::new(Local(self.inner.first))
    }
}
