//! The one object that is needed from the definition block: `\_S5`, the package that says which
//! sleep types mean "off" (ACPI 6.5, sections 7.4.2 and 20.2).

use crate::{TableError, table::Table};

const NAME_OP: u8 = 0x08;
const PACKAGE_OP: u8 = 0x12;
const BYTE_PREFIX: u8 = 0x0A;
const ROOT_CHARACTER: u8 = b'\\';

pub(crate) fn sleep_off(table: &Table) -> Result<[u8; 2], TableError> {
    let code = table.body();
    code.windows(4)
        .enumerate()
        .filter(|(_, window)| window == b"_S5_")
        .find_map(|(offset, _)| {
            let before = code.get(..offset)?;
            let named =
                before.ends_with(&[NAME_OP]) || before.ends_with(&[NAME_OP, ROOT_CHARACTER]);
            named.then(|| package(code.get(offset + 4..)?)).flatten()
        })
        .ok_or(TableError::NoSleepOff)
}

/// The first two elements of a package, as small numbers.
fn package(code: &[u8]) -> Option<[u8; 2]> {
    let [PACKAGE_OP, rest @ ..] = code else {
        return None;
    };
    // The length's first byte says how many bytes of it follow; then comes the number of elements.
    let more = usize::from(rest.first()? >> 6);
    let elements = rest.get(1 + more + 1..)?;
    let (first, elements) = number(elements)?;
    let (second, _) = number(elements)?;
    Some([first, second])
}

/// A number of one byte (0 and 1 stand for themselves), and what follows it.
fn number(code: &[u8]) -> Option<(u8, &[u8])> {
    match code {
        [value @ (0 | 1), rest @ ..] => Some((*value, rest)),
        [BYTE_PREFIX, value, rest @ ..] => Some((*value, rest)),
        _ => None,
    }
}
