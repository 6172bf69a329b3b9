//! A side archive with line tables, and a line table whose checksum is right whatever it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::format::{
    Record as _, Span, index_checksum,
    lines::{Header, MAGIC, Member, SideArchive, VERSION, split},
};
use xxhash_rust::xxh3::xxh3_64;

fuzz_target!(|bytes: &[u8]| {
    let _ = split(bytes);
    if let Ok(archive) = SideArchive::parse(bytes) {
        for member in archive.members.iter() {
            let _ = archive.table(member.exact_id);
        }
    }
    let archive = around(bytes);
    let Ok(archive) = SideArchive::parse(&archive) else {
        panic!("an index that is in order was refused");
    };
    let Ok(Some(table)) = archive.table(1) else { return };
    for offset in [0, 1, 63, 0x1000, u32::MAX].into_iter().chain((0..64).map(|bit| 1 << (bit / 2))) {
        // Each level of inlining lies before the last one, so there are at most as many as nodes.
        assert!(table.at(offset).count() <= bytes.len());
    }
    let _ = table.file_names().count();
});

/// A side archive with `table` as its only line table.
fn around(table: &[u8]) -> Vec<u8> {
    let name = b"file.rs";
    let member = Header::SIZE;
    let file = member + Member::SIZE;
    let strings = file + Span::SIZE;
    let index = strings + name.len();
    let span = |offset: usize, count: usize| Span { offset: offset as u32, count: count as u32 };
    let header = Header {
        magic: MAGIC,
        version: VERSION,
        index_length: index as u32,
        checksum: 0,
        length: (index + table.len()) as u64,
        members: span(member, 1),
        files: span(file, 1),
        strings: span(strings, name.len()),
    };
    let record = Member {
        exact_id: 1,
        offset: index as u32,
        length: table.len() as u32,
        checksum: xxh3_64(table),
    };
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    record.encode(&mut bytes);
    span(0, name.len()).encode(&mut bytes);
    bytes.extend_from_slice(name);
    let checksum = index_checksum(&bytes).unwrap_or(0);
    bytes[16..24].copy_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(table);
    bytes
}
