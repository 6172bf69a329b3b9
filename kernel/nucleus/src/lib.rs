//! The nucleus: the boot program. It brings the machine into 64-bit mode, links all components that
//! the boot needs, hands over, and goes away.
//!
//! Principles: it exports no symbol to the components and keeps nothing that they need; whatever it
//! knows stands in the [`handover::Handover`] record. All that it takes for itself (its image, its
//! heap, its stack) is named there with [`handover::Purpose::Nucleus`] and is overwritten and freed by
//! the components. Input from outside (boot loader structures, archive, objects) is checked before it
//! is used; what is wrong ends the boot with a message that names it and a status other than 0.
//!
//! The module `bring_up` is the boot on one page; start reading there.
//!
//! Neighbours: `linker` does the linking, `handover` is the contract with the components, `memops` the
//! memory functions. Left out: interrupts, devices, other CPUs, anything a component can do later.
#![cfg_attr(not(test), no_std)]

extern crate alloc;
extern crate memops as _; // for its symbols

pub mod boot;
pub mod frame_pool;
pub mod memory_map;

/// Modules that touch the machine or need the nucleus's own link; host tests leave them out.
macro_rules! machine {
    ($($module:ident)*) => {$(
        #[cfg(not(test))]
        mod $module;
    )*};
}

machine! {
    address_space bring_up entry error exceptions exit features leave link memory port record runtime say serial vga
}
