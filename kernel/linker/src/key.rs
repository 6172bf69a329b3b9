//! Keys: the names of functions, statics and constants as the linker sees them.

use core::{
    fmt,
    hash::{BuildHasherDefault, Hasher},
};
use hashbrown::HashMap;

/// The name of a symbol: the hash of its path, made by the image builder (see
/// [`format::metadata`](crate::format::metadata)). 0 names nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u64);

impl Key {
    /// The key of what nothing can name.
    pub const NONE: Self = Self(0);

    /// Whether the key names nothing.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:#018x})", self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A function of one shape: what an entry stub belongs to. Code that was compiled against another
/// shape of a function of this key must not be led here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionKey {
    /// The function's key.
    pub key: Key,
    /// The digest of its shape; 0 if the compiler left no type information.
    pub digest: u64,
}

/// A map whose keys are hashes, or small integers, already.
pub type KeyMap<K, V> = HashMap<K, V, BuildHasherDefault<KeyHasher>>;

/// One multiplication a word: enough for keys that are hashes, and ten times cheaper than SipHash.
/// Nobody hostile chooses the keys: they come from objects, which can do worse than collide.
#[derive(Clone, Copy, Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
