//! A value → one JSON document on one line.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::{self, Display, Write};

/// A JSON value. `Display` writes it without a line break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(u64),
    /// A number of thousandths, written as a decimal fraction: 1500 → `1.500`.
    Thousandths(u64),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, its fields in the order given.
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    /// An object with these fields.
    #[must_use]
    pub fn object<const N: usize>(fields: [(&'static str, Self); N]) -> Self {
        Self::Object(Vec::from(fields))
    }

    /// An array of the values that `items` turn into.
    pub fn array<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }

    /// The text that `value` displays.
    pub fn text(value: impl Display) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Number(value)
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self::Number(u64::from(value))
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Self {
        Self::Number(value as u64)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::Text(String::from(value))
    }
}

impl From<&String> for Json {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Thousandths(value) => write!(f, "{}.{:03}", value / 1000, value % 1000),
            Self::Text(text) => quoted(f, text),
            Self::Array(items) => {
                f.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    separator(f, index)?;
                    write!(f, "{item}")?;
                }
                f.write_char(']')
            }
            Self::Object(fields) => {
                f.write_char('{')?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    separator(f, index)?;
                    quoted(f, name)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn separator(f: &mut fmt::Formatter<'_>, index: usize) -> fmt::Result {
    if index == 0 {
        Ok(())
    } else {
        f.write_char(',')
    }
}

/// A JSON string (RFC 8259, section 7): quotes, backslashes and control characters escaped.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            // DEL is allowed bare, but a terminal would act on it.
            control if control.is_control() => write!(f, "\\u{:04x}", u32::from(control))?,
            plain => f.write_char(plain)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::Json;
    use alloc::{string::ToString, vec};

    #[test]
    fn writes_one_line() {
        let value = Json::object([
            ("name", "a\"b\\c\n\u{1b}é".into()),
            ("size", 42_u64.into()),
            ("ms", Json::Thousandths(1205)),
            ("none", None::<u64>.into()),
            ("list", Json::array(vec![true, false])),
        ]);
        assert_eq!(
            value.to_string(),
            r#"{"name":"a\"b\\c\n\u001bé","size":42,"ms":1.205,"none":null,"list":[true,false]}"#
        );
    }
}
