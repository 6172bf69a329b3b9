//! Tests of the editor as a whole: bytes typed → event and what a terminal shows.

use crate::{Completer, Completion, Editor, Event, LINE_LIMIT, NoCompletion};
use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

/// The few things of a terminal that the editor uses.
#[derive(Default)]
struct Terminal {
    lines: Vec<Vec<char>>,
    current: Vec<char>,
    column: usize,
}

impl Terminal {
    fn print(&mut self, bytes: &[u8]) {
        let text = core::str::from_utf8(bytes).unwrap();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '\n' => {
                    self.lines.push(core::mem::take(&mut self.current));
                    self.column = 0;
                }
                '\u{8}' => self.column -= 1,
                '\u{7}' => {}
                '\u{1b}' => {
                    assert_eq!(characters.next(), Some('['));
                    let mut number = String::new();
                    let last = loop {
                        match characters.next().unwrap() {
                            digit @ '0'..='9' => number.push(digit),
                            other => break other,
                        }
                    };
                    match last {
                        'D' => self.column -= number.parse::<usize>().unwrap(),
                        'C' => self.column += number.parse::<usize>().unwrap(),
                        'K' => self.current.truncate(self.column),
                        'H' => self.column = 0,
                        'J' => {
                            self.lines.clear();
                            self.current.clear();
                        }
                        other => panic!("sequence ending in {other}"),
                    }
                }
                plain => {
                    assert!(self.column <= self.current.len());
                    self.current.truncate(self.current.len().max(self.column));
                    if self.column == self.current.len() {
                        self.current.push(plain);
                    } else {
                        self.current[self.column] = plain;
                    }
                    self.column += 1;
                }
            }
        }
    }

    fn line(&self) -> String {
        self.current.iter().collect()
    }
}

struct Session {
    editor: Editor,
    terminal: Terminal,
}

impl Session {
    fn new(width: usize) -> Self {
        let mut session = Self {
            editor: Editor::new("> ", width),
            terminal: Terminal::default(),
        };
        session.begin();
        session
    }

    fn begin(&mut self) {
        let mut out = Vec::new();
        self.editor.begin(&mut out);
        self.terminal.print(&out);
    }

    /// Feeds byte by byte, as a person types; the first event.
    fn type_keys(&mut self, keys: &[u8]) -> Option<Event> {
        for key in keys {
            let mut out = Vec::new();
            let progress = self.editor.feed(&[*key], &Words, &mut out);
            self.terminal.print(&out);
            if progress.event.is_some() {
                return progress.event;
            }
        }
        None
    }

    fn enter(&mut self, keys: &[u8]) -> String {
        let event = self.type_keys(keys).or_else(|| self.type_keys(b"\r"));
        self.begin();
        match event {
            Some(Event::Line(line)) => line,
            other => panic!("{other:?}"),
        }
    }
}

/// Completes the last word.
struct Words;

impl Completer for Words {
    fn complete(&self, before: &str) -> Completion {
        let start = before.rfind(' ').map_or(0, |blank| blank + 1);
        let known = ["components", "commands", "swap", "crash"];
        let candidates = known
            .iter()
            .filter(|word| word.starts_with(&before[start..]))
            .map(|word| (*word).to_owned())
            .collect();
        Completion { start, candidates }
    }
}

#[test]
fn edits_with_all_keys() {
    let mut session = Session::new(80);
    assert_eq!(session.enter(b"hello"), "hello");
    assert_eq!(session.enter(b"hllo\x01\x06e"), "hello");
    assert_eq!(session.enter(b"hllo\x1b[H\x1b[Ce"), "hello");
    assert_eq!(session.enter(b"elloh\x1b[D\x14\x05!\x01\x1b[3~"), "llho!");
    assert_eq!(session.enter(b"one two\x17three"), "one three");
    assert_eq!(session.enter(b"one two\x15\x19\x19"), "one twoone two");
    assert_eq!(session.enter(b"one two\x1bbx"), "one xtwo");
    assert_eq!(
        session.enter(b"one two\x1b[1;5D\x1b[1;5D\x0b\x19."),
        "one two."
    );
    assert_eq!(session.enter(b"one two\x01\x1bd\x04x"), "xtwo");
    assert_eq!(session.enter(b"abc\x7f\x08d"), "ad");
    assert_eq!(session.enter("grüße\x02\x02\x7f→".as_bytes()), "gr→ße");
}

#[test]
fn screen_shows_the_buffer() {
    let mut session = Session::new(80);
    session.type_keys(b"hello world\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x7f\x7fX");
    assert_eq!(session.terminal.line(), "> hellXworld");
    assert_eq!(session.terminal.column, 7);
    session.type_keys(b"\x0b");
    assert_eq!(session.terminal.line(), "> hellX");
    session.type_keys(b"\x0c");
    assert_eq!(session.terminal.line(), "> hellX");
}

#[test]
fn long_lines_scroll_sideways() {
    let mut session = Session::new(20);
    session.type_keys(b"0123456789abcdefghijklmn");
    assert!(session.terminal.line().ends_with("lmn"));
    assert!(session.terminal.line().chars().count() < 20);
    session.type_keys(b"\x01");
    assert_eq!(session.terminal.line(), "> 0123456789abcdefg");
    assert_eq!(session.enter(b""), "0123456789abcdefghijklmn");
}

#[test]
fn history_goes_back_and_forth() {
    let mut session = Session::new(80);
    session.enter(b"one");
    session.enter(b"two");
    session.enter(b"two");
    assert_eq!(session.enter(b"draft\x1b[A\x1b[A"), "one");
    assert_eq!(session.enter(b"draft\x1b[A\x1b[A\x1b[B\x1b[B"), "draft");
    assert_eq!(session.enter(b"\x12on"), "one");
    assert_eq!(session.enter(b"\x12wo\x05!"), "two!");
    assert_eq!(session.enter(b"kept\x12zzz\x07"), "kept");
}

#[test]
fn completes() {
    let mut session = Session::new(80);
    assert_eq!(session.enter(b"sw\tx"), "swap x");
    assert_eq!(session.enter(b"co\t"), "com");
    session.type_keys(b"com\t");
    assert!(
        session
            .terminal
            .lines
            .iter()
            .all(|line| !line.contains(&'d'))
    );
    session.type_keys(b"\t");
    let above = session.terminal.lines.last().unwrap();
    assert_eq!(above.iter().collect::<String>(), "components  commands");
    assert_eq!(session.terminal.line(), "> com");
    assert_eq!(session.enter(b"\x15zz\tq"), "zzq");
}

#[test]
fn ends_of_a_line() {
    let mut session = Session::new(80);
    assert_eq!(session.type_keys(b"ab\x03"), Some(Event::Interrupted));
    session.begin();
    assert_eq!(session.type_keys(b"\x04"), Some(Event::EndOfInput));
    session.begin();
    let mut out = Vec::new();
    // Piped input: `\n` alone, and `\r\n` as one.
    let input = b"one\r\ntwo\nthree";
    let mut lines = vec![];
    let mut at = 0;
    while at < input.len() {
        let progress = session.editor.feed(&input[at..], &NoCompletion, &mut out);
        at += progress.used;
        if let Some(Event::Line(line)) = progress.event {
            lines.push(line);
            session.editor.begin(&mut out);
        }
    }
    assert_eq!(lines, ["one", "two"]);
}

#[test]
fn too_long_a_line_is_refused_whole() {
    let mut session = Session::new(80);
    let mut input = vec![b'x'; 64 * 1024];
    input.push(b'\r');
    let mut out = Vec::new();
    let progress = session.editor.feed(&input, &Words, &mut out);
    assert_eq!(
        progress,
        crate::Progress {
            used: input.len(),
            event: Some(Event::TooLong)
        }
    );
    session.begin();
    assert_eq!(session.enter(b"ok"), "ok");
    assert_eq!(session.enter(&vec![b'y'; LINE_LIMIT]).len(), LINE_LIMIT);
}

#[test]
fn paste_runs_nothing() {
    let mut session = Session::new(80);
    assert_eq!(
        session.enter(b"a\x1b[200~poweroff\rb\t\x1b[A\x1b[201~c"),
        "apoweroff b c"
    );
}

#[test]
fn garbage_is_harmless() {
    let mut session = Session::new(40);
    let mut state = 7_u64;
    for _ in 0..60_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        if session.type_keys(&state.to_le_bytes()[5..6]).is_some() {
            session.begin();
        }
    }
    while session.type_keys(b"\x03").is_none() {}
    session.begin();
    assert_eq!(session.enter(b"alive"), "alive");
    assert_eq!(session.enter(b"\x1b[99999999999999~\xff\xc3(\xe2\x82"), "(");
}
