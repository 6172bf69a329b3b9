//! Real objects for the tests: the toolchain's own `core` and `alloc`, with metadata added as the
//! image builder adds it, but with keys that are plain hashes of the ELF names.

use linker::format::{
    Record, Span,
    metadata::{self, Class},
};
use std::{fs, path::PathBuf, process::Command};
use xxhash_rust::xxh3::xxh3_64;

pub(crate) const TOOLCHAIN: u128 = 0x1234;

/// The one object of a prebuilt crate, with metadata.
pub(crate) fn prebuilt(name: &str) -> Vec<u8> {
    let path = fs::read_dir(library_folder())
        .expect("sysroot's library folder")
        .map(|entry| entry.expect("entry").path())
        .find(|path| {
            let file = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            file.starts_with(&format!("lib{name}-")) && file.ends_with(".rlib")
        })
        .expect("prebuilt crate");
    let archive = fs::read(path).expect("rlib");
    let object = archive_members(&archive)
        .into_iter()
        .find(|bytes| bytes.starts_with(b"\x7fELF") && has_text(bytes))
        .expect("object");
    with_metadata(name, &object)
}

fn library_folder() -> PathBuf {
    let output = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()))
        .args(["--print", "sysroot"])
        .output()
        .expect("rustc");
    let sysroot = String::from_utf8(output.stdout).expect("path");
    PathBuf::from(sysroot.trim()).join("lib/rustlib/x86_64-unknown-linux-gnu/lib")
}

/// The members of an `ar` archive.
fn archive_members(archive: &[u8]) -> Vec<Vec<u8>> {
    let mut members = Vec::new();
    let mut at = 8;
    while at + 60 <= archive.len() {
        let size = std::str::from_utf8(&archive[at + 48..at + 58]).expect("size");
        let size: usize = size.trim().parse().expect("number");
        members.push(archive[at + 60..at + 60 + size].to_vec());
        at += 60 + size.next_multiple_of(2);
    }
    members
}

fn has_text(elf: &[u8]) -> bool {
    raw_sections(elf)
        .iter()
        .filter(|section| section.flags & 4 != 0)
        .count()
        > 2
}

pub(crate) struct RawSection {
    pub(crate) header: usize,
    pub(crate) kind: u32,
    pub(crate) flags: u64,
    pub(crate) offset: usize,
    pub(crate) size: usize,
    pub(crate) link: u32,
    pub(crate) info: u32,
}

pub(crate) fn raw_sections(elf: &[u8]) -> Vec<RawSection> {
    let table = word(elf, 40) as usize;
    (0..usize::from(u16::from_le_bytes([elf[60], elf[61]])))
        .map(|index| {
            let header = table + index * 64;
            RawSection {
                header,
                kind: (word(elf, header) >> 32) as u32,
                flags: word(elf, header + 8),
                offset: word(elf, header + 24) as usize,
                size: word(elf, header + 32) as usize,
                link: word(elf, header + 40) as u32,
                info: (word(elf, header + 40) >> 32) as u32,
            }
        })
        .collect()
}

pub(crate) fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

fn c_string(table: &[u8], at: usize) -> &[u8] {
    let rest = &table[at..];
    &rest[..rest.iter().position(|byte| *byte == 0).expect("terminated")]
}

/// Adds a `.strake` section to an object.
pub(crate) fn with_metadata(name: &str, elf: &[u8]) -> Vec<u8> {
    let sections = raw_sections(elf);
    let table = sections
        .iter()
        .find(|section| section.kind == 2)
        .expect("symbol table");
    let strings = &sections[table.link as usize];
    let strings = &elf[strings.offset..strings.offset + strings.size];
    let mut symbols = Vec::new();
    for symbol in elf[table.offset..table.offset + table.size].chunks(24) {
        let section = usize::from(u16::from_le_bytes([symbol[6], symbol[7]]));
        let symbol_name = c_string(strings, word(symbol, 0) as u32 as usize);
        let flags = sections.get(section).map_or(0, |section| section.flags);
        let class = match (section, symbol[4] & 0xF, symbol[4] >> 4) {
            (_, 3 | 4, _) => Class::Other,
            (0, _, _) if symbol_name.is_empty() => Class::Other,
            (0, _, 2) => Class::WeakImport,
            (0, ..) => Class::Import,
            (section, ..) if section >= 0xFF00 => Class::Other,
            _ if flags & 4 != 0 => Class::Function,
            _ if flags & 1 != 0 => Class::Static,
            _ => Class::Constant,
        };
        let key = if symbol_name.is_empty() {
            0
        } else {
            xxh3_64(symbol_name)
        };
        symbols.push(metadata::Symbol {
            key,
            digest: 0,
            class: class as u16,
            reserved: 0,
        });
    }
    append_section(elf, ".strake", &metadata_bytes(name, &symbols))
}

fn metadata_bytes(name: &str, symbols: &[metadata::Symbol]) -> Vec<u8> {
    let size = metadata::Header::SIZE as u32;
    let strings = size + symbols.len() as u32 * metadata::Symbol::SIZE as u32;
    let empty = Span {
        offset: size,
        count: 0,
    };
    let header = metadata::Header {
        magic: metadata::MAGIC,
        version: metadata::VERSION,
        length: strings + name.len() as u32,
        toolchain: TOOLCHAIN,
        exact_id: 0,
        content_id: 0,
        flags: metadata::PREBUILT,
        name: Span {
            offset: 0,
            count: name.len() as u32,
        },
        crate_version: Span::EMPTY,
        component_symbol: metadata::NO_INDEX,
        application_symbol: metadata::NO_INDEX,
        symbols: Span {
            offset: size,
            count: symbols.len() as u32,
        },
        items: empty,
        frames: empty,
        strings: Span {
            offset: strings,
            count: name.len() as u32,
        },
    };
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    symbols.iter().for_each(|symbol| symbol.encode(&mut bytes));
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

/// Appends a section that is not loaded, with a new copy of section names and headers.
fn append_section(elf: &[u8], name: &str, contents: &[u8]) -> Vec<u8> {
    let sections = raw_sections(elf);
    let names_index = usize::from(u16::from_le_bytes([elf[62], elf[63]]));
    let names = &sections[names_index];
    let mut out = elf.to_vec();
    out.resize(out.len().next_multiple_of(8), 0);
    let contents_at = out.len();
    out.extend_from_slice(contents);
    let names_at = out.len();
    out.extend_from_slice(&elf[names.offset..names.offset + names.size]);
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    let names_size = out.len() - names_at;
    out.resize(out.len().next_multiple_of(8), 0);
    let table = out.len();
    for section in &sections {
        out.extend_from_slice(&elf[section.header..section.header + 64]);
    }
    let mut header = [0; 64];
    header[..4].copy_from_slice(&(names.size as u32).to_le_bytes());
    header[4] = 1;
    header[24..32].copy_from_slice(&(contents_at as u64).to_le_bytes());
    header[32..40].copy_from_slice(&(contents.len() as u64).to_le_bytes());
    header[48] = 8;
    out.extend_from_slice(&header);
    let renamed = table + names_index * 64;
    out[renamed + 24..renamed + 32].copy_from_slice(&(names_at as u64).to_le_bytes());
    out[renamed + 32..renamed + 40].copy_from_slice(&(names_size as u64).to_le_bytes());
    out[40..48].copy_from_slice(&(table as u64).to_le_bytes());
    out[60..62].copy_from_slice(&(sections.len() as u16 + 1).to_le_bytes());
    out
}
