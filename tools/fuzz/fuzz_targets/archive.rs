//! The archive's index and members. The checksum is put right first, or nothing gets past it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::format::{archive::Archive, index_checksum};

/// Where the header has the index's checksum, behind magic, version and length.
const CHECKSUM: core::ops::Range<usize> = 16..24;
/// Where the header has the index's length.
const INDEX_LENGTH: core::ops::Range<usize> = 12..16;

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    repair(&mut bytes);
    let Ok(archive) = Archive::parse(&bytes) else { return };
    for (member, index) in archive.members.iter().zip(0..) {
        let _ = (archive.text(member.name), archive.text(member.version));
        let _ = archive.object(index);
        let _ = archive.dependencies_of(&member).count();
    }
    let _ = archive.find("klog", "");
    let _ = archive.definition(1);
});

fn repair(bytes: &mut [u8]) {
    let length = bytes.get(INDEX_LENGTH).and_then(|field| field.first_chunk());
    let Some(length) = length.map(|field| u32::from_le_bytes(*field) as usize) else { return };
    let checksum = bytes.get(..length).and_then(index_checksum);
    if let (Some(checksum), Some(place)) = (checksum, bytes.get_mut(CHECKSUM)) {
        place.copy_from_slice(&checksum.to_le_bytes());
    }
}
