//! The unwind index: which frame description in `.eh_frame` covers which text.

use crate::abi;
use crate::{
    elf::{Object, Place, Relocation, Section},
    error::{Error, Result},
};
use linker::format::metadata::FrameDescription;

/// Finds all frame descriptions, in the order of the text that they cover.
///
/// # Errors
///
/// When `.eh_frame` is cut off or describes something other than `.text`.
pub(crate) fn frames(component: &str, object: &Object) -> Result<Vec<FrameDescription>> {
    let Some(section) = object
        .section(".eh_frame")
        .map(|index| &object.sections[index])
    else {
        return Ok(Vec::new());
    };
    let mut frames = Vec::new();
    let mut offset = 0;
    while offset < section.bytes.len() {
        let bad = || {
            Error::object(
                component,
                format!(".eh_frame is not understood at {offset:#x}"),
            )
        };
        let length = word(section, offset).ok_or_else(bad)?;
        let id = if length == 0 {
            0
        } else {
            word(section, offset + 4).ok_or_else(bad)?
        };
        if id != 0 {
            frames.push(description(object, section, offset).ok_or_else(bad)?);
        }
        offset += 4 + length as usize;
    }
    frames.sort_by_key(|frame| frame.text_offset);
    Ok(frames)
}

/// The description at `offset`: length, distance to the common part, start of the text (relative to
/// the field, so its relocation gives the text's offset), length of the text.
fn description(object: &Object, section: &Section, offset: usize) -> Option<FrameDescription> {
    let relocation = relocation_at(section, offset as u64 + 8)?;
    let symbol = object.symbols.get(relocation.symbol)?;
    let Place::Section(text) = symbol.place else {
        return None;
    };
    if relocation.kind != abi::R_X86_64_PC32 || object.sections.get(text)?.name != ".text" {
        return None;
    }
    let text_offset = symbol.value.checked_add_signed(relocation.addend)?;
    Some(FrameDescription {
        text_offset: u32::try_from(text_offset).ok()?,
        length: word(section, offset + 12)?,
        entry_offset: u32::try_from(offset).ok()?,
    })
}

fn word(section: &Section, offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        *section.bytes.get(offset..)?.first_chunk()?,
    ))
}

fn relocation_at(section: &Section, offset: u64) -> Option<&Relocation> {
    let relocations = &section.relocations;
    let index = relocations
        .binary_search_by_key(&offset, |relocation| relocation.offset)
        .ok()?;
    relocations.get(index)
}
