//! The order of this crate's locks; those of `swap` are above.

use task::LockRank;

/// The published table of places.
pub(crate) const REGISTRY: LockRank = LockRank::new(10);
/// The pages of the stub area.
pub(crate) const STUBS: LockRank = LockRank::new(20);
/// The live namespace.
pub(crate) const LIVE: LockRank = LockRank::new(30);
