//! Interfaces with several implementations, one of which is in charge.
//!
//! The crate that owns such an interface (a scheduling policy, the driver of a device) registers it
//! here, so that whoever replaces components can put another implementation in charge without
//! knowing what the interface is for. Moving the state across is the owner's work.

use core::fmt;

use spin::Once;

/// Most interfaces that can be registered.
const MOST: usize = 16;

#[used]
static INTERFACES: [Once<&'static dyn Interface>; MOST] = [const { Once::new() }; MOST];

/// An interface of which one implementation at a time is in charge.
pub trait Interface: Send + Sync {
    /// What an implementation is, in words: "scheduling policy".
    fn name(&self) -> &'static str;

    /// Calls `visit` with each registered implementation.
    fn visit(&self, visit: &mut dyn FnMut(Implementation<'_>));

    /// Puts the implementation of component `to` in charge in the place of that of component `from`
    /// and carries the state over: whole, or not at all.
    ///
    /// # Errors
    ///
    /// When `from` is not in charge, `to` is not registered, or the state cannot be moved now.
    fn substitute(&self, from: &str, to: &str) -> Result<Substituted, SubstituteError>;
}

/// A registered implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Implementation<'a> {
    /// The component that it belongs to.
    pub component: &'a str,
    /// What it calls itself.
    pub name: &'a str,
    /// Whether it is in charge.
    pub in_charge: bool,
}

/// What a substitution did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Substituted {
    /// What was carried over, in words: "tasks".
    pub what: &'static str,
    /// How many of them.
    pub moved: u64,
    /// Ticks of the time-stamp counter in which nothing else ran.
    pub stopped_ticks: u64,
}

/// Why a substitution was not made. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubstituteError {
    /// The component to be replaced is not in charge.
    NotInCharge,
    /// The component that is to take over has registered no implementation.
    NotRegistered,
    /// It is in charge already.
    InCharge,
    /// A CPU did not stand still in time.
    NotParked {
        /// Its number.
        cpu: u32,
    },
    /// The implementation was in use at every attempt.
    Busy,
}

impl fmt::Display for SubstituteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInCharge => f.write_str("is not in charge"),
            Self::NotRegistered => f.write_str("is not registered"),
            Self::InCharge => f.write_str("is in charge already"),
            Self::NotParked { cpu } => write!(f, "cpu{cpu} did not park in time"),
            Self::Busy => f.write_str("a CPU was inside the implementation at every attempt"),
        }
    }
}

impl core::error::Error for SubstituteError {}

/// Registers an interface; whether there was room for it. Registering it again changes nothing.
pub fn register_interface(interface: &'static dyn Interface) -> bool {
    let name = interface.name();
    INTERFACES
        .iter()
        .any(|place| place.call_once(|| interface).name() == name)
}

/// All registered interfaces.
pub fn interfaces() -> impl Iterator<Item = &'static dyn Interface> {
    INTERFACES.iter().filter_map(|place| place.get().copied())
}
