//! Frames: pieces of a message stream that survive a line which may lose or change bytes.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | [`MAGIC`] |
//! | 4 | 4 | length of the payload |
//! | 8 | 8 | session |
//! | 16 | 4 | number of the frame in its session and direction, from 0 |
//! | 20 | 4 | kind of the message |
//! | 24 | 4 | CRC-32 of the 24 bytes before |
//! | 28 | | payload |
//! | | 4 | CRC-32 of the payload |
//!
//! The header has its own checksum, so that a damaged length does not make the reader wait for
//! bytes that never come. After damage the reader looks for the next [`MAGIC`], inside the bytes of
//! the damaged frame too, so that a cut frame swallows nothing of what follows it.

use crate::error::ProtocolError;
use alloc::vec::Vec;
use core::fmt;

/// First bytes of a frame.
pub const MAGIC: [u8; 4] = [0xF5, b'S', b'T', b'K'];

/// Most bytes of a payload.
pub const MAX_PAYLOAD: usize = 8192;

const HEADER_LENGTH: usize = 28;
const CHECKED_LENGTH: usize = 24;
const CHECKSUM_LENGTH: usize = 4;

/// Most bytes of a frame. That many zeros end whatever an earlier client left half sent, because
/// they complete its frame with a wrong checksum.
pub const MAX_FRAME: usize = HEADER_LENGTH + MAX_PAYLOAD + CHECKSUM_LENGTH;

/// One client's conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A frame whose checksums are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The session that it belongs to.
    pub session: SessionId,
    /// Its number in its session and direction.
    pub sequence: u32,
    /// The kind of its message.
    pub kind: u32,
    /// The message.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Appends the frame's bytes to `out`. A payload beyond [`MAX_PAYLOAD`] is an error.
    ///
    /// # Errors
    ///
    /// When the payload is too long.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        if self.payload.len() > MAX_PAYLOAD {
            return Err(ProtocolError::Length(length));
        }
        let begin = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&self.session.0.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.kind.to_le_bytes());
        let checksum = crc32fast::hash(out.get(begin..).unwrap_or_default());
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(&self.payload);
        out.extend_from_slice(&crc32fast::hash(&self.payload).to_le_bytes());
        Ok(())
    }
}

/// A header whose checksum is right.
struct Header {
    length: usize,
    session: SessionId,
    sequence: u32,
    kind: u32,
}

impl Header {
    fn parse(bytes: &[u8; HEADER_LENGTH]) -> Result<Self, ProtocolError> {
        let computed = crc32fast::hash(bytes.get(..CHECKED_LENGTH).unwrap_or_default());
        let found = u32_at(bytes, CHECKED_LENGTH);
        if found != computed {
            return Err(ProtocolError::HeaderChecksum { found, computed });
        }
        let announced = u32_at(bytes, 4);
        let length = usize::try_from(announced)
            .ok()
            .filter(|length| *length <= MAX_PAYLOAD)
            .ok_or(ProtocolError::Length(announced))?;
        let session = u64::from(u32_at(bytes, 8)) | u64::from(u32_at(bytes, 12)) << 32;
        Ok(Self {
            length,
            session: SessionId(session),
            sequence: u32_at(bytes, 16),
            kind: u32_at(bytes, 20),
        })
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let field = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    field.map_or(0, |field| u32::from_le_bytes(*field))
}

/// Finds frames in a stream of bytes. Never holds more than [`MAX_FRAME`] bytes of its own.
#[derive(Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self { buffer: Vec::new() }
    }

    /// Takes bytes from the front of `input` until there is a frame or something to complain about;
    /// `None` when all of `input` has been taken.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Result<Frame, ProtocolError>> {
        loop {
            if let Some(result) = self.take() {
                return Some(result);
            }
            if input.is_empty() {
                return None;
            }
            let room = MAX_FRAME.saturating_sub(self.buffer.len());
            let (now, later) = input.split_at(room.min(input.len()));
            self.buffer.extend_from_slice(now);
            *input = later;
        }
    }

    /// A frame or a complaint from the buffer; `None` when it needs more bytes.
    fn take(&mut self) -> Option<Result<Frame, ProtocolError>> {
        let begin = magic_position(&self.buffer);
        if begin > 0 {
            self.buffer.drain(..begin);
            return Some(Err(ProtocolError::Garbage { bytes: begin }));
        }
        let header = match Header::parse(self.buffer.first_chunk()?) {
            Ok(header) => header,
            Err(error) => return Some(Err(self.skip(error))),
        };
        let end = HEADER_LENGTH + header.length;
        let payload = self.buffer.get(HEADER_LENGTH..end)?;
        self.buffer.get(..end + CHECKSUM_LENGTH)?;
        let (found, computed) = (u32_at(&self.buffer, end), crc32fast::hash(payload));
        if found != computed {
            return Some(Err(
                self.skip(ProtocolError::PayloadChecksum { found, computed })
            ));
        }
        let frame = Frame {
            session: header.session,
            sequence: header.sequence,
            kind: header.kind,
            payload: payload.into(),
        };
        self.buffer.drain(..end + CHECKSUM_LENGTH);
        Some(Ok(frame))
    }

    /// Gives up the frame at the front, but not the bytes behind its magic.
    fn skip(&mut self, error: ProtocolError) -> ProtocolError {
        self.buffer.drain(..MAGIC.len().min(self.buffer.len()));
        error
    }
}

/// Where the first magic begins, or what may become one at the end, or the end.
fn magic_position(bytes: &[u8]) -> usize {
    (0..bytes.len())
        .find(|begin| {
            let rest = bytes.get(*begin..).unwrap_or_default();
            let length = rest.len().min(MAGIC.len());
            rest.get(..length) == MAGIC.get(..length)
        })
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn frame(sequence: u32, payload: &[u8]) -> Frame {
        Frame {
            session: SessionId(0x0123_4567_89AB_CDEF),
            sequence,
            kind: 7,
            payload: payload.into(),
        }
    }

    fn encoded(frame: &Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert_eq!(frame.encode(&mut bytes), Ok(()));
        bytes
    }

    fn decode(decoder: &mut Decoder, mut input: &[u8]) -> (Vec<Frame>, Vec<ProtocolError>) {
        let (mut frames, mut errors) = (Vec::new(), Vec::new());
        while let Some(result) = decoder.next(&mut input) {
            match result {
                Ok(frame) => frames.push(frame),
                Err(error) => errors.push(error),
            }
        }
        (frames, errors)
    }

    #[test]
    fn frames_come_back_byte_by_byte() {
        let frames = [
            frame(0, b""),
            frame(1, b"payload"),
            frame(2, &vec![0xF5; MAX_PAYLOAD]),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(encoded).collect();
        let mut decoder = Decoder::new();
        let mut found = Vec::new();
        for byte in bytes {
            let (frames, errors) = decode(&mut decoder, &[byte]);
            assert_eq!(errors, []);
            found.extend(frames);
        }
        assert_eq!(found, frames);
    }

    #[test]
    fn garbage_around_frames_is_reported_and_skipped() {
        let mut bytes = b"\x00\xF5ST\xFFgarbage".to_vec();
        bytes.extend(encoded(&frame(3, b"x")));
        bytes.extend(b"more");
        let (frames, errors) = decode(&mut Decoder::new(), &bytes);
        assert_eq!(frames, [frame(3, b"x")]);
        assert!(
            errors
                .iter()
                .all(|error| matches!(error, ProtocolError::Garbage { .. }))
        );
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let right = encoded(&frame(1, b"payload"));
        for bit in 0..right.len() * 8 {
            let mut bytes = right.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (frames, _) = decode(&mut Decoder::new(), &bytes);
            assert_eq!(frames, [], "bit {bit}");
        }
    }

    #[test]
    fn a_cut_frame_swallows_nothing_after_zeros() {
        let cut = encoded(&frame(1, &[0xAA; 5000]));
        for length in [1, 5, 27, 28, 29, 4000, cut.len() - 1] {
            let mut bytes = cut[..length].to_vec();
            bytes.extend([0; MAX_FRAME]);
            bytes.extend(encoded(&frame(2, b"next")));
            let (frames, errors) = decode(&mut Decoder::new(), &bytes);
            assert_eq!(frames, [frame(2, b"next")], "cut after {length}");
            assert!(!errors.is_empty());
        }
    }

    #[test]
    fn a_cut_frame_swallows_nothing_of_the_next_frames() {
        let mut bytes = encoded(&frame(1, &[0xAA; 100]))[..60].to_vec();
        for sequence in 2..9 {
            bytes.extend(encoded(&frame(sequence, b"next")));
        }
        let (frames, _) = decode(&mut Decoder::new(), &bytes);
        assert_eq!(frames.first(), Some(&frame(2, b"next")));
        assert_eq!(frames.len(), 7);
    }

    #[test]
    fn a_payload_that_is_too_long_is_not_sent() {
        let long = frame(0, &vec![0; MAX_PAYLOAD + 1]);
        assert_eq!(
            long.encode(&mut Vec::new()),
            Err(ProtocolError::Length(8193))
        );
    }
}
