//! Writers of the two formats' common parts: tables of records and a pool of strings.

use linker::format::{Record, Span};
use std::collections::BTreeMap;

/// A pool of strings; equal strings are kept once.
#[derive(Clone, Default)]
pub(crate) struct Pool {
    bytes: Vec<u8>,
    known: BTreeMap<String, Span>,
}

impl Pool {
    /// The span of `text`.
    pub(crate) fn add(&mut self, text: &str) -> Span {
        if text.is_empty() {
            return Span::EMPTY;
        }
        if let Some(&span) = self.known.get(text) {
            return span;
        }
        let span = Span {
            offset: count(self.bytes.len()),
            count: count(text.len()),
        };
        self.bytes.extend_from_slice(text.as_bytes());
        self.known.insert(text.to_owned(), span);
        span
    }

    /// Its length in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Tables behind a header of known size.
pub(crate) struct Tables {
    start: usize,
    bytes: Vec<u8>,
}

impl Tables {
    /// Tables that begin right behind a header of `header` bytes.
    pub(crate) fn behind(header: usize) -> Self {
        Self {
            start: header,
            bytes: Vec::new(),
        }
    }

    /// Appends a table.
    pub(crate) fn add<R: Record>(&mut self, records: &[R]) -> Span {
        let offset = count(self.start + self.bytes.len());
        for record in records {
            record.encode(&mut self.bytes);
        }
        Span {
            offset,
            count: count(records.len()),
        }
    }

    /// Appends the pool.
    pub(crate) fn add_pool(&mut self, pool: Pool) -> Span {
        let offset = count(self.start + self.bytes.len());
        self.bytes.extend_from_slice(&pool.bytes);
        Span {
            offset,
            count: count(pool.bytes.len()),
        }
    }

    /// Length of header and tables.
    pub(crate) fn length(&self) -> usize {
        self.start + self.bytes.len()
    }

    /// The header and the tables.
    pub(crate) fn finish<H: Record>(self, header: &H) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length());
        header.encode(&mut out);
        out.extend_from_slice(&self.bytes);
        out
    }
}

/// A number of records or bytes, as the formats hold it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "no table or object here reaches 4 GiB"
)]
pub(crate) const fn count(number: usize) -> u32 {
    number as u32
}
