//! The name of a task.

use alloc::{boxed::Box, string::String};
use core::{fmt, ops::Deref};

/// Bytes of a name that need no memory of their own.
const SHORT: usize = 30;

/// The name of a task. A short one lies in the task itself.
#[derive(Clone)]
pub struct TaskName(Text);

#[derive(Clone)]
enum Text {
    Short { bytes: [u8; SHORT], length: u8 },
    Long(Box<str>),
}

impl Deref for TaskName {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Text::Short { bytes, length } => {
                let bytes = bytes.get(..usize::from(*length)).unwrap_or_default();
                // They were copied from a string, whole.
                core::str::from_utf8(bytes).unwrap_or_default()
            }
            Text::Long(text) => text,
        }
    }
}

impl From<&str> for TaskName {
    fn from(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        let length = u8::try_from(text.len());
        match (bytes.get_mut(..text.len()), length) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self(Text::Short { bytes, length })
            }
            _ => Self(Text::Long(text.into())),
        }
    }
}

impl From<String> for TaskName {
    fn from(text: String) -> Self {
        if text.len() <= SHORT {
            Self::from(text.as_str())
        } else {
            Self(Text::Long(text.into_boxed_str()))
        }
    }
}

impl From<&String> for TaskName {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl fmt::Debug for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length_come_back() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 300] {
            let text: String = core::iter::repeat_n('x', length).collect();
            assert_eq!(&*TaskName::from(text.as_str()), text);
            assert_eq!(&*TaskName::from(text.clone()), text);
        }
        assert_eq!(&*TaskName::from("aufgäbe"), "aufgäbe");
    }
}
