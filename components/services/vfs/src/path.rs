//! Paths: what they may consist of, and their names one by one.
//!
//! A path is UTF-8. Names are separated by `/`; several in a row are one, and one at the end says that
//! the last name is a directory's. `.` is no step, `..` the step to the directory above, above the root
//! the root itself. Control characters are in no name, since names are shown on terminals.

use crate::Reason;
use alloc::string::String;

/// Longest path in bytes, with the current directory in front of a relative one.
pub const PATH_LIMIT: usize = 4096;

/// Longest name in bytes.
pub const NAME_LIMIT: usize = 255;

/// Of each byte, whether a name ends before it or has to be looked at more closely from there on: all but the
/// printable characters of ASCII without the slash. A look at a table is cheaper than two comparisons.
static ENDS_NAME: [bool; 256] = {
    let mut ends = [true; 256];
    let mut byte = b' ' as usize;
    while byte < 0x7F {
        ends[byte] = byte == b'/' as usize;
        byte += 1;
    }
    ends
};

/// A step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step<'p> {
    /// The name, or `..`.
    pub(crate) name: &'p str,
    /// Where in the path it ends.
    pub(crate) end: usize,
    /// Whether a `/` stands behind it.
    pub(crate) is_directory: bool,
}

/// The steps of a path, without those that lead nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Steps<'p> {
    text: &'p str,
    at: usize,
    /// What is wrong with the steps that were taken, and where that ends.
    problem: Option<(Reason, usize)>,
}

impl<'p> Steps<'p> {
    /// The steps of `path`.
    ///
    /// # Errors
    ///
    /// When the path is empty or too long, with the offset behind what is wrong.
    pub(crate) fn of(path: &'p str) -> Result<Self, (Reason, usize)> {
        let length = path.len();
        if length == 0 {
            return Err((Reason::EmptyPath, 0));
        }
        if length > PATH_LIMIT {
            return Err((Reason::PathTooLong { length }, length));
        }
        Ok(Self::unchecked(path))
    }

    const fn unchecked(text: &'p str) -> Self {
        Self {
            text,
            at: 0,
            problem: None,
        }
    }

    /// Whether the names of all steps so far are allowed.
    pub(crate) const fn check(&self) -> Result<(), (Reason, usize)> {
        match self.problem {
            None => Ok(()),
            Some(problem) => Err(problem),
        }
    }

    /// Goes behind the name that begins here, and looks at its characters.
    #[inline]
    fn pass_name(&mut self, rest: &[u8]) {
        let ends = |byte: &u8| ENDS_NAME.get(usize::from(*byte)) != Some(&false);
        let mut length = rest.iter().position(ends).unwrap_or(rest.len());
        if rest.get(length).is_some_and(|&byte| byte != b'/') {
            length = self.pass_odd_name(rest, length);
        }
        self.at += length;
        if length > NAME_LIMIT {
            self.problem = Some((Reason::NameTooLong { length }, self.at));
        }
    }

    /// Looks at the characters of a name of which not all are plain; its length.
    #[cold]
    fn pass_odd_name(&mut self, rest: &[u8], plain: usize) -> usize {
        let length = rest.iter().position(|&byte| byte == b'/');
        let length = length.unwrap_or(rest.len());
        for at in plain..length {
            self.look_at_character(self.at + at);
        }
        length
    }

    /// Notes a control character: C0 and DEL, and C1, which UTF-8 writes as two bytes.
    fn look_at_character(&mut self, at: usize) {
        let rest = self.text.get(at..); // None inside a character, whose beginning was looked at.
        let character = rest.and_then(|rest| rest.chars().next());
        if let Some(character) = character.filter(|character| character.is_control()) {
            let end = at + character.len_utf8();
            self.problem
                .get_or_insert((Reason::ControlCharacter { character }, end));
        }
    }
}

impl<'p> Iterator for Steps<'p> {
    type Item = Step<'p>;

    #[inline]
    fn next(&mut self) -> Option<Step<'p>> {
        let bytes = self.text.as_bytes();
        loop {
            while *bytes.get(self.at)? == b'/' {
                self.at += 1;
            }
            let start = self.at;
            self.pass_name(bytes.get(start..)?);
            let name = self.text.get(start..self.at)?;
            if name != "." {
                return Some(Step {
                    name,
                    end: self.at,
                    is_directory: self.at < bytes.len(),
                });
            }
        }
    }
}

/// The absolute path that `path` is, seen from `directory`, in its shortest form.
///
/// This looks at names only. Since no name leads elsewhere here, it is where a walk arrives, if there
/// is what the walk goes through.
#[must_use]
pub fn absolute(directory: &str, path: &str) -> String {
    let mut shortest = String::with_capacity(directory.len() + path.len() + 1);
    let from = if path.starts_with('/') { "" } else { directory };
    for step in Steps::unchecked(from).chain(Steps::unchecked(path)) {
        if step.name == ".." {
            shortest.truncate(shortest.rfind('/').unwrap_or(0));
        } else {
            shortest.push('/');
            shortest.push_str(step.name);
        }
    }
    if shortest.is_empty() {
        shortest.push('/');
    }
    shortest
}

/// The last name of `path`; none of the root, or when it ends in `..`.
#[must_use]
pub fn last_name(path: &str) -> Option<&str> {
    let last = Steps::unchecked(path).last()?;
    (last.name != "..").then_some(last.name)
}

/// The path of `name` in `directory`.
#[must_use]
pub fn join(directory: &str, name: &str) -> String {
    let mut joined = String::with_capacity(directory.len() + name.len() + 1);
    joined.push_str(directory);
    if !directory.ends_with('/') {
        joined.push('/');
    }
    joined.push_str(name);
    joined
}

#[cfg(test)]
mod tests {
    use super::{NAME_LIMIT, PATH_LIMIT, Step, Steps, absolute, join, last_name};
    use crate::Reason;
    use alloc::{string::String, vec, vec::Vec};

    fn steps(text: &str) -> Result<Vec<Step<'_>>, (Reason, usize)> {
        let mut steps = Steps::of(text)?;
        let found: Vec<_> = steps.by_ref().collect();
        steps.check().map(|()| found)
    }

    fn names(text: &str) -> Vec<&str> {
        steps(text).unwrap().iter().map(|step| step.name).collect()
    }

    fn reason(text: &str) -> (Reason, usize) {
        steps(text).unwrap_err()
    }

    #[test]
    fn splits_into_names() {
        assert_eq!(names("/"), Vec::<&str>::new());
        assert_eq!(names("/a//b/./c/"), vec!["a", "b", "c"]);
        assert_eq!(names("a/../b"), vec!["a", "..", "b"]);
        assert_eq!(names("..."), vec!["..."]);
        let last = *steps("a/é/").unwrap().last().unwrap();
        assert_eq!((last.name, last.end, last.is_directory), ("é", 4, true));
    }

    #[test]
    fn refuses_what_is_no_path() {
        assert_eq!(reason(""), (Reason::EmptyPath, 0));
        let control = |character, end| (Reason::ControlCharacter { character }, end);
        assert_eq!(reason("/a\0b"), control('\0', 3));
        assert_eq!(reason("/a/\u{1b}[2J"), control('\u{1b}', 4));
        assert_eq!(reason("\u{7f}"), control('\u{7f}', 1));
        assert_eq!(reason("é\u{9b}"), control('\u{9b}', 4));
        assert_eq!(reason("\u{9b}\0"), control('\u{9b}', 2));
        assert!(steps("/é/日本語/\u{1F980}").is_ok());
    }

    #[test]
    fn refuses_what_is_too_long() {
        let name = "n".repeat(NAME_LIMIT);
        assert!(steps(&name).is_ok());
        let length = NAME_LIMIT + 1;
        let long = name + "n";
        assert_eq!(reason(&long), (Reason::NameTooLong { length }, length));
        assert!(steps(&"a/".repeat(PATH_LIMIT / 2)).is_ok());
        for length in [PATH_LIMIT + 1, 64 << 10] {
            let text = "a/".repeat(length / 2 + 1);
            let text = text.get(..length).unwrap();
            assert_eq!(reason(text), (Reason::PathTooLong { length }, length));
        }
        // 10,000 names do not fit either.
        assert!(matches!(
            reason(&"a/".repeat(10_000)),
            (Reason::PathTooLong { .. }, _)
        ));
    }

    #[test]
    fn makes_the_shortest_form() {
        assert_eq!(absolute("/", "a"), "/a");
        assert_eq!(absolute("/a/b", "../c"), "/a/c");
        assert_eq!(absolute("/a", "/b/./c//"), "/b/c");
        assert_eq!(absolute("/a", "../../../.."), "/");
        assert_eq!(absolute("/", &"../".repeat(1000)), "/");
        assert_eq!(last_name("/a/b/"), Some("b"));
        assert_eq!(last_name("/"), None);
        assert_eq!(last_name("a/.."), None);
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("/a", "b"), "/a/b");
    }

    #[test]
    fn anything_is_parsed_without_a_panic() {
        let alphabet = ['a', '/', '.', 'é', '\0', '\u{85}', '\u{1F980}', '~'];
        let mut state = 1_u64;
        for round in 0..20_000 {
            let mut text = String::new();
            for _ in 0..round % 16 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text.push(alphabet[(state >> 33) as usize % alphabet.len()]);
            }
            let shortest = absolute("/x", &text);
            assert!(
                shortest.starts_with('/') && !shortest.contains("//"),
                "{text:?}"
            );
            if let Ok(steps) = steps(&text) {
                assert!(steps.iter().all(|step| text.is_char_boundary(step.end)));
                assert!(!text.chars().any(char::is_control), "{text:?}");
            }
        }
    }
}
