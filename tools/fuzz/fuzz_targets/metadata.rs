//! An object's `.strake` section.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linker::format::metadata::{ItemKind, Metadata};

fuzz_target!(|bytes: &[u8]| {
    let Ok(metadata) = Metadata::parse(bytes) else { return };
    for item in metadata.items.iter() {
        let _ = (metadata.strings.get(item.name), metadata.strings.get(item.shape));
        let _ = metadata.item(ItemKind::Type, item.key);
    }
    for offset in [0, 1, 0x1000, u32::MAX] {
        let _ = metadata.frames.covering(offset);
    }
});
