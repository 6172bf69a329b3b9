//! The directory's entries: size (4 bytes, big-endian), selector (2), reserved (2), name (56, ended by 0).

/// Size of an entry in bytes.
pub(crate) const ENTRY_SIZE: usize = 64;
const NAME: core::ops::Range<usize> = 8..ENTRY_SIZE;

/// A file of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) size: u32,
    pub(crate) selector: u16,
    name: [u8; ENTRY_SIZE - 8],
}

impl Entry {
    pub(crate) fn parse(bytes: &[u8; ENTRY_SIZE]) -> Option<Self> {
        Some(Self {
            size: u32::from_be_bytes(*bytes.first_chunk()?),
            selector: u16::from_be_bytes(*bytes.get(4..)?.first_chunk()?),
            name: bytes.get(NAME)?.try_into().ok()?,
        })
    }

    /// The file's name.
    pub(crate) fn name(&self) -> &[u8] {
        self.name.split(|byte| *byte == 0).next().unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_an_entry() {
        let mut bytes = [0; ENTRY_SIZE];
        bytes[3] = 5;
        bytes[4] = 0x12;
        bytes[5] = 0x34;
        bytes[8..26].copy_from_slice(b"opt/strake/command");
        let entry = Entry::parse(&bytes).unwrap();
        assert_eq!(entry.size, 5);
        assert_eq!(entry.selector, 0x1234);
        assert_eq!(entry.name(), b"opt/strake/command");
    }

    #[test]
    fn a_name_without_an_end_is_cut_at_the_entry() {
        let entry = Entry::parse(&[b'x'; ENTRY_SIZE]).unwrap();
        assert_eq!(entry.name().len(), 56);
    }
}
