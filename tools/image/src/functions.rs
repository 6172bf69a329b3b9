//! Every function its own: two names for one address would be replaced as one.

use crate::{
    elf::{Object, Place},
    error::Violation,
};
use linker::format::metadata::Class;
use std::collections::BTreeMap;

/// Reports functions of `component` that share an address.
pub(crate) fn check_addresses(
    component: &str,
    object: &Object,
    classes: &[Class],
) -> Vec<Violation> {
    let mut known: BTreeMap<(usize, u64), &str> = BTreeMap::new();
    let mut violations = Vec::new();
    for (symbol, &class) in object.symbols.iter().zip(classes) {
        let Place::Section(section) = symbol.place else {
            continue;
        };
        // A label of assembly (without size) may stand at the start of a function.
        if class != Class::Function || symbol.size == 0 {
            continue;
        }
        if let Some(other) = known.insert((section, symbol.value), &symbol.name) {
            let [one, two] = [other, &symbol.name].map(digests::display_name);
            violations.push(Violation {
                component: component.to_owned(),
                message: format!("functions {one} and {two} were merged into one"),
            });
        }
    }
    violations
}
