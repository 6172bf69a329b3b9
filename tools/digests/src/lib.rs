//! Shapes of types, functions, statics and vtables, read from an object's DWARF.
pub mod names;
pub use names::{display_name, key, key_name};
