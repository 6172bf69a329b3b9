//! Landing-pad tables (`.gcc_except_table`), read without trust.
//!
//! The format is that of GCC's C++ runtime, which the Itanium C++ ABI's exception handling document
//! describes in "Language Specific Data Area". Of it Rust code needs the call sites and, of the
//! actions, only whether a pad is a *cleanup*: the other kinds end the program (a panic that leaves a
//! drop or an `extern "C"` function) and are never entered here, so the unwinding goes on past them.

use core::fmt;

/// Encoding byte: the value is absent.
const OMITTED: u8 = 0xFF;

/// Why a table could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LsdaError {
    /// The table ends inside a value.
    Truncated,
    /// A value has an encoding that no compiler uses here.
    Encoding(u8),
}

impl fmt::Display for LsdaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("landing-pad table ends inside a value"),
            Self::Encoding(encoding) => {
                write!(
                    f,
                    "landing-pad table uses the unknown encoding {encoding:#04x}"
                )
            }
        }
    }
}

impl core::error::Error for LsdaError {}

/// The landing pad for an exception at `offset` in a function, as an offset in that function;
/// `None` when nothing is to be cleaned up there.
///
/// `table` begins with the function's table and may go on behind it.
pub(crate) fn cleanup_pad(table: &[u8], offset: u64) -> Result<Option<u64>, LsdaError> {
    let mut reader = Reader { rest: table };
    let pad_base_encoding = reader.byte()?;
    if pad_base_encoding != OMITTED {
        // LLVM always leaves it out: pads count from the function's start.
        return Err(LsdaError::Encoding(pad_base_encoding));
    }
    if reader.byte()? != OMITTED {
        reader.unsigned()?; // Where the type table is; it holds nothing of ours.
    }
    let encoding = reader.byte()?;
    let length = usize::try_from(reader.unsigned()?).map_err(|_| LsdaError::Truncated)?;
    let (sites, actions) = reader
        .rest
        .split_at_checked(length)
        .ok_or(LsdaError::Truncated)?;
    let mut sites = Reader { rest: sites };
    while !sites.rest.is_empty() {
        let start = sites.encoded(encoding)?;
        let length = sites.encoded(encoding)?;
        let pad = sites.encoded(encoding)?;
        let action = sites.unsigned()?;
        // Sorted by start (the ABI demands it): what lies before the next one is in none.
        if offset < start {
            return Ok(None);
        }
        if offset - start < length {
            return Ok(if pad != 0 && is_cleanup(actions, action)? {
                Some(pad)
            } else {
                None
            });
        }
    }
    Ok(None)
}

/// Whether the chain of actions that begins at `action` (1 more than an offset; 0 for none) lets
/// the pad clean up.
fn is_cleanup(actions: &[u8], action: u64) -> Result<bool, LsdaError> {
    let Some(first) = action.checked_sub(1) else {
        return Ok(true);
    };
    let mut position = i64::try_from(first).map_err(|_| LsdaError::Truncated)?;
    // A chain has a link for each clause of a pad; a longer one goes in a circle.
    for _ in 0..64 {
        let at = usize::try_from(position).map_err(|_| LsdaError::Truncated)?;
        let mut reader = Reader {
            rest: actions.get(at..).ok_or(LsdaError::Truncated)?,
        };
        let before = reader.rest.len();
        let filter = reader.signed()?;
        if filter == 0 {
            return Ok(true);
        }
        // The next one is given relative to this field.
        let field = position + i64::try_from(before - reader.rest.len()).unwrap_or(0);
        let next = reader.signed()?;
        if next == 0 {
            return Ok(false);
        }
        position = field.checked_add(next).ok_or(LsdaError::Truncated)?;
    }
    Ok(false)
}

/// Reads values from the front of bytes.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, LsdaError> {
        let (&byte, rest) = self.rest.split_first().ok_or(LsdaError::Truncated)?;
        self.rest = rest;
        Ok(byte)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], LsdaError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(LsdaError::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// A value in one of the absolute encodings (DWARF's `DW_EH_PE_*`).
    fn encoded(&mut self, encoding: u8) -> Result<u64, LsdaError> {
        match encoding {
            0x01 => self.unsigned(),
            0x02 => Ok(u64::from(u16::from_le_bytes(self.fixed()?))),
            0x03 => Ok(u64::from(u32::from_le_bytes(self.fixed()?))),
            0x00 | 0x04 => Ok(u64::from_le_bytes(self.fixed()?)),
            _ => Err(LsdaError::Encoding(encoding)),
        }
    }

    /// An unsigned LEB128 number; bits beyond 64 are lost.
    fn unsigned(&mut self) -> Result<u64, LsdaError> {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
    }

    /// A signed LEB128 number.
    fn signed(&mut self) -> Result<i64, LsdaError> {
        let mut value: i64 = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
            shift += 7;
            if byte & 0x80 == 0 {
                let negative = byte & 0x40 != 0;
                let sign = if negative {
                    (-1_i64).checked_shl(shift).unwrap_or(0)
                } else {
                    0
                };
                return Ok(value | sign);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three call sites: without pad, cleanup, filter (what `panic_in_cleanup` is reached by).
    const TABLE: &[u8] = &[
        0xFF,
        0x00,
        0x1C,
        0x01,
        0x0C, // no pad base, types at 28, ULEB128, 12 bytes of sites
        0x00,
        0x04,
        0x00,
        0x00, // 0..4: none
        0x04,
        0x80 ^ 0x86,
        0x20,
        0x00, // 4..10: pad 32, cleanup
        0x10,
        0x04,
        0x30,
        0x01, // 16..20: pad 48, first action
        0x7F,
        0x00, // filter -1, end of chain
        0xAA,
    ];

    #[test]
    fn finds_the_pad_of_a_call_site() {
        assert_eq!(cleanup_pad(TABLE, 4), Ok(Some(32)));
        assert_eq!(cleanup_pad(TABLE, 9), Ok(Some(32)));
    }

    #[test]
    fn finds_none_where_there_is_none() {
        for offset in [0, 3, 10, 15, 20, 1 << 40] {
            assert_eq!(cleanup_pad(TABLE, offset), Ok(None), "offset {offset}");
        }
    }

    #[test]
    fn never_enters_a_pad_that_ends_the_program() {
        assert_eq!(cleanup_pad(TABLE, 16), Ok(None));
    }

    #[test]
    fn enters_a_pad_that_cleans_up_among_other_things() {
        let mut table = TABLE.to_vec();
        table[17..20].copy_from_slice(&[0x7F, 0x01, 0x00]); // -1, then the one behind it: cleanup
        table.push(0x00);
        assert_eq!(cleanup_pad(&table, 16), Ok(Some(48)));
    }

    #[test]
    fn survives_every_truncation() {
        for length in 0..TABLE.len() {
            let _ = cleanup_pad(&TABLE[..length], 17);
        }
    }

    #[test]
    fn survives_a_chain_that_goes_in_a_circle() {
        let mut table = TABLE.to_vec();
        table[17..19].copy_from_slice(&[0x7F, 0x7F]); // next: this one again
        assert_eq!(cleanup_pad(&table, 16), Ok(None));
    }

    #[test]
    fn refuses_unknown_encodings() {
        let mut table = TABLE.to_vec();
        table[3] = 0x1B;
        assert_eq!(cleanup_pad(&table, 16), Err(LsdaError::Encoding(0x1B)));
    }
}
