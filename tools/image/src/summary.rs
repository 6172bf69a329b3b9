//! What the later steps need to know of a processed object; kept beside it in the cache.

use crate::{error::Violation, identity::Ids};
use serde::{Deserialize, Serialize};

/// What is known of a processed object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Name of its crate.
    pub crate_name: String,
    /// Version of its crate.
    pub version: String,
    /// Flags of its metadata.
    pub flags: u32,
    /// Its ids.
    pub ids: Hex,
    /// What it takes in memory.
    pub sizes: Sizes,
    /// What other objects can be bound to.
    pub exports: Vec<Export>,
    /// What other objects have to define.
    pub imports: Vec<Import>,
    /// Keys of functions that it has a shim for because they want to know their caller.
    pub reified: Vec<u64>,
    /// Rules that it breaks.
    pub violations: Vec<Violation>,
}

/// The ids of an object, as hexadecimal text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hex {
    /// The exact id.
    pub exact: String,
    /// The content id.
    pub content: String,
}

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Sizes {
    /// Text.
    pub text: u64,
    /// Constants, unwind tables, landing pads.
    pub rodata: u64,
    /// Mutable statics.
    pub data: u64,
}

/// A symbol that others can be bound to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Export {
    /// Its key.
    pub key: u64,
    /// Its name in the object.
    pub symbol: String,
    /// Its index in the object's symbol table.
    pub index: u32,
    /// Whether it gives way to another definition.
    pub weak: bool,
    /// Digest of its shape; 0 if the compiler left no type information.
    pub digest: u64,
}

/// A symbol that others have to define.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Import {
    /// Its key.
    pub key: u64,
    /// Its name in the object.
    pub symbol: String,
    /// Whether it may stay undefined.
    pub weak: bool,
}

impl From<Ids> for Hex {
    fn from(ids: Ids) -> Self {
        Self {
            exact: format!("{:032x}", ids.exact),
            content: format!("{:032x}", ids.content),
        }
    }
}

impl Hex {
    /// The ids as numbers; 0 for what is not hexadecimal, which no hash is by chance.
    pub fn ids(&self) -> Ids {
        let number = |text: &str| u128::from_str_radix(text, 16).unwrap_or(0);
        Ids {
            exact: number(&self.exact),
            content: number(&self.content),
        }
    }
}
