//! What every component declares about itself: its hooks.
//!
//! A component that must be started, or that has to do something when it is replaced, says so once
//! at its crate root with [`component!`]. The macro makes one public static with a fixed name; the
//! image builder finds it by that name and the loader checks its type's digest, so no `unsafe`
//! attribute and no exported C name is needed. A crate without the macro is a library: it is linked
//! when something imports from it and needs no start.
//!
//! What several components can do, one at a time, is an [`Interface`]: its owner registers it here, and
//! `swap` can then put another implementation in charge.
//!
//! Neighbours: `handover` below it; every other component above it. Left out: what a hook does.
#![no_std]
#![forbid(unsafe_code)]

mod application;
mod error;
mod interface;

pub use application::Application;
pub use error::StartError;
pub use handover::Handover;
pub use interface::{
    Implementation, Interface, SubstituteError, Substituted, interfaces, register_interface,
};

/// Starts a component, with what the nucleus has to say.
pub type StartHook = fn(&'static Handover) -> Result<(), StartError>;

/// The hooks of a component. All are optional.
#[derive(Clone, Copy, Debug)]
pub struct Hooks {
    /// Registers the component and takes its resources, once, at boot or when it is first loaded,
    /// in the order of the manifest. Not called when the component is upgraded.
    pub start: Option<StartHook>,
    /// Lets no call stay inside and makes the device quiet, before a swap that changes state.
    pub suspend: Option<fn()>,
    /// Undoes `suspend`, in the old or in the new version.
    pub resume: Option<fn()>,
    /// Gives back what `start` took, before the component is unloaded.
    pub stop: Option<fn() -> Result<(), StartError>>,
}

impl Hooks {
    /// No hook at all.
    pub const NONE: Self = Self {
        start: None,
        suspend: None,
        resume: None,
        stop: None,
    };
}

/// Declares the crate a component and names its hooks: `component! { start: start }`.
///
/// Goes at the crate root, once; a second one does not compile.
#[macro_export]
macro_rules! component {
    ($($hook:ident: $function:expr),* $(,)?) => {
        /// The hooks of this component.
        #[used]
        pub static COMPONENT: $crate::Hooks = $crate::Hooks {
            $($hook: Some($function),)*
            ..$crate::Hooks::NONE
        };
    };
}
