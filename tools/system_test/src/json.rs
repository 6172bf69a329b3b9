//! Reading what commands print with `--json`.

use crate::failure::{Failure, Verdict, ensure};
use serde_json::Value;

/// A field's type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// A number.
    Number,
    /// A whole number of at least 0.
    Count,
    /// True or false.
    Truth,
    /// An array.
    List,
    /// Anything, `null` too.
    Any,
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Number => value.is_number(),
            Self::Count => value.is_u64(),
            Self::Truth => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Any => true,
        }
    }
}

/// Checks that `value` is an object with at least these fields.
pub(crate) fn has_fields(value: &Value, fields: &[(&str, Kind)]) -> Verdict {
    for (name, kind) in fields {
        let found = value.get(name);
        ensure(found.is_some_and(|found| kind.fits(found)), || {
            format!("field {name} is not {kind:?} in {value}")
        })?;
    }
    Ok(())
}

/// The items of an array, which has at least one.
pub(crate) fn items(value: &Value) -> Result<&Vec<Value>, Failure> {
    let items = value.as_array().filter(|items| !items.is_empty());
    items.ok_or_else(|| Failure::Wrong(format!("not an array with items: {value}")))
}

/// The item of an array whose `field` is `wanted`.
pub(crate) fn find<'a>(list: &'a Value, field: &str, wanted: &str) -> Result<&'a Value, Failure> {
    let found = list
        .as_array()
        .and_then(|items| items.iter().find(|item| item[field] == wanted));
    found.ok_or_else(|| Failure::Wrong(format!("nothing with {field} {wanted} in {list}")))
}

/// A string field.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str, Failure> {
    let text = value.get(field).and_then(Value::as_str);
    text.ok_or_else(|| Failure::Wrong(format!("no text {field} in {value}")))
}

/// A field that is a whole number of at least 0.
pub(crate) fn count(value: &Value, field: &str) -> Result<u64, Failure> {
    let number = value.get(field).and_then(Value::as_u64);
    number.ok_or_else(|| Failure::Wrong(format!("no number {field} in {value}")))
}
