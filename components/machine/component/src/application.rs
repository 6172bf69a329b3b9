//! What an application declares about itself: its entry.

/// The entry of an application, found by its symbol like [`crate::Hooks`].
///
/// It lies down here so that the loader can check its type's digest and hand out the entry without
/// knowing the crate `application`, which is built on the loader.
#[derive(Clone, Copy, Debug)]
pub struct Application {
    /// Runs one instance. Takes the words of the command, the command's own name first; returns the
    /// exit code. The entry must not be called when the instance that it belongs to is gone.
    pub main: fn(words: &[&str]) -> u8,
}
