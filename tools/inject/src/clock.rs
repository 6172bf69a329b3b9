//! The guest's own time, read from outside: the date in its real-time clock, which runs with guest time.

use crate::error::InjectError;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// How long QEMU's monitor may take for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// QEMU's monitor.
pub(crate) struct GuestClock {
    reader: BufReader<UnixStream>,
}

impl GuestClock {
    /// Connects to the monitor's socket at `path`.
    pub(crate) fn connect(path: &Path) -> Result<Self, InjectError> {
        let stream =
            UnixStream::connect(path).map_err(|source| InjectError::gdb("connecting", source))?;
        stream
            .set_read_timeout(Some(ANSWER_LIMIT))
            .map_err(|source| InjectError::gdb("connecting", source))?;
        let mut clock = Self {
            reader: BufReader::new(stream),
        };
        clock.ask(&json!({"execute": "qmp_capabilities"}))?;
        Ok(clock)
    }

    fn ask(&mut self, request: &Value) -> Result<Value, InjectError> {
        let text = format!("{request}\n");
        self.reader
            .get_mut()
            .write_all(text.as_bytes())
            .map_err(|_| InjectError::Gone)?;
        loop {
            let mut line = String::new();
            match self.reader.read_line(&mut line) {
                Ok(0) | Err(_) => return Err(InjectError::Gone),
                Ok(_) => {}
            }
            // Greetings and events come in between.
            let answer: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(result) = answer.get("return") {
                return Ok(result.clone());
            }
            if let Some(error) = answer.get("error") {
                return Err(InjectError::Refused {
                    packet: request.to_string(),
                    answer: error.to_string(),
                });
            }
        }
    }

    /// Seconds of the guest's day.
    pub(crate) fn seconds(&mut self) -> Result<u64, InjectError> {
        let arguments = json!({"path": "/machine", "property": "rtc-time"});
        let date = self.ask(&json!({"execute": "qom-get", "arguments": arguments}))?;
        let part = |name: &str| date[name].as_u64().unwrap_or_default();
        Ok((part("tm_hour") * 60 + part("tm_min")) * 60 + part("tm_sec"))
    }
}
