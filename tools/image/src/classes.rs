//! What each symbol is to the linker.

use crate::abi;
use crate::elf::{Object, Place, Symbol};
use linker::format::metadata::Class;

/// The personality function's pointer, which the compiler makes in each object.
const PERSONALITY_POINTER: &str = "DW.ref.rust_eh_personality";

/// The class of `symbol`: a symbol in executed bytes is a function, whatever its ELF type says
/// (labels of assembly have none).
pub(crate) fn class_of(object: &Object, symbol: &Symbol) -> Class {
    match symbol.place {
        Place::Undefined if symbol.binding == abi::STB_WEAK => Class::WeakImport,
        Place::Undefined => Class::Import,
        Place::Absolute => Class::Other,
        Place::Section(_) if symbol.is_section() || is_compilers_own(&symbol.name) => Class::Other,
        Place::Section(_) => match object.section_of(symbol) {
            Some(section) if section.is_text() => Class::Function,
            Some(section) if section.is_state() => Class::Static,
            _ => Class::Constant,
        },
    }
}

/// Hides what each object has of its own and nobody imports, and gives the sections the rights with
/// which they are loaded (constants with addresses in them were writable for a static linker).
pub(crate) fn normalise(object: &mut Object) {
    for symbol in &mut object.symbols {
        if symbol.name == PERSONALITY_POINTER && symbol.place != Place::Undefined {
            symbol.binding = abi::STB_LOCAL;
        }
    }
    for section in &mut object.sections {
        let rights = if section.is_text() {
            abi::SHF_EXECINSTR
        } else if section.is_state() {
            abi::SHF_WRITE
        } else {
            0
        };
        section.flags = abi::SHF_ALLOC | rights;
    }
}

fn is_compilers_own(name: &str) -> bool {
    name.starts_with(".L") || name.starts_with("GCC_except_table") || name == PERSONALITY_POINTER
}
