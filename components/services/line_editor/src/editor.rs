//! The editor: keys change the buffer, the screen follows.

use crate::{
    buffer::{Buffer, Full},
    completion::{Completer, columns, common_prefix},
    history::History,
    keys::{Decoder, Key},
    screen::Screen,
};
use alloc::{format, string::String, vec::Vec};

/// Most candidates that Tab lists.
const LISTED: usize = 200;

/// What the user did with the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Entered it.
    Line(String),
    /// Dropped it with Ctrl-C.
    Interrupted,
    /// Pressed Ctrl-D on an empty one.
    EndOfInput,
    /// Entered one that is longer than [`crate::LINE_LIMIT`]; it is gone.
    TooLong,
}

/// How far [`Editor::feed`] came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that were used; the rest belongs to the next line.
    pub used: usize,
    /// What ended the line, if it has ended.
    pub event: Option<Event>,
}

/// Edits lines, one after the other.
pub struct Editor {
    prompt: Vec<char>,
    width: usize,
    buffer: Buffer,
    history: History,
    decoder: Decoder,
    screen: Screen,
    search: Option<Search>,
    /// First character of the buffer that is on the screen.
    scroll: usize,
    pasting: bool,
    /// The line is longer than the limit; the rest of it is dropped.
    overflowed: bool,
    /// The last key was a Tab that brought nothing: another one lists what is possible.
    tabbed: bool,
}

/// A search through the history.
#[derive(Debug, Default)]
struct Search {
    part: String,
    found: Option<usize>,
}

impl Editor {
    /// An editor with this prompt, for a terminal of `width` columns.
    #[must_use]
    pub fn new(prompt: &str, width: usize) -> Self {
        Self {
            prompt: prompt.chars().collect(),
            width: width.max(prompt.chars().count() + 8),
            buffer: Buffer::default(),
            history: History::default(),
            decoder: Decoder::default(),
            screen: Screen::default(),
            search: None,
            scroll: 0,
            pasting: false,
            overflowed: false,
            tabbed: false,
        }
    }

    /// Shows the prompt and an empty line. The terminal's cursor must stand at a line's start.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        self.buffer.set("");
        self.history.leave();
        self.search = None;
        self.scroll = 0;
        self.pasting = false;
        self.overflowed = false;
        self.tabbed = false;
        self.screen.reset();
        self.render(out);
    }

    /// Takes typed bytes up to the end of the line and writes to `out` what the terminal must get.
    pub fn feed(&mut self, input: &[u8], completer: &dyn Completer, out: &mut Vec<u8>) -> Progress {
        for (index, &byte) in input.iter().enumerate() {
            let Some(key) = self.decoder.accept(byte) else {
                continue;
            };
            let event = self.press(key, completer, out);
            if event.is_some() {
                return Progress {
                    used: index + 1,
                    event,
                };
            }
        }
        self.render(out);
        Progress {
            used: input.len(),
            event: None,
        }
    }

    fn press(&mut self, key: Key, completer: &dyn Completer, out: &mut Vec<u8>) -> Option<Event> {
        if self.pasting {
            self.pasted(key);
            return None;
        }
        let key = if self.search.is_some() {
            self.searching(key)?
        } else {
            key
        };
        let tabbed = core::mem::take(&mut self.tabbed);
        match key {
            Key::Enter => return Some(self.enter(out)),
            Key::Control('c') => {
                self.render(out);
                out.extend_from_slice(b"^C");
                self.screen.leave(out);
                return Some(Event::Interrupted);
            }
            Key::Control('d') if self.buffer.is_empty() => {
                self.screen.leave(out);
                return Some(Event::EndOfInput);
            }
            Key::Control('l') => {
                out.extend_from_slice(b"\x1b[H\x1b[2J");
                self.screen.reset();
            }
            Key::Tab => self.complete(completer, tabbed, out),
            Key::Control('r') => self.search = Some(Search::default()),
            Key::PasteBegin => self.pasting = true,
            Key::Up | Key::Control('p') => {
                if let Some(line) = self.history.older(&self.buffer.line()) {
                    self.buffer.set(line);
                }
            }
            Key::Down | Key::Control('n') => {
                if let Some(line) = self.history.newer() {
                    self.buffer.set(line);
                }
            }
            other => self.edit(other),
        }
        None
    }

    fn edit(&mut self, key: Key) {
        let buffer = &mut self.buffer;
        let cursor = buffer.cursor();
        let result = match key {
            Key::Char(character) => buffer.insert(character),
            Key::Control('y') => buffer.paste(),
            _ => Ok(()),
        };
        match key {
            Key::Left | Key::Control('b') => buffer.go(cursor.saturating_sub(1)),
            Key::Right | Key::Control('f') => buffer.go(cursor + 1),
            Key::Home | Key::Control('a') => buffer.go(0),
            Key::End | Key::Control('e') => buffer.go(buffer.end()),
            Key::WordLeft | Key::Alt('b') => buffer.go(buffer.word_left()),
            Key::WordRight | Key::Alt('f') => buffer.go(buffer.word_right()),
            Key::Backspace => drop(buffer.remove(cursor.saturating_sub(1))),
            Key::Delete | Key::Control('d') => drop(buffer.remove(cursor + 1)),
            Key::Control('k') => buffer.cut(buffer.end()),
            Key::Control('u') => buffer.cut(0),
            Key::Control('w') => buffer.cut(buffer.blank_left()),
            Key::AltBackspace => buffer.cut(buffer.word_left()),
            Key::Alt('d') => buffer.cut(buffer.word_right()),
            Key::Control('t') => buffer.transpose(),
            _ => {}
        }
        self.note(result);
    }

    fn note(&mut self, result: Result<(), Full>) {
        self.overflowed |= result.is_err();
    }

    /// Inside a paste nothing runs, completes or moves; a line break is a blank.
    fn pasted(&mut self, key: Key) {
        let result = match key {
            Key::PasteEnd => {
                self.pasting = false;
                Ok(())
            }
            Key::Char(character) => self.buffer.insert(character),
            Key::Enter | Key::Tab => self.buffer.insert(' '),
            // A paste that never ends would lock the user out.
            Key::Control('c') => {
                self.pasting = false;
                Ok(())
            }
            _ => Ok(()),
        };
        self.note(result);
    }

    fn enter(&mut self, out: &mut Vec<u8>) -> Event {
        self.render(out);
        self.screen.leave(out);
        if self.overflowed {
            return Event::TooLong;
        }
        let line = self.buffer.line();
        self.history.add(&line);
        Event::Line(line)
    }

    fn complete(&mut self, completer: &dyn Completer, tabbed: bool, out: &mut Vec<u8>) {
        let before = self.buffer.before_cursor();
        let completion = completer.complete(&before);
        let Some(word) = before.get(completion.start..) else {
            return;
        };
        let common = common_prefix(&completion.candidates);
        let missing = common.strip_prefix(word).unwrap_or("");
        let result = match completion.candidates.len() {
            // Behind a directory's path comes what is in it.
            1 if common.ends_with('/') => self.buffer.insert_all(missing),
            1 => self
                .buffer
                .insert_all(missing)
                .and_then(|()| self.buffer.insert(' ')),
            _ if !missing.is_empty() => self.buffer.insert_all(missing),
            2.. if tabbed => {
                self.list(&completion.candidates, out);
                Ok(())
            }
            _ => {
                out.push(0x07);
                self.tabbed = true;
                Ok(())
            }
        };
        self.note(result);
    }

    fn list(&mut self, candidates: &[String], out: &mut Vec<u8>) {
        self.render(out);
        self.screen.leave(out);
        let listed = candidates.get(..LISTED).unwrap_or(candidates);
        for line in columns(listed, self.width) {
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        if candidates.len() > LISTED {
            let more = candidates.len() - LISTED;
            out.extend_from_slice(format!("and {more} more\n").as_bytes());
        }
    }

    /// A key during a search; what it returns is to be done to the found line.
    fn searching(&mut self, key: Key) -> Option<Key> {
        let search = self.search.as_mut()?;
        match key {
            Key::Char(character) => {
                if search.part.len() < 128 {
                    search.part.push(character);
                }
                search.found = self.history.search(&search.part, search.found.unwrap_or(0));
            }
            Key::Backspace => {
                search.part.pop();
                search.found = self.history.search(&search.part, 0);
            }
            Key::Control('r') => {
                let from = search.found.map_or(0, |found| found + 1);
                search.found = self.history.search(&search.part, from).or(search.found);
            }
            Key::Control('g') => self.search = None,
            other => {
                let found = search.found.and_then(|found| self.history.line(found));
                if let Some(line) = found {
                    self.buffer.set(line);
                }
                self.search = None;
                return Some(other);
            }
        }
        None
    }

    fn render(&mut self, out: &mut Vec<u8>) {
        if let Some(search) = &self.search {
            let found = search
                .found
                .and_then(|found| self.history.line(found))
                .unwrap_or("");
            let line: Vec<char> = format!("(search '{}') {found}", search.part)
                .chars()
                .take(self.width)
                .collect();
            self.screen.show(&line, line.len(), out);
            return;
        }
        let room = self.width - self.prompt.len() - 1;
        let cursor = self.buffer.cursor();
        self.scroll = self.scroll.clamp(cursor.saturating_sub(room), cursor);
        if self.buffer.end() <= room {
            self.scroll = 0;
        }
        let visible = self.buffer.text().iter().skip(self.scroll).take(room);
        let line: Vec<char> = self.prompt.iter().chain(visible).copied().collect();
        self.screen
            .show(&line, self.prompt.len() + cursor - self.scroll, out);
    }
}
