//! Relocations as data: what a raw type means, and the one place that writes the result.

use core::fmt;
use goblin::elf64::reloc::{
    R_X86_64_32, R_X86_64_32S, R_X86_64_64, R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_NONE,
    R_X86_64_PC32, R_X86_64_PC64, R_X86_64_PLT32, R_X86_64_REX_GOTPCRELX,
};

/// How the value is computed (S symbol, A addend, P place, G address of the symbol's GOT word).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is written.
    None,
    /// S + A.
    Absolute,
    /// S + A − P.
    Relative,
    /// S + A − P, in a call or jump.
    Branch,
    /// G + A − P, or S + A − P after the instruction has been relaxed.
    Got,
}

/// Which values fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Any 64-bit value.
    Any,
    /// Values that 32 bits hold with a sign.
    Signed32,
    /// Values that 32 bits hold without a sign.
    Unsigned32,
}

/// What a relocation type means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// How the value is computed.
    pub kind: Kind,
    /// Bytes written.
    pub size: usize,
    /// Which values fit.
    pub range: Range,
    /// Alignment that the value must have.
    pub alignment: u64,
}

/// What the raw type `raw` means; `None` when this linker does not know it.
///
/// System V ABI, AMD64 supplement 1.0, table 4.9. The types for threads, copies and indirect
/// functions have no meaning here, and an object that has one is refused.
#[must_use]
pub const fn meaning(raw: u32) -> Option<Meaning> {
    use Range::{Any, Signed32, Unsigned32};
    let (kind, size, range) = match raw {
        R_X86_64_NONE => (Kind::None, 0, Any),
        R_X86_64_64 => (Kind::Absolute, 8, Any),
        R_X86_64_32 => (Kind::Absolute, 4, Unsigned32),
        R_X86_64_32S => (Kind::Absolute, 4, Signed32),
        R_X86_64_PC32 => (Kind::Relative, 4, Signed32),
        R_X86_64_PC64 => (Kind::Relative, 8, Any),
        R_X86_64_PLT32 => (Kind::Branch, 4, Signed32),
        R_X86_64_GOTPCREL | R_X86_64_GOTPCRELX | R_X86_64_REX_GOTPCRELX => (Kind::Got, 4, Signed32),
        _ => return None,
    };
    Some(Meaning {
        kind,
        size,
        range,
        alignment: 1,
    })
}

/// A value that does not fit where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// The value is outside the range.
    Overflow {
        /// The value.
        value: u64,
        /// What would fit.
        range: Range,
    },
    /// The value lacks the alignment.
    Misaligned {
        /// The value.
        value: u64,
        /// What it should be a multiple of.
        alignment: u64,
    },
    /// The place lies outside the image.
    Outside {
        /// Offset of the place.
        offset: u64,
        /// Length of the image.
        length: usize,
    },
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow {
                value,
                range: Range::Unsigned32,
            } => {
                write!(f, "value {value:#x} does not fit in 32 bits without a sign")
            }
            Self::Overflow { value, .. } => write!(f, "value {value:#x} does not fit in 32 bits"),
            Self::Misaligned { value, alignment } => {
                write!(f, "value {value:#x} is not a multiple of {alignment}")
            }
            Self::Outside { offset, length } => {
                write!(
                    f,
                    "place {offset:#x} lies outside the image of {length:#x} bytes"
                )
            }
        }
    }
}

impl core::error::Error for ApplyError {}

/// Writes `value` at `offset` of `image`, as `meaning` says.
///
/// # Errors
///
/// When the value is out of range or misaligned, or the place lies outside the image.
pub fn apply(
    image: &mut [u8],
    offset: u64,
    meaning: Meaning,
    value: u64,
) -> Result<(), ApplyError> {
    let fits = match meaning.range {
        Range::Any => true,
        Range::Signed32 => i32::try_from(value.cast_signed()).is_ok(),
        Range::Unsigned32 => u32::try_from(value).is_ok(),
    };
    if !fits {
        return Err(ApplyError::Overflow {
            value,
            range: meaning.range,
        });
    }
    if !value.is_multiple_of(meaning.alignment) {
        return Err(ApplyError::Misaligned {
            value,
            alignment: meaning.alignment,
        });
    }
    let length = image.len();
    let place = usize::try_from(offset)
        .ok()
        .and_then(|start| image.get_mut(start..start.checked_add(meaning.size)?))
        .ok_or(ApplyError::Outside { offset, length })?;
    let bytes = value.to_le_bytes();
    if let Ok(whole) = <&mut [u8; 8]>::try_from(&mut *place) {
        *whole = bytes;
    } else if let Ok(half) = <&mut [u8; 4]>::try_from(place) {
        half.copy_from_slice(&bytes[..4]);
    }
    Ok(())
}

/// A GOT load or branch that can do without its GOT word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relaxation {
    /// `mov sym@GOTPCREL(%rip), %r` becomes `lea sym(%rip), %r` (8B → 8D, same ModRM).
    Load,
    /// `call *sym@GOTPCREL(%rip)` becomes `addr32 call sym` (FF 15 → 67 E8).
    Call,
    /// `jmp *sym@GOTPCREL(%rip)` becomes `nop; jmp sym` (FF 25 → 90 E9).
    Jump,
}

/// How the instruction around the GOT relocation at `offset` of `text` can be relaxed, if it can.
///
/// The plain GOTPCREL type does not promise an instruction that can be rewritten, so the opcode is
/// looked at; an addend other than −4 means that the load does not end the instruction or does not
/// begin at the word. Without REX.W the load is of 32 bits and must stay one.
#[must_use]
pub fn relaxation(text: &[u8], offset: usize, addend: i64) -> Option<Relaxation> {
    if addend != -4 {
        return None;
    }
    let before = text.get(offset.checked_sub(2)?..offset)?;
    match *before {
        [0xFF, 0x15] => Some(Relaxation::Call),
        [0xFF, 0x25] => Some(Relaxation::Jump),
        [0x8B, modrm] if modrm & 0xC7 == 0x05 => {
            let rex = *text.get(offset.checked_sub(3)?)?;
            (rex & 0xF8 == 0x48).then_some(Relaxation::Load)
        }
        _ => None,
    }
}

/// Rewrites the instruction in front of the place at `offset` of `text`.
///
/// [`relaxation`] must have given `relaxation` for this place; else nothing sensible is written.
pub fn relax(text: &mut [u8], offset: usize, relaxation: Relaxation) {
    let Some(opcode) = offset
        .checked_sub(2)
        .and_then(|start| text.get_mut(start..offset))
    else {
        return;
    };
    if let [first, second] = opcode {
        match relaxation {
            Relaxation::Load => *first = 0x8D,
            Relaxation::Call => (*first, *second) = (0x67, 0xE8),
            Relaxation::Jump => (*first, *second) = (0x90, 0xE9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let signed = meaning(R_X86_64_PC32).unwrap();
        let unsigned = meaning(R_X86_64_32).unwrap();
        let mut image = [0; 8];
        assert!(apply(&mut image, 0, signed, 0x7FFF_FFFF).is_ok());
        assert!(apply(&mut image, 0, signed, u64::MAX).is_ok());
        let overflow = |value, range| Err(ApplyError::Overflow { value, range });
        let result = apply(&mut image, 0, signed, 0x8000_0000);
        assert_eq!(result, overflow(0x8000_0000, Range::Signed32));
        assert!(apply(&mut image, 0, unsigned, 0xFFFF_FFFF).is_ok());
        let result = apply(&mut image, 0, unsigned, u64::MAX);
        assert_eq!(result, overflow(u64::MAX, Range::Unsigned32));
    }

    #[test]
    fn a_place_outside_is_refused() {
        let word = meaning(R_X86_64_64).unwrap();
        let mut image = [0; 8];
        assert!(apply(&mut image, 0, word, u64::MAX).is_ok());
        for offset in [1, 8, u64::MAX] {
            let result = apply(&mut image, offset, word, 0);
            assert_eq!(result, Err(ApplyError::Outside { offset, length: 8 }));
        }
    }

    #[test]
    fn unknown_types_have_no_meaning() {
        let known = (0..=u32::from(u16::MAX))
            .filter(|raw| meaning(*raw).is_some())
            .count();
        assert_eq!(known, 10);
        assert!(meaning(u32::MAX).is_none());
    }

    #[test]
    fn loads_calls_and_jumps_are_relaxed() {
        // mov rax, [rip + x]; call [rip + x]; jmp [rip + x]
        let cases: [(&[u8], &[u8]); 3] = [
            (&[0x48, 0x8B, 0x05], &[0x48, 0x8D, 0x05]),
            (&[0xCC, 0xFF, 0x15], &[0xCC, 0x67, 0xE8]),
            (&[0xCC, 0xFF, 0x25], &[0xCC, 0x90, 0xE9]),
        ];
        for (before, after) in cases {
            let mut text = before.to_vec();
            text.extend([0; 4]);
            let found = relaxation(&text, 3, -4).unwrap();
            relax(&mut text, 3, found);
            assert_eq!(text[..3], *after);
        }
    }

    #[test]
    fn what_may_be_something_else_is_left_alone() {
        // cmp rax, [rip + x]; mov eax, [rip + x]; mov rax, [rbx + x]; no room for a prefix
        for before in [[0x48, 0x3B, 0x05], [0x44, 0x8B, 0x05], [0x48, 0x8B, 0x83]] {
            let mut text = before.to_vec();
            text.extend([0; 4]);
            assert_eq!(relaxation(&text, 3, -4), None);
        }
        assert_eq!(relaxation(&[0x8B, 0x05, 0, 0, 0, 0], 2, -4), None);
        assert_eq!(relaxation(&[0x48, 0x8B, 0x05, 0, 0, 0, 0], 3, -8), None);
        assert_eq!(relaxation(&[], 0, -4), None);
        assert_eq!(relaxation(&[0x48], usize::MAX, -4), None);
    }
}
