//! The text of the line and the cursor in it.

use crate::LINE_LIMIT;
use alloc::{string::String, vec::Vec};

/// The line would become longer than [`LINE_LIMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The text and the cursor, which is never beyond the text's end.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    text: Vec<char>,
    cursor: usize,
    /// Length of the text in bytes.
    bytes: usize,
    /// What was cut last.
    cut: Vec<char>,
}

impl Buffer {
    pub(crate) fn text(&self) -> &[char] {
        &self.text
    }

    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn line(&self) -> String {
        self.text.iter().collect()
    }

    pub(crate) fn before_cursor(&self) -> String {
        self.text.iter().take(self.cursor).collect()
    }

    /// Replaces the text and goes to its end.
    pub(crate) fn set(&mut self, text: &str) {
        self.text.clear();
        self.text.extend(text.chars());
        self.bytes = text.len();
        self.cursor = self.text.len();
    }

    pub(crate) fn insert(&mut self, character: char) -> Result<(), Full> {
        let bytes = self.bytes + character.len_utf8();
        if bytes > LINE_LIMIT {
            return Err(Full);
        }
        self.bytes = bytes;
        self.text.insert(self.cursor, character);
        self.cursor += 1;
        Ok(())
    }

    pub(crate) fn insert_all(&mut self, text: &str) -> Result<(), Full> {
        text.chars()
            .try_for_each(|character| self.insert(character))
    }

    pub(crate) fn go(&mut self, position: usize) {
        self.cursor = position.min(self.text.len());
    }

    pub(crate) fn end(&self) -> usize {
        self.text.len()
    }

    /// Start of the run of letters and digits before the cursor.
    pub(crate) fn word_left(&self) -> usize {
        self.left_while(
            self.left_while(self.cursor, |c| !c.is_alphanumeric()),
            char::is_alphanumeric,
        )
    }

    /// End of the run of letters and digits behind the cursor.
    pub(crate) fn word_right(&self) -> usize {
        let at = self.right_while(self.cursor, |c| !c.is_alphanumeric());
        self.right_while(at, char::is_alphanumeric)
    }

    /// Start of the run of non-blanks before the cursor.
    pub(crate) fn blank_left(&self) -> usize {
        self.left_while(self.left_while(self.cursor, char::is_whitespace), |c| {
            !c.is_whitespace()
        })
    }

    fn left_while(&self, from: usize, holds: impl Fn(char) -> bool) -> usize {
        let before = self.text.get(..from).unwrap_or(&[]);
        from - before
            .iter()
            .rev()
            .take_while(|&&character| holds(character))
            .count()
    }

    fn right_while(&self, from: usize, holds: impl Fn(char) -> bool) -> usize {
        let behind = self.text.get(from..).unwrap_or(&[]);
        from + behind
            .iter()
            .take_while(|&&character| holds(character))
            .count()
    }

    /// Removes what lies between the cursor and `other`.
    pub(crate) fn remove(&mut self, other: usize) -> Vec<char> {
        let start = self.cursor.min(other);
        let end = self.cursor.max(other).min(self.text.len());
        let removed: Vec<char> = self.text.drain(start..end).collect();
        self.bytes -= removed
            .iter()
            .map(|character| character.len_utf8())
            .sum::<usize>();
        self.cursor = start;
        removed
    }

    /// Removes what lies between the cursor and `other`, and keeps it for [`Buffer::paste`].
    pub(crate) fn cut(&mut self, other: usize) {
        let removed = self.remove(other);
        if !removed.is_empty() {
            self.cut = removed;
        }
    }

    pub(crate) fn paste(&mut self) -> Result<(), Full> {
        let cut = core::mem::take(&mut self.cut);
        let result = cut.iter().try_for_each(|&character| self.insert(character));
        self.cut = cut;
        result
    }

    /// Swaps the characters before and at the cursor, at the end the last two.
    pub(crate) fn transpose(&mut self) {
        let right = self.cursor.min(self.text.len().saturating_sub(1));
        if let Some(left) = right.checked_sub(1) {
            self.text.swap(left, right);
            self.cursor = right + 1;
        }
    }
}
