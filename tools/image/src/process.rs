//! From a merged object to the one that is loaded: names its addresses, adds its metadata.

use crate::{
    abi,
    addresses::name_targets,
    classes::{class_of, normalise},
    elf::{self, Object},
    elf_write,
    error::{Error, Result},
    frames::frames,
    identity::{Ids, Subject},
    names::{Identity, Named, identities},
    pool::{Pool, Tables, count},
    summary::{Export, Import, Sizes, Summary},
};
use linker::format::{
    Record as _,
    metadata::{self, Class, Header, Item, NO_INDEX, SECTION},
};

/// What is known of an object before it is looked at.
pub struct Description<'a> {
    /// Name of the crate.
    pub crate_name: &'a str,
    /// Version of the crate.
    pub version: &'a str,
    /// Flags of the metadata that the object itself does not say.
    pub flags: u32,
    /// The toolchain's id.
    pub toolchain: u128,
}

/// An object that is ready to be loaded.
pub struct Processed {
    /// The file.
    pub bytes: Vec<u8>,
    /// What other steps need to know of it.
    pub summary: Summary,
}

/// Processes `merged`.
///
/// # Errors
///
/// When the object is not as the compiler writes them, or the linker's library refuses the result.
pub fn process(merged: &[u8], description: &Description<'_>) -> Result<Processed> {
    let name = description.crate_name;
    let mut object = Object::read(name, merged)?;
    normalise(&mut object);
    name_targets(name, &mut object)?;
    object.sort_symbols();

    let classes: Vec<Class> = object
        .symbols
        .iter()
        .map(|s| class_of(&object, s))
        .collect();
    let named: Vec<Named<'_>> = object
        .symbols
        .iter()
        .zip(&classes)
        .map(|(symbol, &class)| {
            let local = symbol.binding == abi::STB_LOCAL;
            Named {
                name: &symbol.name,
                class,
                local,
            }
        })
        .collect();
    let identities = identities(name, &named);
    let symbols = symbol_records(&classes, &identities);
    let items: Vec<Item> = Vec::new();

    let application = special(&object, name, "APPLICATION");
    let flags = description.flags | application.map_or(0, |_| metadata::APPLICATION);
    let label = format!("{name} {}", description.version);
    let ids = Subject {
        object: &object,
        symbols: &symbols,
        items: &items,
        label: &label,
        toolchain: description.toolchain,
        flags,
    }
    .ids();

    let mut tables = Tables::behind(Header::SIZE);
    let mut pool = Pool::default();
    let mut header = Header {
        magic: metadata::MAGIC,
        version: metadata::VERSION,
        length: 0,
        toolchain: description.toolchain,
        exact_id: ids.exact,
        content_id: ids.content,
        flags,
        name: pool.add(name),
        crate_version: pool.add(description.version),
        component_symbol: file_index(special(&object, name, "COMPONENT")),
        application_symbol: file_index(application),
        symbols: tables.add(&with_null(&symbols)),
        items: tables.add(&items),
        frames: tables.add(&frames(name, &object)?),
        strings: linker::format::Span::EMPTY,
    };
    header.strings = tables.add_pool(pool);
    header.length = count(tables.length());
    let bytes = elf_write::write(&object, (SECTION, &tables.finish(&header)));
    linker::Object::parse(&bytes, Some(description.toolchain))
        .map_err(|error| Error::object(name, error))?;
    let summary = summary(description, &object, &classes, &identities, flags, ids);
    Ok(Processed { bytes, summary })
}

/// The metadata's symbols have the file's indices, and the file begins with the null symbol.
fn with_null(symbols: &[metadata::Symbol]) -> Vec<metadata::Symbol> {
    let null = metadata::Symbol {
        key: 0,
        class: Class::Other as u16,
        reserved: 0,
        ordinal: 0,
    };
    core::iter::once(null)
        .chain(symbols.iter().copied())
        .collect()
}

fn symbol_records(classes: &[Class], identities: &[Option<Identity>]) -> Vec<metadata::Symbol> {
    let records = classes
        .iter()
        .zip(identities)
        .map(|(&class, identity)| metadata::Symbol {
            key: identity.as_ref().map_or(0, Identity::key),
            class: class as u16,
            reserved: 0,
            ordinal: identity.as_ref().map_or(0, |identity| identity.ordinal),
        });
    records.collect()
}

/// The static with this name at the root of the crate.
fn special(object: &Object, crate_name: &str, name: &str) -> Option<usize> {
    let wanted = format!("{crate_name}::{name}");
    object.symbols.iter().position(|symbol| {
        symbol.is_exported()
            && symbol.name.ends_with(name)
            && digests::display_name(&symbol.name) == wanted
    })
}

fn file_index(index: Option<usize>) -> u32 {
    index.map_or(NO_INDEX, |index| count(index + 1))
}

fn summary(
    description: &Description<'_>,
    object: &Object,
    classes: &[Class],
    identities: &[Option<Identity>],
    flags: u32,
    ids: Ids,
) -> Summary {
    let mut exports = Vec::new();
    let mut imports = Vec::new();
    for (index, symbol) in object.symbols.iter().enumerate() {
        let Some(identity) = &identities[index] else {
            continue;
        };
        let (key, symbol_name) = (identity.key(), symbol.name.clone());
        let weak = symbol.binding == abi::STB_WEAK;
        if matches!(classes[index], Class::Import | Class::WeakImport) {
            imports.push(Import {
                key,
                symbol: symbol_name,
                weak,
            });
        } else if symbol.is_exported() {
            exports.push(Export {
                key,
                symbol: symbol_name,
                index: count(index + 1),
                weak,
            });
        }
    }
    let size = |wanted: fn(&elf::Section) -> bool| {
        object
            .sections
            .iter()
            .filter(|section| wanted(section))
            .map(|section| section.size)
            .sum()
    };
    Summary {
        crate_name: description.crate_name.to_owned(),
        version: description.version.to_owned(),
        flags,
        ids: ids.into(),
        sizes: Sizes {
            text: size(elf::Section::is_text),
            rodata: size(|section| !section.is_text() && !section.is_state()),
            data: size(elf::Section::is_state),
        },
        exports,
        imports,
    }
}
