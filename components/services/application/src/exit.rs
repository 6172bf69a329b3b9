//! How an application says how it went.

use core::fmt;

/// The exit code of an application; 0 is success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitCode(pub u8);

impl ExitCode {
    /// It did what was asked.
    pub const SUCCESS: Self = Self(0);
    /// It could not do what was asked.
    pub const FAILURE: Self = Self(1);
    /// It was called with wrong options or operands.
    pub const USAGE: Self = Self(2);
    /// It panicked, or the CPU raised an exception in it.
    pub const FAULT: Self = Self(101);
    /// There is no such command.
    pub const NOT_FOUND: Self = Self(127);
    /// It was killed, for example with Ctrl-C.
    pub const KILLED: Self = Self(130);
    /// Nobody read its output any more.
    pub const CLOSED_OUTPUT: Self = Self(141);

    /// Whether it went well.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
