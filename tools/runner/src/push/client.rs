//! The client's side of the conversation.

use super::error::PushError;
use push_protocol::{
    Answer, Decoder, Frame, MAX_PAYLOAD, Object, ProtocolError, Request, SessionId, VERSION,
    frame::MAX_FRAME, identity_frames,
};
use std::{
    fs::{File, TryLockError},
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How long the system may take for the first answer; it polls nothing, so this is for a hang.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// How long a swap may take.
const COMMIT_LIMIT: Duration = Duration::from_secs(120);

/// An open session with the running system.
pub struct Client {
    stream: UnixStream,
    decoder: Decoder,
    unread: Vec<u8>,
    session: SessionId,
    sequence: u32,
    expected: u32,
    /// Held as long as this client talks.
    _lock: File,
}

impl Client {
    /// Opens a session with the system whose second serial port is at `socket`.
    ///
    /// # Errors
    ///
    /// When no system runs, another client talks to it, or it does not answer.
    pub fn connect(socket: &Path) -> Result<Self, PushError> {
        // QEMU lets a second client wait in the queue without a word, so clients agree among
        // themselves.
        let path = socket.with_extension("lock");
        let failed = |what: &str| {
            let what = format!("{what} {}", path.display());
            move |source| PushError::Io { what, source }
        };
        if !socket.exists() {
            return Err(PushError::NothingRuns {
                socket: socket.to_owned(),
            });
        }
        let lock = File::create(&path).map_err(failed("creating"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PushError::Busy),
            Err(TryLockError::Error(error)) => return Err(failed("locking")(error)),
        }
        let stream = UnixStream::connect(socket).map_err(|_| PushError::NothingRuns {
            socket: socket.to_owned(),
        })?;
        let mut client = Self {
            stream,
            decoder: Decoder::new(),
            unread: Vec::new(),
            session: new_session(),
            sequence: 0,
            expected: 0,
            _lock: lock,
        };
        client.hello()?;
        Ok(client)
    }

    fn hello(&mut self) -> Result<(), PushError> {
        // Ends whatever an earlier client left half sent.
        self.write(&[0; MAX_FRAME])?;
        self.send(&Request::Hello { version: VERSION })?;
        self.limit(HELLO_LIMIT)?;
        let frame = self.receive(HELLO_LIMIT)?;
        match Answer::parse(&frame)? {
            Answer::Ready { version: VERSION } => self.limit(COMMIT_LIMIT),
            Answer::Ready { version } => Err(ProtocolError::Version(version).into()),
            Answer::Failed { reason } => Err(PushError::Refused(reason.into())),
            other => Err(PushError::Unexpected(format!("{other:?}"))),
        }
    }

    /// The components that the system has, as it describes them.
    ///
    /// # Errors
    ///
    /// When the conversation breaks.
    pub fn components(&mut self) -> Result<String, PushError> {
        self.send(&Request::List)?;
        self.document()
    }

    /// Sends a swap set and the ids of the whole new build.
    ///
    /// # Errors
    ///
    /// When the conversation breaks or the system refuses.
    pub fn transfer(
        &mut self,
        objects: &[Object],
        identities: &[push_protocol::Identity],
    ) -> Result<(), PushError> {
        self.request(&Request::Begin {
            bytes: objects.iter().map(|object| object.bytes.len() as u64).sum(),
            objects: u32::try_from(objects.len()).unwrap_or(u32::MAX),
            identities: u32::try_from(identities.len()).unwrap_or(u32::MAX),
        })?;
        for object in objects {
            let length = object.bytes.len() as u64;
            self.request(&Request::Object {
                name: &object.name,
                length,
            })?;
            for chunk in object.bytes.chunks(MAX_PAYLOAD) {
                self.request(&Request::Chunk(chunk))?;
            }
        }
        for identities in identity_frames(identities) {
            self.request(&Request::Identities(identities))?;
        }
        Ok(())
    }

    /// Has the transfer swapped in; the system's report.
    ///
    /// # Errors
    ///
    /// When the conversation breaks.
    pub fn commit(&mut self, dry_run: bool) -> Result<String, PushError> {
        self.send(&Request::Commit { dry_run })?;
        self.document()
    }

    /// Sends a request that is answered by [`Answer::Done`].
    fn request(&mut self, request: &Request<'_>) -> Result<(), PushError> {
        self.send(request)?;
        let frame = self.receive(COMMIT_LIMIT)?;
        match Answer::parse(&frame)? {
            Answer::Done => Ok(()),
            Answer::Failed { reason } => Err(PushError::Refused(reason.into())),
            other => Err(PushError::Unexpected(format!("{other:?}"))),
        }
    }

    fn document(&mut self) -> Result<String, PushError> {
        let mut document = Vec::new();
        loop {
            let frame = self.receive(COMMIT_LIMIT)?;
            match Answer::parse(&frame)? {
                Answer::Document { last, text } => {
                    document.extend_from_slice(text);
                    if last {
                        break;
                    }
                }
                Answer::Failed { reason } => return Err(PushError::Refused(reason.into())),
                other => return Err(PushError::Unexpected(format!("{other:?}"))),
            }
        }
        String::from_utf8(document)
            .map_err(|_| PushError::Unexpected("a document that is not UTF-8".into()))
    }

    fn send(&mut self, request: &Request<'_>) -> Result<(), PushError> {
        let mut bytes = Vec::new();
        request
            .to_frame(self.session, self.sequence)
            .encode(&mut bytes)?;
        self.sequence = self.sequence.wrapping_add(1);
        self.write(&bytes)
    }

    /// The system's next frame of this session. What an earlier session left in the line is skipped.
    fn receive(&mut self, limit: Duration) -> Result<Frame, PushError> {
        loop {
            let mut input = self.unread.as_slice();
            let result = self.decoder.next(&mut input);
            self.unread = input.to_vec();
            match result {
                Some(Ok(frame)) if frame.session == self.session => {
                    if frame.sequence != self.expected {
                        let (found, expected) = (frame.sequence, self.expected);
                        return Err(ProtocolError::Sequence { found, expected }.into());
                    }
                    self.expected = self.expected.wrapping_add(1);
                    return Ok(frame);
                }
                Some(Ok(_)) => {}
                // Before the first answer there may be anything in the line.
                Some(Err(_)) if self.expected == 0 => {}
                Some(Err(error)) => return Err(error.into()),
                None => self.read(limit)?,
            }
        }
    }

    fn read(&mut self, limit: Duration) -> Result<(), PushError> {
        let mut buffer = [0; MAX_FRAME];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(PushError::Unexpected(
                "the end of the line: the system has ended".into(),
            )),
            Ok(length) => {
                self.unread
                    .extend_from_slice(buffer.get(..length).unwrap_or_default());
                Ok(())
            }
            Err(error) if is_timeout(&error) => Err(PushError::Silent { limit }),
            Err(source) => Err(PushError::Io {
                what: "reading from the system".into(),
                source,
            }),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PushError> {
        self.stream.write_all(bytes).map_err(|source| {
            if is_timeout(&source) {
                PushError::Silent {
                    limit: COMMIT_LIMIT,
                }
            } else {
                PushError::Io {
                    what: "writing to the system".into(),
                    source,
                }
            }
        })
    }

    fn limit(&self, limit: Duration) -> Result<(), PushError> {
        let set = self.stream.set_read_timeout(Some(limit));
        let set = set.and_then(|()| self.stream.set_write_timeout(Some(limit)));
        set.map_err(|source| PushError::Io {
            what: "setting a time limit".into(),
            source,
        })
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// A number that no other client of this system has had.
fn new_session() -> SessionId {
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let nanoseconds = u64::try_from(time.as_nanos() & u128::from(u64::MAX)).unwrap_or_default();
    SessionId(nanoseconds ^ u64::from(std::process::id()) << 48)
}
