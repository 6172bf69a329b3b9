//! Addresses of functions: makes every one that is taken a relocation against the function's symbol.
//!
//! At run time the address of a function is the address of its stub, so the linker must see where
//! one is taken. The compiler leaves two cases that do not say so: the address of a private function
//! is written as section + offset, and a function that takes its own address needs no relocation at
//! all. Both become relocations against the symbol. Tables in `.rodata` that are relative to
//! themselves (jump tables, `PC32`), unwind tables and landing pads are left alone: what they point
//! to is inside a function and is not called.

use crate::abi;
use crate::{
    elf::{Object, Place, Relocation, Section},
    error::{Error, Result},
};
use iced_x86::{Code, Decoder, DecoderOptions};
use std::collections::BTreeMap;

/// Distance from the place of a PC-relative operand that ends its instruction to the next one.
const OPERAND: i64 = 4;

/// The entries of the functions in `.text`: offset → symbol.
type Entries = BTreeMap<u64, usize>;

/// Makes every function address and every reference to a static one against its symbol.
///
/// # Errors
///
/// When an address in `.text` is taken that is no function's entry.
pub(crate) fn name_targets(component: &str, object: &mut Object) -> Result<()> {
    let text = object.section(".text");
    let entries = text.map(|text| entries(object, text)).unwrap_or_default();
    let statics = statics(object);
    for section in 0..object.sections.len() {
        if !has_addresses(&object.sections[section]) {
            continue;
        }
        for index in 0..object.sections[section].relocations.len() {
            let relocation = object.sections[section].relocations[index].clone();
            let target = &object.symbols[relocation.symbol];
            let Place::Section(place) = target.place else {
                continue;
            };
            let named = if !target.is_section() {
                None
            } else if Some(place) == text {
                let from = &object.sections[section];
                name_function(component, from, &relocation, &entries)?
            } else {
                statics.get(&place).map(|&symbol| Relocation {
                    symbol,
                    ..relocation.clone()
                })
            };
            if let Some(named) = named {
                object.sections[section].relocations[index] = named;
            }
        }
    }
    if let Some(text) = text {
        name_own_addresses(object, text, &entries);
    }
    Ok(())
}

/// Symbols of functions, by their offset; of several at one address the exported or first named.
fn entries(object: &Object, text: usize) -> Entries {
    let mut entries = Entries::new();
    for (index, symbol) in object.symbols.iter().enumerate() {
        if symbol.place != Place::Section(text) || symbol.is_section() {
            continue;
        }
        let rank = |index: usize| {
            let symbol = &object.symbols[index];
            (symbol.binding == abi::STB_LOCAL, symbol.name.clone())
        };
        entries
            .entry(symbol.value)
            .and_modify(|known| {
                if rank(index) < rank(*known) {
                    *known = index;
                }
            })
            .or_insert(index);
    }
    entries
}

/// The symbol of the static that a section is the storage of.
fn statics(object: &Object) -> BTreeMap<usize, usize> {
    let mut statics = BTreeMap::new();
    for (index, symbol) in object.symbols.iter().enumerate() {
        if let Place::Section(place) = symbol.place
            && object.sections[place].is_state()
            && !symbol.is_section()
            && symbol.value == 0
        {
            statics.entry(place).or_insert(index);
        }
    }
    statics
}

/// Whether the words of a section may be function addresses.
fn has_addresses(section: &Section) -> bool {
    section.is_text() || section.is_state() || section.name == ".rodata"
}

fn name_function(
    component: &str,
    from: &Section,
    relocation: &Relocation,
    entries: &Entries,
) -> Result<Option<Relocation>> {
    let (offset, addend) = match relocation.kind {
        abi::R_X86_64_64 => (relocation.addend, 0),
        abi::R_X86_64_PC32 if from.is_text() => (relocation.addend + OPERAND, -OPERAND),
        // A branch inside the object, or a jump table.
        _ => return Ok(None),
    };
    let entry = u64::try_from(offset)
        .ok()
        .and_then(|offset| entries.get(&offset));
    let Some(&symbol) = entry else {
        let place = relocation.offset;
        return Err(Error::object(
            component,
            format!(
                "{}+{place:#x} takes the address .text+{offset:#x}, where no function begins",
                from.name
            ),
        ));
    };
    Ok(Some(Relocation {
        symbol,
        addend,
        ..*relocation
    }))
}

/// Finds `lea` of a function's own entry (the only address that the assembler can resolve alone,
/// because each function has its own section) and makes it a relocation.
fn name_own_addresses(object: &mut Object, text: usize, entries: &Entries) {
    let section = &object.sections[text];
    let mut found = Vec::new();
    for (&start, &symbol) in entries {
        let end = start.saturating_add(object.symbols[symbol].size);
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let Some(bytes) = range.and_then(|(start, end)| section.bytes.get(start..end)) else {
            continue;
        };
        let mut decoder = Decoder::with_ip(64, bytes, start, DecoderOptions::NONE);
        while decoder.can_decode() {
            let instruction = decoder.decode();
            if instruction.code() != Code::Lea_r64_m || !instruction.is_ip_rel_memory_operand() {
                continue;
            }
            let Some(&symbol) = entries.get(&instruction.ip_rel_memory_address()) else {
                continue;
            };
            let operand = decoder
                .get_constant_offsets(&instruction)
                .displacement_offset() as u64;
            let offset = instruction.ip() + operand;
            if !is_relocated(section, offset) {
                found.push(Relocation {
                    offset,
                    kind: abi::R_X86_64_PC32,
                    symbol,
                    addend: -OPERAND,
                });
            }
        }
    }
    let section = &mut object.sections[text];
    for relocation in &found {
        let place = usize::try_from(relocation.offset).unwrap_or(usize::MAX);
        if let Some(bytes) = section.bytes.get_mut(place..place.saturating_add(4)) {
            bytes.fill(0);
        }
    }
    section.relocations.extend(found);
    section
        .relocations
        .sort_by_key(|relocation| relocation.offset);
}

fn is_relocated(section: &Section, offset: u64) -> bool {
    section
        .relocations
        .binary_search_by_key(&offset, |relocation| relocation.offset)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Symbol;

    fn section(name: &str, flags: u64, bytes: &[u8]) -> Section {
        Section {
            name: name.into(),
            kind: abi::SHT_PROGBITS,
            flags: abi::SHF_ALLOC | flags,
            align: 16,
            size: bytes.len() as u64,
            bytes: bytes.to_vec(),
            relocations: Vec::new(),
        }
    }

    fn symbol(name: &str, kind: u8, value: u64, size: u64, section: usize) -> Symbol {
        let place = Place::Section(section);
        Symbol {
            name: name.into(),
            value,
            size,
            binding: abi::STB_LOCAL,
            kind,
            place,
        }
    }

    /// Two functions, `first` at 0 and `second` at 16; `second` takes its own address.
    fn sample(relocation: Relocation, in_text: bool) -> Object {
        let mut text = [0x90; 32];
        // lea rax, [rip - 7]: the instruction's own start.
        text[16..23].copy_from_slice(&[0x48, 0x8d, 0x05, 0xf9, 0xff, 0xff, 0xff]);
        let mut sections = vec![
            section(".text", abi::SHF_EXECINSTR, &text),
            section(".rodata", 0, &[0; 16]),
            section(".bss.COUNT", abi::SHF_WRITE, &[]),
        ];
        sections[usize::from(!in_text)].relocations.push(relocation);
        let symbols = vec![
            symbol("", abi::STT_SECTION, 0, 0, 0),
            symbol("first", abi::sample::STT_FUNC, 0, 16, 0),
            symbol("second", abi::sample::STT_FUNC, 16, 16, 0),
            symbol("", abi::STT_SECTION, 0, 0, 2),
            symbol("COUNT", abi::sample::STT_OBJECT, 0, 8, 2),
        ];
        Object { sections, symbols }
    }

    fn relocation(kind: u32, symbol: usize, addend: i64) -> Relocation {
        Relocation {
            offset: 4,
            kind,
            symbol,
            addend,
        }
    }

    #[test]
    fn an_address_taken_in_text_is_named() {
        let mut object = sample(relocation(abi::R_X86_64_PC32, 0, 12), true);
        name_targets("sample", &mut object).unwrap();
        assert_eq!(
            object.sections[0].relocations[0],
            relocation(abi::R_X86_64_PC32, 2, -4)
        );
    }

    #[test]
    fn an_address_in_a_table_is_named() {
        let mut object = sample(relocation(abi::R_X86_64_64, 0, 16), false);
        name_targets("sample", &mut object).unwrap();
        assert_eq!(
            object.sections[1].relocations[0],
            relocation(abi::R_X86_64_64, 2, 0)
        );
    }

    #[test]
    fn branches_and_jump_tables_stay() {
        for (kind, in_text) in [
            (abi::sample::R_X86_64_PLT32, true),
            (abi::R_X86_64_PC32, false),
        ] {
            let mut object = sample(relocation(kind, 0, 12), in_text);
            name_targets("sample", &mut object).unwrap();
            let section = usize::from(!in_text);
            assert_eq!(
                object.sections[section].relocations[0],
                relocation(kind, 0, 12)
            );
        }
    }

    #[test]
    fn a_reference_to_a_static_is_named() {
        let mut object = sample(relocation(abi::R_X86_64_PC32, 3, -5), true);
        name_targets("sample", &mut object).unwrap();
        assert_eq!(
            object.sections[0].relocations[0],
            relocation(abi::R_X86_64_PC32, 4, -5)
        );
    }

    #[test]
    fn an_address_inside_a_function_is_refused() {
        let mut object = sample(relocation(abi::R_X86_64_PC32, 0, 13), true);
        let error = name_targets("sample", &mut object).unwrap_err().to_string();
        assert!(
            error.contains("sample") && error.contains(".text+0x11"),
            "{error}"
        );
    }

    #[test]
    fn a_function_that_takes_its_own_address_gets_a_relocation() {
        let mut object = sample(relocation(abi::sample::R_X86_64_PLT32, 0, 12), true);
        name_targets("sample", &mut object).unwrap();
        let added = Relocation {
            offset: 19,
            kind: abi::R_X86_64_PC32,
            symbol: 2,
            addend: -4,
        };
        assert_eq!(object.sections[0].relocations[1], added);
        assert_eq!(object.sections[0].bytes[19..23], [0; 4]);
    }
}
