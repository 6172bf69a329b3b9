//! The lines that were entered before.

use alloc::{collections::VecDeque, string::String};

/// Most lines that are kept.
const LINES: usize = 256;

/// Longest line that is kept, in bytes: nobody looks for a longer one again.
const LONGEST: usize = 4096;

/// Lines, oldest first, and the place of the user in them.
#[derive(Debug, Default)]
pub(crate) struct History {
    lines: VecDeque<String>,
    /// The line shown, counted from the newest; `None` while the user writes a new one.
    shown: Option<usize>,
    /// The new line that was left for an old one.
    draft: String,
}

impl History {
    /// Keeps a line, unless it is blank or the same as the one before.
    pub(crate) fn add(&mut self, line: &str) {
        self.shown = None;
        self.draft.clear();
        let useless = line.trim().is_empty() || line.len() > LONGEST;
        if useless || self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(String::from(line));
    }

    /// Back to a new line.
    pub(crate) fn leave(&mut self) {
        self.shown = None;
    }

    /// One line older; `current` is what the screen shows.
    pub(crate) fn older(&mut self, current: &str) -> Option<&str> {
        let next = self.shown.map_or(0, |shown| shown + 1);
        if next >= self.lines.len() {
            return None;
        }
        if self.shown.is_none() {
            self.draft = String::from(current);
        }
        self.shown = Some(next);
        self.line(next)
    }

    /// One line newer, at last the draft.
    pub(crate) fn newer(&mut self) -> Option<&str> {
        let shown = self.shown?;
        self.shown = shown.checked_sub(1);
        match self.shown {
            Some(next) => self.line(next),
            None => Some(&self.draft),
        }
    }

    /// The line at this place, counted from the newest.
    pub(crate) fn line(&self, from_newest: usize) -> Option<&str> {
        let index = self.lines.len().checked_sub(from_newest + 1)?;
        self.lines.get(index).map(String::as_str)
    }

    /// The place of the newest line from `start` on that has `part` in it.
    pub(crate) fn search(&self, part: &str, start: usize) -> Option<usize> {
        (start..self.lines.len())
            .find(|&place| self.line(place).is_some_and(|line| line.contains(part)))
    }
}
