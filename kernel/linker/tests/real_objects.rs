//! The toolchain's own `core` and `alloc` go through parser and linker: as they are, cut off at
//! every length, and with bytes changed. An independent reading of the relocation tables then says
//! whether each place leads to the symbol that it names.

#![expect(
    clippy::expect_used,
    clippy::cast_possible_truncation,
    reason = "a test may fail loudly"
)]

mod support;

use linker::{
    Images, Key, LinkError, Namespace, Object, ObjectError, Placement, SectionKind,
    format::{Record as _, metadata},
    pristine::{self, Image, Pristine, Restored},
    stub,
};
use std::collections::HashMap;
use support::{TOOLCHAIN, prebuilt, raw_sections, word};

const TEXT: u64 = 0xFFFF_FFFF_9000_0000;
const RODATA: u64 = 0xFFFF_FFFF_A000_0000;
const DATA: u64 = 0xFFFF_FFFF_B000_0000;

struct Linked {
    bytes: Vec<u8>,
    text: Vec<u8>,
    rodata: Vec<u8>,
}

/// Links `core` alone; what it imports is defined by `others`, one stub each.
fn link(bytes: &[u8], namespace: &mut Namespace) -> Result<Linked, LinkError> {
    let object = Object::parse(bytes, Some(TOOLCHAIN)).expect("object");
    let layout = object.layout();
    let placement = Placement::fresh(&layout, TEXT, RODATA, DATA);
    let mut text = vec![0; layout.text.size as usize];
    let mut rodata = vec![0; layout.rodata.size as usize];
    let mut data = vec![0; layout.data.size as usize];
    let id = namespace.add(&object, &layout, &placement, true)?;
    let mut images = Images {
        text: &mut text,
        rodata: &mut rodata,
        data: &mut data,
    };
    namespace.link(id, &object, &layout, &placement, &mut images)?;
    Ok(Linked {
        bytes: bytes.to_vec(),
        text,
        rodata,
    })
}

/// `compiler_builtins`'s imports are none, `core`'s few: give them to a namespace as weak ones.
fn without_imports(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let sections = raw_sections(&bytes);
    let start = sections.last().expect("metadata").offset;
    let symbols = word(&bytes, start + 92) as u32 as usize + start;
    let count = (word(&bytes, start + 92) >> 32) as usize;
    for index in 0..count {
        // The class stands behind key and digest.
        let class = symbols + index * metadata::Symbol::SIZE + 16;
        if bytes[class] == 4 {
            bytes[class] = 5;
        }
    }
    bytes
}

/// FNV-1a, 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)
    })
}

#[test]
fn every_page_of_core_is_made_anew_from_its_object() {
    let bytes = without_imports(&prebuilt("core"));
    let linked = link(&bytes, &mut Namespace::new()).expect("linked");
    let object = Object::parse(&linked.bytes, None).expect("object");
    let layout = object.layout();
    for (which, image) in [(Image::Text, &linked.text), (Image::Rodata, &linked.rodata)] {
        let pristine = Pristine::of(which, image, &object, &layout, &linked.bytes, hash);
        let pristine = pristine.expect("a small image");
        assert!(pristine.pages() > 10);
        for (page, wanted) in image.chunks(pristine::PAGE).enumerate() {
            let mut made = [0xAA; pristine::PAGE];
            let (length, restored) = pristine.restore(page, &linked.bytes, &mut made, hash);
            assert_eq!(restored, Restored::Proven, "page {page} of {which:?}");
            assert_eq!(made[..length], *wanted);
        }
    }
}

#[test]
fn core_links_and_every_place_leads_to_its_symbol() {
    let bytes = without_imports(&prebuilt("core"));
    let mut namespace = Namespace::new();
    let linked = link(&bytes, &mut namespace).expect("linked");
    let object = Object::parse(&linked.bytes, None).expect("object");
    let layout = object.layout();
    let placement = Placement::fresh(&layout, TEXT, RODATA, DATA);
    let stubs: HashMap<u64, u64> = namespace
        .stubs()
        .map(|(index, stub)| (index.address(), stub.target))
        .collect();
    assert!(stubs.len() > 20, "only {} stubs", stubs.len());
    let (mut followed, mut words_followed) = (0, 0);
    for raw in raw_sections(&linked.bytes)
        .iter()
        .filter(|section| section.kind == 4)
    {
        let section = raw.info as usize;
        let kind = object.sections()[section].kind;
        let (image, base) = match kind {
            SectionKind::Text => (&linked.text, TEXT),
            SectionKind::Unloaded | SectionKind::Static => continue,
            _ => (&linked.rodata, RODATA),
        };
        let start = placement
            .section(&object, &layout, section)
            .expect("loaded");
        for rela in linked.bytes[raw.offset..raw.offset + raw.size].chunks(24) {
            let (offset, info, addend) = (word(rela, 0), word(rela, 8), word(rela, 16));
            let symbol = object.symbols()[(info >> 32) as usize];
            let place = start + offset;
            let at = (place - base) as usize;
            let wide = i64::from(i32::from_le_bytes(image[at..at + 4].try_into().expect("4")));
            let found = match info as u32 {
                1 => word(image, at).wrapping_sub(addend),
                _ => wide
                    .cast_unsigned()
                    .wrapping_add(place)
                    .wrapping_sub(addend),
            };
            let want = placement.symbol(&object, &layout, &symbol).unwrap_or(0);
            let got = RODATA + layout.got.offset..RODATA + layout.got.offset + layout.got.size;
            let found = if got.contains(&found) && info as u32 == 9 {
                words_followed += 1;
                word(&linked.rodata, (found - RODATA) as usize)
            } else {
                found
            };
            let found = if kind == SectionKind::Text || info as u32 == 1 {
                stubs.get(&found).copied().unwrap_or(found)
            } else {
                found
            };
            assert_eq!(found, want, "{} at {place:#x}", object.symbol_name(&symbol));
            followed += 1;
        }
    }
    assert!(words_followed > 0, "no GOT word");
    assert!(followed > 2000, "only {followed} relocations");
}

#[test]
fn a_stub_leads_to_its_slot() {
    assert_eq!(stub::encode(1).len(), stub::SIZE);
}

#[test]
fn a_missing_import_is_named() {
    let error = link(&prebuilt("core"), &mut Namespace::new())
        .err()
        .expect("core has imports");
    let LinkError::Missing { object, symbol } = error else {
        panic!("{error}")
    };
    assert_eq!(object, "core");
    assert!(!symbol.is_empty());
}

#[test]
fn a_second_definition_is_refused_by_name() {
    let bytes = without_imports(&prebuilt("core"));
    let mut namespace = Namespace::new();
    link(&bytes, &mut namespace).expect("first");
    let error = link(&bytes, &mut namespace).err().expect("second");
    assert!(matches!(error, LinkError::Duplicate { .. }), "{error}");
}

#[test]
fn another_toolchain_is_refused() {
    let error = Object::parse(&prebuilt("alloc"), Some(1))
        .err()
        .expect("refused");
    assert!(
        matches!(error, ObjectError::Toolchain { expected: 1, .. }),
        "{error}"
    );
}

#[test]
fn an_unknown_relocation_is_refused_by_its_place() {
    let mut bytes = prebuilt("alloc");
    let table = raw_sections(&bytes)
        .into_iter()
        .find(|it| it.kind == 4)
        .expect("relocations");
    bytes[table.offset + 8] = 99;
    let error = Object::parse(&bytes, None)
        .err()
        .expect("refused")
        .to_string();
    assert!(error.contains("unknown type 99"), "{error}");
}

#[test]
fn every_prefix_is_refused_without_a_panic() {
    let bytes = prebuilt("alloc");
    // The section table lies at the end, so that nothing shorter can be whole.
    for length in (0..bytes.len())
        .step_by(7)
        .chain(bytes.len() - 4096..bytes.len())
    {
        assert!(
            Object::parse(&bytes[..length], None).is_err(),
            "{length} bytes"
        );
    }
}

#[test]
fn changed_bytes_never_panic() {
    let original = without_imports(&prebuilt("alloc"));
    let mut seed = 1_u64;
    let mut random = move || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    let headers = word(&original, 40) as usize;
    for round in 0..600 {
        let mut bytes = original.clone();
        for _ in 0..=round % 4 {
            // Headers, where a change tells most, half of the time.
            let at = match round % 2 {
                0 => headers + random() % (bytes.len() - headers),
                _ => random() % bytes.len(),
            };
            bytes[at] = random() as u8;
        }
        let Ok(object) = Object::parse(&bytes, None) else {
            continue;
        };
        let size = object.layout();
        if size.text.size + size.rodata.size + size.data.size > 1 << 24 {
            continue;
        }
        drop(link_any(&bytes));
    }
}

fn link_any(bytes: &[u8]) -> Result<(), LinkError> {
    let Ok(object) = Object::parse(bytes, None) else {
        return Ok(());
    };
    let layout = object.layout();
    let placement = Placement::fresh(&layout, TEXT, RODATA, DATA);
    let mut text = vec![0; layout.text.size as usize];
    let mut rodata = vec![0; layout.rodata.size as usize];
    let mut data = vec![0; layout.data.size as usize];
    let mut namespace = Namespace::new();
    let id = namespace.add(&object, &layout, &placement, true)?;
    let mut images = Images {
        text: &mut text,
        rodata: &mut rodata,
        data: &mut data,
    };
    namespace.link(id, &object, &layout, &placement, &mut images)
}

/// The object with another digest for the function `key`, which had none.
fn with_digest(bytes: &[u8], key: Key, digest: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let word = key.0.to_le_bytes();
    let place = bytes.windows(8).rposition(|window| window == word);
    let place = place.expect("the symbol's record") + 8;
    bytes[place..place + 8].copy_from_slice(&digest.to_le_bytes());
    bytes
}

#[test]
fn replacing_leads_stubs_to_the_new_code() {
    let bytes = without_imports(&prebuilt("core"));
    let mut namespace = Namespace::new();
    link(&bytes, &mut namespace).expect("linked");
    let id = namespace.find("core").expect("component");
    let object = Object::parse(&bytes, None).expect("object");
    let layout = object.layout();
    let moved = 0x10_0000;
    let placement = Placement::fresh(&layout, TEXT + moved, RODATA + moved, DATA);
    let (_, kept) = namespace.stubs().next().expect("a stub");
    let stubs = namespace.stubs().count();
    let done = namespace
        .replace(id, &object, &layout, &placement, &[])
        .expect("replaced");
    assert_eq!((done.stores.len(), done.kept.len()), (stubs, 0));
    assert!(
        done.stores
            .iter()
            .all(|store| store.new == store.old + moved)
    );
    // The same function of another shape: the stub stays where it leads, also over further builds.
    let other = with_digest(&bytes, kept.function.key, 7);
    let object = Object::parse(&other, None).expect("object");
    for round in 2..4 {
        let moved = round * moved;
        let placement = Placement::fresh(&layout, TEXT + moved, RODATA + moved, DATA);
        let done = namespace
            .replace(id, &object, &layout, &placement, &[])
            .expect("replaced");
        assert_eq!(done.stores.len(), stubs - 1);
        assert_eq!(done.kept.len(), usize::from(round == 2));
    }
    assert!(namespace.stub_of(id, kept.function).is_some());
    assert_eq!(namespace.remove(id).expect("component").name, "core");
    assert_eq!(namespace.stubs().count(), 0);
}
