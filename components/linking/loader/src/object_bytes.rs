//! Where an object's bytes come from.

use alloc::sync::Arc;
use core::{fmt, ops::Deref};

/// The bytes of an object: part of the archive, or received from outside.
///
/// They are kept as long as the component's text, since they hold its symbols and its unwind index.
#[derive(Clone)]
pub enum ObjectBytes {
    /// In the archive, which stays mapped for ever.
    Archive {
        /// Index of the member.
        member: u32,
        /// Its bytes.
        bytes: &'static [u8],
    },
    /// From outside.
    Received(Arc<[u8]>),
}

impl ObjectBytes {
    /// The archive's member, if the bytes are part of the archive.
    #[must_use]
    pub const fn member(&self) -> Option<u32> {
        match self {
            Self::Archive { member, .. } => Some(*member),
            Self::Received(_) => None,
        }
    }
}

impl Deref for ObjectBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Archive { bytes, .. } => bytes,
            Self::Received(bytes) => bytes,
        }
    }
}

impl fmt::Debug for ObjectBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of member {:?}", self.len(), self.member())
    }
}
