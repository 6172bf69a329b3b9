//! The registered policies, which one is in charge, and how another one takes over.
//!
//! A CPU says in its own share of the scheduler that it is inside the policy. Another policy takes over
//! while all other CPUs are parked and none of them is inside, so that no lock of a policy is held and
//! no task is on its way between a CPU and a queue: the tasks in the old policy's queues move to
//! the new one's, what it kept in tasks is cleared, and whoever makes a task runnable later finds the new
//! one. A CPU that is parked while it waits for a policy's lock lets the attempt be made again.

use crate::{Answer, Placed, Reason, RunQueue, Runnable, SchedulingPolicy, Task, info, per_cpu};
use alloc::{boxed::Box, string::String, vec::Vec};
use component::{Implementation, Interface, StartError, SubstituteError, Substituted};
use core::{
    fmt,
    sync::atomic::{AtomicPtr, AtomicU64, Ordering},
};
use cpu::{CpuId, IrqMutex, MAX_CPUS};

/// How many policies can be registered at once.
const MOST_POLICIES: usize = 16;

/// How long another CPU may take to park.
const PATIENCE_NS: u64 = 1_000_000_000;

/// How often a takeover is tried when a CPU parks inside the policy. Each try lets all CPUs go on.
const ATTEMPTS: u32 = 10_000;

/// A policy, and the component that it came with.
struct Registered {
    component: String,
    policy: &'static dyn SchedulingPolicy,
}

/// Whom a CPU asks. Never null; what it leads to is freed only when no CPU can be on its way to it.
#[used]
static IN_CHARGE: AtomicPtr<Registered> = AtomicPtr::new((&raw const BEFORE_ALL).cast_mut());

static BEFORE_ALL: Registered = Registered {
    component: String::new(),
    policy: &FirstCome,
};

/// All that are registered, in the order in which they came. Also held by whoever changes who is in
/// charge.
#[used]
static POLICIES: IrqMutex<[Option<&'static Registered>; MOST_POLICIES]> =
    IrqMutex::new([None; MOST_POLICIES]);

/// How often a policy has taken over from another one.
#[used]
static TAKEOVERS: AtomicU64 = AtomicU64::new(0);

/// Why a policy could not be registered, or taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// The component has registered a policy already.
    Registered {
        /// The component.
        component: String,
    },
    /// Too many are registered.
    TooMany,
    /// The policy is in charge.
    InCharge {
        /// Its component.
        component: String,
    },
    /// The component has registered no policy.
    Unknown {
        /// The component.
        component: String,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { component } => {
                write!(f, "{component} has registered a scheduling policy already")
            }
            Self::TooMany => write!(
                f,
                "{MOST_POLICIES} scheduling policies are registered already"
            ),
            Self::InCharge { component } => write!(
                f,
                "{component} is the scheduling policy in charge; let another one take over first"
            ),
            Self::Unknown { component } => {
                write!(f, "{component} has registered no scheduling policy")
            }
        }
    }
}

impl core::error::Error for PolicyError {}

/// A look at a registered policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInfo {
    /// The component that it came with.
    pub component: String,
    /// Its name.
    pub name: &'static str,
    /// Whether it is in charge.
    pub in_charge: bool,
}

/// Registers the policy of `component`. The first one is put in charge.
///
/// # Errors
///
/// When the component has one already, there are too many, or a CPU does not let it take over.
pub fn register_policy(
    component: &str,
    policy: &'static dyn SchedulingPolicy,
) -> Result<(), StartError> {
    let new = Box::leak(Box::new(Registered {
        component: String::from(component),
        policy,
    }));
    let registered = enter(new);
    if registered.is_err() {
        free(new);
    }
    registered?;
    if core::ptr::eq(IN_CHARGE.load(Ordering::Acquire), &raw const BEFORE_ALL) {
        take_over(&BEFORE_ALL, new)?;
    }
    Ok(())
}

/// Takes the policy of `component` out, before the component is unloaded.
///
/// # Errors
///
/// When it has none, or it is in charge.
pub fn unregister_policy(component: &str) -> Result<(), PolicyError> {
    let left = {
        let mut policies = POLICIES.lock();
        let ours = |place: &&mut Option<&'static Registered>| {
            place.is_some_and(|known| known.component == component)
        };
        let place = policies.iter_mut().find(ours);
        let in_charge = IN_CHARGE.load(Ordering::Acquire).cast_const();
        match place {
            Some(place) if !place.is_some_and(|it| core::ptr::eq(it, in_charge)) => place.take(),
            Some(_) => None,
            None => {
                drop(policies);
                return Err(PolicyError::Unknown {
                    component: String::from(component),
                });
            }
        }
    };
    // Not in the lock: this asks the heap.
    match left {
        Some(left) => {
            free(left);
            Ok(())
        }
        None => Err(PolicyError::InCharge {
            component: String::from(component),
        }),
    }
}

/// The registered policies, in the order in which they came.
#[must_use]
pub fn policies() -> Vec<PolicyInfo> {
    let mut found = Vec::with_capacity(MOST_POLICIES);
    let in_charge = IN_CHARGE.load(Ordering::Acquire).cast_const();
    for known in all() {
        found.push(PolicyInfo {
            component: known.component.clone(),
            name: known.policy.name(),
            in_charge: core::ptr::eq(known, in_charge),
        });
    }
    found
}

/// How often a policy has taken over from another one since boot.
#[must_use]
pub fn takeovers() -> u64 {
    TAKEOVERS.load(Ordering::Relaxed)
}

/// Registers the scheduling policy as an interface whose implementations can take each other's place.
pub(crate) fn register_interface() -> Result<(), StartError> {
    if component::register_interface(&SchedulingInterface) {
        Ok(())
    } else {
        Err(StartError::new("too many interfaces are registered"))
    }
}

/// Calls the policy in charge. Interrupts must be off.
#[inline]
pub(crate) fn call<R>(ask: impl FnOnce(&'static dyn SchedulingPolicy) -> R) -> R {
    cpu::enter_policy();
    let in_charge = IN_CHARGE.load(Ordering::Acquire);
    // SAFETY: the word leads to a registration, and one that lost its charge is freed by whoever takes
    // it out after all CPUs were parked outside. This CPU parks nowhere between the two lines above.
    let policy = unsafe { (*in_charge).policy };
    let answer = ask(policy);
    cpu::leave_policy();
    answer
}

fn enter(new: &'static Registered) -> Result<(), PolicyError> {
    let mut policies = POLICIES.lock();
    let mut known = policies.iter().flatten();
    let error = if known.any(|known| known.component == new.component) {
        Registered::twice
    } else if let Some(place) = policies.iter_mut().find(|place| place.is_none()) {
        *place = Some(new);
        return Ok(());
    } else {
        |_: &Registered| PolicyError::TooMany
    };
    drop(policies);
    Err(error(new))
}

impl Registered {
    fn twice(&self) -> PolicyError {
        PolicyError::Registered {
            component: self.component.clone(),
        }
    }
}

/// A copy of the list, so that the lock is not held for long.
fn all() -> impl Iterator<Item = &'static Registered> {
    let copy = *POLICIES.lock();
    copy.into_iter().flatten()
}

/// Frees a registration that is not in the list, or has never been.
fn free(registered: &'static Registered) {
    let raw = core::ptr::from_ref(registered).cast_mut();
    // SAFETY: `register_policy` leaked the box, the list does not lead to it any more, and it has not
    // been in charge since all CPUs were last parked outside the policy.
    drop(unsafe { Box::from_raw(raw) });
}

/// The scheduling policy as an interface.
struct SchedulingInterface;

impl Interface for SchedulingInterface {
    fn name(&self) -> &'static str {
        "scheduling policy"
    }

    fn visit(&self, visit: &mut dyn FnMut(Implementation<'_>)) {
        let in_charge = IN_CHARGE.load(Ordering::Acquire).cast_const();
        for known in all() {
            visit(Implementation {
                component: &known.component,
                name: known.policy.name(),
                in_charge: core::ptr::eq(known, in_charge),
            });
        }
    }

    fn substitute(&self, from: &str, to: &str) -> Result<Substituted, SubstituteError> {
        let find = |component: &str| all().find(|known| known.component == component);
        let new = find(to).ok_or(SubstituteError::NotRegistered)?;
        let old = find(from).ok_or(SubstituteError::NotInCharge)?;
        if core::ptr::eq(old, new) {
            return Err(SubstituteError::InCharge);
        }
        take_over(old, new)
    }
}

/// Puts `new` in charge in the place of `old`.
fn take_over(
    old: &'static Registered,
    new: &'static Registered,
) -> Result<Substituted, SubstituteError> {
    let limit = clock::ns_to_ticks(PATIENCE_NS);
    for _ in 0..ATTEMPTS {
        let policies = POLICIES.lock();
        if !core::ptr::eq(IN_CHARGE.load(Ordering::Acquire), old) {
            return Err(SubstituteError::NotInCharge);
        }
        let is_new = |known: &&'static Registered| core::ptr::eq(*known, new);
        if !policies.iter().flatten().any(is_new) {
            return Err(SubstituteError::NotRegistered);
        }
        let moved = cpu::rendezvous(limit, || {
            let before = cpu::timestamp();
            let moved = if per_cpu::any_inside_policy() {
                None
            } else {
                Some(move_all(old, new))
            };
            (moved, cpu::timestamp().saturating_sub(before))
        });
        drop(policies);
        match moved {
            Ok((Some(moved), stopped_ticks)) => {
                TAKEOVERS.fetch_add(1, Ordering::Relaxed);
                // Those that idle have not heard of what was put in their queues.
                per_cpu::idle_cpus().iter().for_each(cpu::reschedule);
                return Ok(Substituted {
                    what: "tasks",
                    moved,
                    stopped_ticks,
                });
            }
            Ok((None, _)) => core::hint::spin_loop(),
            Err(error) => return Err(SubstituteError::NotParked { cpu: error.cpu.0 }),
        }
    }
    Err(SubstituteError::Busy)
}

/// Moves all that waits; how many there were. All other CPUs are parked outside the policy.
fn move_all(old: &Registered, new: &'static Registered) -> u64 {
    let mut waiting = [const { RunQueue::new() }; MAX_CPUS];
    for (cpu, queue) in (0..).map(CpuId).zip(&mut waiting) {
        while let Some(task) = old.policy.give_up(cpu) {
            queue.push_back(task);
        }
    }
    info::clear_policy_words();
    IN_CHARGE.store(core::ptr::from_ref(new).cast_mut(), Ordering::Release);
    let mut moved = 0;
    for (cpu, queue) in (0..).map(CpuId).zip(&mut waiting) {
        while let Some(task) = queue.pop_front() {
            new.policy.enqueue(cpu, task, Reason::Moved);
            moved += 1;
        }
    }
    moved
}

/// The policy before there is one: whoever comes first runs first.
struct FirstCome;

/// Tasks that became runnable before a policy was registered.
#[used]
static UNCLAIMED: IrqMutex<RunQueue> = IrqMutex::new(RunQueue::new());

impl SchedulingPolicy for FirstCome {
    fn name(&self) -> &'static str {
        "first come, first served"
    }

    fn enqueue(&self, cpu: CpuId, task: Runnable, _: Reason) -> Placed {
        UNCLAIMED.lock().push_back(task);
        Placed {
            cpu,
            preempts: false,
        }
    }

    fn exchange(&self, _: CpuId, running: Runnable, _: Reason) -> Option<Runnable> {
        let mut queue = UNCLAIMED.lock();
        queue.push_back(running);
        queue.pop_front()
    }

    fn pick(&self, _: CpuId, _: Option<&Task>) -> Option<Runnable> {
        UNCLAIMED.lock().pop_front()
    }

    fn tick(&self, _: CpuId, _: &Task, _: u64) -> Answer {
        Answer::Continue
    }

    fn give_up(&self, _: CpuId) -> Option<Runnable> {
        UNCLAIMED.lock().pop_front()
    }

    fn forget_all(&self) {
        core::mem::forget(core::mem::take(&mut *UNCLAIMED.lock()));
    }
}
