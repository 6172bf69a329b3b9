//! Links the nucleus: the one program of the system that is linked before it runs.

/// Name of the crate.
pub const NAME: &str = "nucleus";
