//! What a client and the system say to each other.

use crate::{
    error::ProtocolError,
    frame::{Frame, SessionId},
    receiver::Identity,
    wire::{Fields, put_text},
};
use alloc::vec::Vec;

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Opens the frame's session and ends every other one.
    Hello {
        /// The version that the client speaks.
        version: u32,
    },
    /// Asks which components run.
    List,
    /// Announces a transfer.
    Begin {
        /// Bytes of all objects together.
        bytes: u64,
        /// Number of objects.
        objects: u32,
        /// Number of identities.
        identities: u32,
    },
    /// Announces the next object.
    Object {
        /// Its component's name.
        name: &'a str,
        /// Its length in bytes.
        length: u64,
    },
    /// The next bytes of the object.
    Chunk(&'a [u8]),
    /// The ids of components of the new build, one after the other.
    Identities(Vec<Identity>),
    /// Everything has been sent: swap.
    Commit {
        /// Only say what would happen.
        dry_run: bool,
    },
    /// Forget the transfer.
    Abort,
}

/// What the system says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The session is open.
    Ready {
        /// The version that the system speaks.
        version: u32,
    },
    /// The request has been carried out.
    Done,
    /// A piece of a JSON document.
    Document {
        /// Whether it is the last piece.
        last: bool,
        /// The piece.
        text: &'a [u8],
    },
    /// The request was wrong; the transfer is forgotten and the session closed.
    Failed {
        /// Why.
        reason: &'a str,
    },
}

const HELLO: u32 = 1;
const LIST: u32 = 2;
const BEGIN: u32 = 3;
const OBJECT: u32 = 4;
const CHUNK: u32 = 5;
const IDENTITIES: u32 = 6;
const COMMIT: u32 = 7;
const ABORT: u32 = 8;
const READY: u32 = 65;
const DONE: u32 = 66;
const DOCUMENT: u32 = 67;
const FAILED: u32 = 68;

impl<'a> Request<'a> {
    /// The frame of this request.
    #[must_use]
    pub fn to_frame(&self, session: SessionId, sequence: u32) -> Frame {
        let mut payload = Vec::new();
        let kind = match self {
            Self::Hello { version } => {
                payload.extend_from_slice(&version.to_le_bytes());
                HELLO
            }
            Self::List => LIST,
            Self::Begin {
                bytes,
                objects,
                identities,
            } => {
                payload.extend_from_slice(&bytes.to_le_bytes());
                payload.extend_from_slice(&objects.to_le_bytes());
                payload.extend_from_slice(&identities.to_le_bytes());
                BEGIN
            }
            Self::Object { name, length } => {
                payload.extend_from_slice(&length.to_le_bytes());
                put_text(&mut payload, name);
                OBJECT
            }
            Self::Chunk(bytes) => {
                payload.extend_from_slice(bytes);
                CHUNK
            }
            Self::Identities(identities) => {
                for identity in identities {
                    put_text(&mut payload, &identity.name);
                    put_text(&mut payload, &identity.version);
                    payload.extend_from_slice(&identity.content_id.to_le_bytes());
                    payload.extend_from_slice(&identity.exact_id.to_le_bytes());
                }
                IDENTITIES
            }
            Self::Commit { dry_run } => {
                payload.push(u8::from(*dry_run));
                COMMIT
            }
            Self::Abort => ABORT,
        };
        Frame {
            session,
            sequence,
            kind,
            payload,
        }
    }

    /// The request in `frame`.
    ///
    /// # Errors
    ///
    /// When the kind is unknown or the payload does not fit it.
    pub fn parse(frame: &'a Frame) -> Result<Self, ProtocolError> {
        let mut fields = Fields::new(&frame.payload, frame.kind);
        let request = match frame.kind {
            HELLO => Self::Hello {
                version: fields.u32()?,
            },
            LIST => Self::List,
            BEGIN => Self::Begin {
                bytes: fields.u64()?,
                objects: fields.u32()?,
                identities: fields.u32()?,
            },
            OBJECT => {
                let length = fields.u64()?;
                Self::Object {
                    name: fields.text()?,
                    length,
                }
            }
            CHUNK => Self::Chunk(fields.bytes()),
            IDENTITIES => Self::Identities(identities(&mut fields)?),
            COMMIT => Self::Commit {
                dry_run: fields.u8()? != 0,
            },
            ABORT => Self::Abort,
            kind => return Err(ProtocolError::Kind(kind)),
        };
        fields.end()?;
        Ok(request)
    }
}

/// Splits a list of identities into pieces that fit a frame each.
pub fn identity_frames(identities: &[Identity]) -> impl Iterator<Item = Vec<Identity>> + '_ {
    // Two texts with their lengths, and two ids. A name is an identifier; the longest on the package
    // registry has 64 characters.
    const PER_FRAME: usize = crate::MAX_PAYLOAD / 256;
    identities.chunks(PER_FRAME).map(<[Identity]>::to_vec)
}

fn identities(fields: &mut Fields<'_>) -> Result<Vec<Identity>, ProtocolError> {
    let mut identities = Vec::new();
    while !fields.is_empty() {
        identities.push(Identity {
            name: fields.text()?.into(),
            version: fields.text()?.into(),
            content_id: fields.u128()?,
            exact_id: fields.u128()?,
        });
    }
    Ok(identities)
}

impl<'a> Answer<'a> {
    /// The frame of this answer.
    #[must_use]
    pub fn to_frame(&self, session: SessionId, sequence: u32) -> Frame {
        let mut payload = Vec::new();
        let kind = match self {
            Self::Ready { version } => {
                payload.extend_from_slice(&version.to_le_bytes());
                READY
            }
            Self::Done => DONE,
            Self::Document { last, text } => {
                payload.push(u8::from(*last));
                payload.extend_from_slice(text);
                DOCUMENT
            }
            Self::Failed { reason } => {
                put_text(&mut payload, reason);
                FAILED
            }
        };
        Frame {
            session,
            sequence,
            kind,
            payload,
        }
    }

    /// The answer in `frame`.
    ///
    /// # Errors
    ///
    /// When the kind is unknown or the payload does not fit it.
    pub fn parse(frame: &'a Frame) -> Result<Self, ProtocolError> {
        let mut fields = Fields::new(&frame.payload, frame.kind);
        let answer = match frame.kind {
            READY => Self::Ready {
                version: fields.u32()?,
            },
            DONE => Self::Done,
            DOCUMENT => Self::Document {
                last: fields.u8()? != 0,
                text: fields.bytes(),
            },
            FAILED => Self::Failed {
                reason: fields.text()?,
            },
            kind => return Err(ProtocolError::Kind(kind)),
        };
        fields.end()?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn requests() -> Vec<Request<'static>> {
        let identity = Identity {
            name: "klog".into(),
            version: "0.1.0".into(),
            content_id: u128::MAX - 1,
            exact_id: u128::MAX - 2,
        };
        vec![
            Request::Hello { version: 1 },
            Request::List,
            Request::Begin {
                bytes: 1 << 40,
                objects: 2,
                identities: 3,
            },
            Request::Object {
                name: "klog",
                length: 1 << 33,
            },
            Request::Chunk(b"\x7FELF"),
            Request::Identities(vec![identity.clone(), identity]),
            Request::Commit { dry_run: true },
            Request::Abort,
        ]
    }

    #[test]
    fn requests_come_back() {
        for request in requests() {
            let frame = request.to_frame(SessionId(1), 2);
            assert_eq!(Request::parse(&frame), Ok(request));
        }
    }

    #[test]
    fn answers_come_back() {
        let answers = [
            Answer::Ready { version: 1 },
            Answer::Done,
            Answer::Document {
                last: true,
                text: b"{}",
            },
            Answer::Failed { reason: "because" },
        ];
        for answer in answers {
            let frame = answer.to_frame(SessionId(1), 2);
            assert_eq!(Answer::parse(&frame), Ok(answer));
        }
    }

    #[test]
    fn every_truncation_is_an_error_or_a_shorter_list() {
        for request in requests() {
            let whole = request.to_frame(SessionId(1), 2);
            for length in 0..whole.payload.len() {
                let payload = whole.payload[..length].to_vec();
                let cut = Frame {
                    payload,
                    ..whole.clone()
                };
                // Chunks and lists have no length of their own: `Begin` announces their sums.
                let open_ended = matches!(request, Request::Chunk(_) | Request::Identities(_));
                assert!(
                    Request::parse(&cut).is_err() || open_ended,
                    "{request:?} at {length}"
                );
            }
        }
    }

    #[test]
    fn trailing_bytes_and_unknown_kinds_are_errors() {
        let mut frame = Request::List.to_frame(SessionId(1), 0);
        frame.payload.push(0);
        assert_eq!(
            Request::parse(&frame),
            Err(ProtocolError::Trailing { kind: 2, bytes: 1 })
        );
        frame.kind = 99;
        assert_eq!(Request::parse(&frame), Err(ProtocolError::Kind(99)));
        assert_eq!(Answer::parse(&frame), Err(ProtocolError::Kind(99)));
    }
}
