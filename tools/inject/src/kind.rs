//! The kinds of faults.

use crate::profile::Class;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// A called function panics.
    Panic,
    /// A pointer is null when it is used.
    Null,
    /// A pointer is any number when it is used.
    Wild,
    /// A called function divides by zero.
    Divide,
    /// An allocation fails.
    Allocation,
    /// A called function recurses without end.
    Overflow,
    /// A called function does not come back.
    Loop,
    /// A lock is never released.
    Lock,
    /// A bit of an instruction flips.
    FlipText,
    /// A bit flips in a word of data before it is used.
    FlipData,
    /// A bit flips in the used part of the stack.
    FlipStack,
    /// A bit of a register flips.
    FlipRegister,
    /// A word of text becomes any number.
    WordText,
    /// A word of data becomes any number before it is used.
    WordData,
    /// A word in the used part of the stack becomes any number.
    WordStack,
    /// A register becomes any number.
    WordRegister,
    /// An instruction is not executed.
    Skip,
}

impl Kind {
    /// What programmers do wrong.
    pub(crate) const SOFTWARE: &[Self] = &[
        Self::Panic,
        Self::Null,
        Self::Wild,
        Self::Divide,
        Self::Allocation,
        Self::Overflow,
        Self::Loop,
        Self::Lock,
    ];

    /// What failing hardware does.
    pub(crate) const HARDWARE: &[Self] = &[
        Self::FlipText,
        Self::FlipData,
        Self::FlipStack,
        Self::FlipRegister,
        Self::WordText,
        Self::WordData,
        Self::WordStack,
        Self::WordRegister,
        Self::Skip,
    ];

    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Null => "null",
            Self::Wild => "wild",
            Self::Divide => "divide",
            Self::Allocation => "allocation",
            Self::Overflow => "overflow",
            Self::Loop => "loop",
            Self::Lock => "lock",
            Self::FlipText => "flip-text",
            Self::FlipData => "flip-data",
            Self::FlipStack => "flip-stack",
            Self::FlipRegister => "flip-register",
            Self::WordText => "word-text",
            Self::WordData => "word-data",
            Self::WordStack => "word-stack",
            Self::WordRegister => "word-register",
            Self::Skip => "skip",
        }
    }

    /// Where it can hit.
    pub(crate) const fn class(self) -> Class {
        match self {
            Self::Panic | Self::Divide | Self::Overflow | Self::Loop => Class::Call,
            Self::Null | Self::Wild => Class::Pointer,
            Self::Allocation => Class::Allocation,
            Self::Lock => Class::Lock,
            Self::FlipData | Self::WordData => Class::Data,
            Self::FlipText
            | Self::FlipStack
            | Self::FlipRegister
            | Self::WordText
            | Self::WordStack
            | Self::WordRegister
            | Self::Skip => Class::Any,
        }
    }
}
