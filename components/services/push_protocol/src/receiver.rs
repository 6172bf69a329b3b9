//! The system's side of the conversation.

use crate::{
    MAX_PAYLOAD, MAX_TRANSFER, VERSION,
    error::ProtocolError,
    frame::{Decoder, Frame, SessionId},
    message::{Answer, Request},
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// What a receiver needs of the system around it.
pub trait System {
    /// Memory that an object is collected in.
    type Buffer: AsMut<[u8]>;

    /// Memory for an object of `length` bytes; none if there is not enough.
    fn buffer(&mut self, length: usize) -> Option<Self::Buffer>;

    /// The running components as a JSON document.
    fn components(&mut self) -> String;

    /// Swaps the transferred objects in, and says as a JSON document what came of it.
    fn swap(&mut self, transfer: Transfer<Self::Buffer>) -> String;
}

/// A transfer that arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer<B = Vec<u8>> {
    /// The objects of the swap set.
    pub objects: Vec<Object<B>>,
    /// The components of the new build, those that are not sent included.
    pub identities: Vec<Identity>,
    /// Whether the swap is only to be tried.
    pub dry_run: bool,
}

/// An object that arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object<B = Vec<u8>> {
    /// The component's name, as the client gave it.
    pub name: String,
    /// The ELF object.
    pub bytes: B,
}

/// A component of the new build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The component's name.
    pub name: String,
    /// Its crate's version.
    pub version: String,
    /// Its content id.
    pub content_id: u128,
    /// Its exact id: another one with the same content id means other lines in panic messages.
    pub exact_id: u128,
}

/// Reads a client's bytes, collects a transfer, has it carried out and answers.
pub struct Receiver<S: System> {
    system: S,
    decoder: Decoder,
    session: Option<Session<S::Buffer>>,
}

/// An open session.
struct Session<B> {
    id: SessionId,
    /// Number of the client's next frame.
    expected: u32,
    /// Number of the system's next frame.
    next: u32,
    incoming: Option<Incoming<B>>,
}

/// A transfer that is arriving.
struct Incoming<B> {
    transfer: Transfer<B>,
    bytes: Progress,
    objects: Progress,
    identities: Progress,
    /// How much of the last object has arrived.
    last: Progress,
}

/// How much of what was announced has arrived.
struct Progress {
    arrived: u64,
    announced: u64,
}

impl Progress {
    const fn new(announced: u64) -> Self {
        Self {
            arrived: 0,
            announced,
        }
    }

    fn add(&mut self, count: u64) -> Result<(), ProtocolError> {
        let sum = self
            .arrived
            .checked_add(count)
            .filter(|sum| *sum <= self.announced);
        self.arrived = sum.ok_or(ProtocolError::Excess {
            announced: self.announced,
        })?;
        Ok(())
    }

    const fn is_complete(&self) -> bool {
        self.arrived == self.announced
    }

    const fn complete(&self) -> Result<(), ProtocolError> {
        if self.is_complete() {
            Ok(())
        } else {
            Err(ProtocolError::Incomplete {
                arrived: self.arrived,
                announced: self.announced,
            })
        }
    }
}

impl<S: System> Receiver<S> {
    /// A receiver without an open session.
    pub const fn new(system: S) -> Self {
        Self {
            system,
            decoder: Decoder::new(),
            session: None,
        }
    }

    /// Reads `input` and appends the bytes of the answers to `output`. The first complaint about
    /// bytes that are no frame ends an open session; outside a session such bytes are ignored.
    pub fn receive(&mut self, mut input: &[u8], output: &mut Vec<u8>) {
        while let Some(result) = self.decoder.next(&mut input) {
            let outcome = match &result {
                Ok(frame) => self.handle(frame, output),
                Err(error) => Err(*error),
            };
            if let Err(error) = outcome {
                self.fail(error, result.as_ref().ok(), output);
            }
        }
    }

    /// Whether a client has a session open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.session.is_some()
    }

    fn handle(&mut self, frame: &Frame, output: &mut Vec<u8>) -> Result<(), ProtocolError> {
        let request = Request::parse(frame)?;
        if let Request::Hello { version } = request {
            // The line has one client at a time: an older session's client is gone, and what it
            // has not committed goes with it.
            self.session = None;
            if version != VERSION {
                return Err(ProtocolError::Version(version));
            }
            self.session = Some(Session {
                id: frame.session,
                expected: 1,
                next: 0,
                incoming: None,
            });
            return self.answer(&Answer::Ready { version: VERSION }, output);
        }
        let wrong = ProtocolError::Session(frame.session);
        let session = self
            .session
            .as_mut()
            .filter(|s| s.id == frame.session)
            .ok_or(wrong)?;
        if frame.sequence != session.expected {
            let (found, expected) = (frame.sequence, session.expected);
            return Err(ProtocolError::Sequence { found, expected });
        }
        session.expected = session.expected.wrapping_add(1);
        match request {
            Request::List => {
                let document = self.system.components();
                self.answer_document(&document, output)
            }
            Request::Commit { dry_run } => {
                let out_of_order = ProtocolError::Order { kind: frame.kind };
                let incoming = session.incoming.take().ok_or(out_of_order)?;
                let transfer = Transfer {
                    dry_run,
                    ..incoming.complete()?
                };
                let document = self.system.swap(transfer);
                self.answer_document(&document, output)
            }
            other => {
                session.collect(&other, frame.kind, &mut self.system)?;
                self.answer(&Answer::Done, output)
            }
        }
    }

    fn answer(&mut self, answer: &Answer<'_>, output: &mut Vec<u8>) -> Result<(), ProtocolError> {
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        answer.to_frame(session.id, session.next).encode(output)?;
        session.next = session.next.wrapping_add(1);
        Ok(())
    }

    fn answer_document(&mut self, text: &str, output: &mut Vec<u8>) -> Result<(), ProtocolError> {
        // One byte of a payload says whether it is the last.
        let mut pieces = text.as_bytes().chunks(MAX_PAYLOAD - 1).peekable();
        while let Some(text) = pieces.next() {
            let last = pieces.peek().is_none();
            self.answer(&Answer::Document { last, text }, output)?;
        }
        if text.is_empty() {
            self.answer(
                &Answer::Document {
                    last: true,
                    text: &[],
                },
                output,
            )?;
        }
        Ok(())
    }

    /// Answers a wrong frame; what cannot be told from noise gets no answer outside a session. A
    /// frame of another session ends nothing: it is the stranger who hears of it.
    fn fail(&mut self, error: ProtocolError, frame: Option<&Frame>, output: &mut Vec<u8>) {
        let open = self
            .session
            .as_ref()
            .map(|session| (session.id, session.next));
        let stranger = frame.filter(|frame| open.is_none_or(|(id, _)| id != frame.session));
        let (id, number) = match (stranger, open) {
            (Some(frame), _) => (frame.session, 0),
            (None, Some(open)) => {
                self.session = None;
                open
            }
            (None, None) => return,
        };
        let reason = error.to_string();
        // A reason is a line of text and fits a frame.
        let _ = Answer::Failed { reason: &reason }
            .to_frame(id, number)
            .encode(output);
    }
}

impl<B: AsMut<[u8]>> Session<B> {
    fn collect(
        &mut self,
        request: &Request<'_>,
        kind: u32,
        system: &mut impl System<Buffer = B>,
    ) -> Result<(), ProtocolError> {
        let out_of_order = ProtocolError::Order { kind };
        match request {
            Request::Begin {
                bytes,
                objects,
                identities,
            } if self.incoming.is_none() => {
                self.incoming = Some(Incoming::new(*bytes, *objects, *identities)?);
                Ok(())
            }
            Request::Abort => {
                self.incoming = None;
                Ok(())
            }
            Request::Object { name, length } => {
                let incoming = self.incoming.as_mut().ok_or(out_of_order)?;
                incoming.announce(*length, out_of_order)?;
                let memory = ProtocolError::Memory { bytes: *length };
                let length = usize::try_from(*length).map_err(|_| memory)?;
                let bytes = system.buffer(length).ok_or(memory)?;
                let name = (*name).into();
                incoming.transfer.objects.push(Object { name, bytes });
                Ok(())
            }
            Request::Chunk(bytes) => self
                .incoming
                .as_mut()
                .ok_or(out_of_order)?
                .chunk(bytes, out_of_order),
            Request::Identities(identities) => {
                let incoming = self.incoming.as_mut().ok_or(out_of_order)?;
                incoming.identities.add(identities.len() as u64)?;
                incoming.transfer.identities.extend_from_slice(identities);
                Ok(())
            }
            _ => Err(out_of_order),
        }
    }
}

impl<B: AsMut<[u8]>> Incoming<B> {
    fn new(bytes: u64, objects: u32, identities: u32) -> Result<Self, ProtocolError> {
        if bytes > MAX_TRANSFER {
            return Err(ProtocolError::TransferLength(bytes));
        }
        Ok(Self {
            transfer: Transfer {
                objects: Vec::new(),
                identities: Vec::new(),
                dry_run: false,
            },
            bytes: Progress::new(bytes),
            objects: Progress::new(objects.into()),
            identities: Progress::new(identities.into()),
            last: Progress::new(0),
        })
    }

    /// Notes that an object of `length` bytes follows.
    fn announce(&mut self, length: u64, out_of_order: ProtocolError) -> Result<(), ProtocolError> {
        if !self.last.is_complete() {
            return Err(out_of_order);
        }
        self.objects.add(1)?;
        self.bytes.add(length)?;
        self.last = Progress::new(length);
        Ok(())
    }

    fn chunk(&mut self, bytes: &[u8], out_of_order: ProtocolError) -> Result<(), ProtocolError> {
        let object = self.transfer.objects.last_mut().ok_or(out_of_order)?;
        let excess = ProtocolError::Excess {
            announced: self.bytes.announced,
        };
        let start = self.last.arrived;
        self.last.add(bytes.len() as u64).map_err(|_| excess)?;
        let start = usize::try_from(start).map_err(|_| excess)?;
        let buffer = object.bytes.as_mut().get_mut(start..);
        let place = buffer.and_then(|buffer| buffer.get_mut(..bytes.len()));
        place.ok_or(excess)?.copy_from_slice(bytes);
        Ok(())
    }

    fn complete(self) -> Result<Transfer<B>, ProtocolError> {
        self.objects.complete()?;
        self.identities.complete()?;
        self.bytes.complete()?;
        self.last.complete()?;
        Ok(self.transfer)
    }
}

#[cfg(test)]
mod tests;
