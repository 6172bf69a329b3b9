//! From a merged object to the one that is loaded: names its addresses, adds its metadata.

use crate::{
    abi,
    addresses::name_targets,
    classes::{class_of, normalise},
    elf::{self, Object},
    elf_write,
    error::{Error, Result, Violation},
    frames::frames,
    functions::check_addresses,
    identity::{self, Ids},
    names::{Identity, Named, identities},
    pool::{Pool, Tables, count},
    shapes::{self, analyse},
    summary::{Export, Import, Sizes, Summary},
};
use digests::Analysis;
use linker::format::{
    Record as _, Span,
    metadata::{self, Class, Header, Item, ItemKind, NO_INDEX, SECTION},
};
use std::collections::HashMap;

/// What is known of an object before it is looked at.
pub(crate) struct Description<'a> {
    /// Name of the crate.
    pub crate_name: &'a str,
    /// Version of the crate.
    pub version: &'a str,
    /// Flags of the metadata that the object itself does not say.
    pub flags: u32,
    /// The toolchain's id.
    pub toolchain: u128,
    /// Whether the object is that of this crate alone, and has no other linked in.
    pub alone: bool,
}

/// An object that is ready to be loaded.
pub(crate) struct Processed {
    /// The file.
    pub bytes: Vec<u8>,
    /// What other steps need to know of it.
    pub summary: Summary,
}

/// Processes `merged`; `compiled` is the same object as the compiler wrote it, unless prebuilt.
///
/// # Errors
///
/// When the object is not as the compiler writes them, or the linker's library refuses the result.
pub(crate) fn process(
    merged: &[u8],
    compiled: Option<&[u8]>,
    description: &Description<'_>,
) -> Result<Processed> {
    let name = description.crate_name;
    let mut object = Object::read(name, merged)?;
    normalise(&mut object);
    name_targets(name, &mut object)?;
    object.sort_symbols();

    let analysis = compiled
        .map(|compiled| analyse(name, compiled))
        .transpose()?;
    let subject = Subject::new(object, description, analysis.as_ref());
    let bytes = subject.write()?;
    linker::Object::parse(&bytes, Some(description.toolchain))
        .map_err(|error| Error::object(name, error))?;
    Ok(Processed {
        bytes,
        summary: subject.summary(analysis.as_ref()),
    })
}

/// An object and what has been found out about it.
struct Subject<'a> {
    description: &'a Description<'a>,
    object: Object,
    classes: Vec<Class>,
    identities: Vec<Option<Identity>>,
    symbols: Vec<metadata::Symbol>,
    items: Vec<Item>,
    /// The strings of the items.
    pool: Pool,
    flags: u32,
    ids: Ids,
}

impl<'a> Subject<'a> {
    fn new(object: Object, description: &'a Description<'a>, analysis: Option<&Analysis>) -> Self {
        let name = description.crate_name;
        let classes: Vec<Class> = object
            .symbols
            .iter()
            .map(|s| class_of(&object, s))
            .collect();
        let identities = identities(name, &named(&object, &classes));
        let mut pool = Pool::default();
        let items = analysis
            .map(|analysis| shapes::records(&analysis.items, &object, &identities, &mut pool))
            .unwrap_or_default();
        let symbols = symbol_records(&classes, &identities, &items);
        let mut flags = description.flags;
        if special(&object, name, "APPLICATION").is_some() {
            flags |= metadata::APPLICATION;
        }
        let first_party = flags & metadata::FIRST_PARTY != 0;
        let loses_state = analysis.is_some_and(|analysis| {
            let mut problems = analysis.static_problems.iter();
            problems.any(|problem| problem.fault.loses_state())
        });
        if !first_party && loses_state {
            flags |= metadata::STATE_NOT_TRANSFERABLE;
        }
        let ids = identity::Subject {
            object: &object,
            symbols: &symbols,
            items: &items,
            label: &format!("{name} {}", description.version),
            toolchain: description.toolchain,
            flags,
            lines: &elf_write::panic_lines(&object),
        }
        .ids();
        Self {
            description,
            object,
            classes,
            identities,
            symbols,
            items,
            pool,
            flags,
            ids,
        }
    }

    /// The file.
    fn write(&self) -> Result<Vec<u8>> {
        let name = self.description.crate_name;
        let mut tables = Tables::behind(Header::SIZE);
        let mut pool = self.pool.clone();
        let mut header = Header {
            magic: metadata::MAGIC,
            version: metadata::VERSION,
            length: 0,
            toolchain: self.description.toolchain,
            exact_id: self.ids.exact,
            content_id: self.ids.content,
            flags: self.flags,
            name: pool.add(name),
            crate_version: pool.add(self.description.version),
            component_symbol: file_index(special(&self.object, name, "COMPONENT")),
            application_symbol: file_index(special(&self.object, name, "APPLICATION")),
            symbols: tables.add(&with_null(&self.symbols)),
            items: tables.add(&self.items),
            frames: tables.add(&frames(name, &self.object)?),
            strings: Span::EMPTY,
        };
        header.strings = tables.add_pool(pool);
        header.length = count(tables.length());
        Ok(elf_write::write(
            &self.object,
            (SECTION, &tables.finish(&header)),
        ))
    }

    fn summary(&self, analysis: Option<&Analysis>) -> Summary {
        let (exports, imports) = self.interface();
        let size = |wanted: fn(&elf::Section) -> bool| {
            let sections = self
                .object
                .sections
                .iter()
                .filter(|section| wanted(section));
            sections.map(|section| section.size).sum()
        };
        Summary {
            crate_name: self.description.crate_name.to_owned(),
            version: self.description.version.to_owned(),
            flags: self.flags,
            ids: self.ids.into(),
            sizes: Sizes {
                text: size(elf::Section::is_text),
                rodata: size(|section| !section.is_text() && !section.is_state()),
                data: size(elf::Section::is_state),
            },
            exports,
            imports,
            reified: self.reified(),
            violations: self.violations(analysis),
        }
    }

    /// What others can be bound to, and what others have to define.
    fn interface(&self) -> (Vec<Export>, Vec<Import>) {
        let (mut exports, mut imports) = (Vec::new(), Vec::new());
        for (index, symbol) in self.object.symbols.iter().enumerate() {
            let Some(identity) = &self.identities[index] else {
                continue;
            };
            let (key, name) = (identity.key(), symbol.name.clone());
            let weak = symbol.binding == abi::STB_WEAK;
            if matches!(self.classes[index], Class::Import | Class::WeakImport) {
                imports.push(Import {
                    key,
                    symbol: name,
                    weak,
                });
            } else if symbol.is_exported() {
                exports.push(Export {
                    key,
                    symbol: name,
                    index: count(index + 1),
                    weak,
                    digest: self.digest(key),
                });
            }
        }
        (exports, imports)
    }

    /// The functions for which the object has a shim that passes a caller's place, because their
    /// address is taken: those with `#[track_caller]`.
    fn reified(&self) -> Vec<u64> {
        let keys = self.object.symbols.iter().filter_map(|symbol| {
            let name = digests::key_name(&symbol.name);
            let (function, _) = name.split_once("::{shim:reify")?;
            Some(digests::key(function))
        });
        keys.collect()
    }

    /// Digest of the function or static with this key.
    fn digest(&self, key: u64) -> u64 {
        let defined = [ItemKind::Function as u32, ItemKind::Static as u32];
        let mut items = self.items.iter();
        let item = items.find(|item| item.key == key && defined.contains(&item.kind));
        item.map_or(0, |item| item.digest)
    }

    /// Rules that this repository's crates keep, so that each part of them can be replaced.
    fn violations(&self, analysis: Option<&Analysis>) -> Vec<Violation> {
        if self.flags & metadata::FIRST_PARTY == 0 {
            return Vec::new();
        }
        let component = self.description.crate_name;
        // What is linked in need not keep the rules; the crate does, in its object of its own.
        let mut violations = match self.description.alone {
            true => check_addresses(component, &self.object, &self.classes),
            false => Vec::new(),
        };
        for problem in analysis
            .into_iter()
            .flat_map(|analysis| &analysis.static_problems)
        {
            let (component, message) = (component.to_owned(), problem.to_string());
            violations.push(Violation { component, message });
        }
        violations
    }
}

fn named<'a>(object: &'a Object, classes: &[Class]) -> Vec<Named<'a>> {
    let symbols = object.symbols.iter().zip(classes);
    symbols
        .map(|(symbol, &class)| Named {
            name: &symbol.name,
            class,
            local: symbol.binding == abi::STB_LOCAL,
        })
        .collect()
}

/// The metadata's symbols have the file's indices, and the file begins with the null symbol.
fn with_null(symbols: &[metadata::Symbol]) -> Vec<metadata::Symbol> {
    let null = metadata::Symbol {
        key: 0,
        digest: 0,
        class: Class::Other as u16,
        reserved: 0,
    };
    core::iter::once(null)
        .chain(symbols.iter().copied())
        .collect()
}

fn symbol_records(
    classes: &[Class],
    identities: &[Option<Identity>],
    items: &[Item],
) -> Vec<metadata::Symbol> {
    let functions = items
        .iter()
        .filter(|item| item.kind == ItemKind::Function as u32);
    let digests: HashMap<u64, u64> = functions.map(|item| (item.key, item.digest)).collect();
    let record = |(&class, identity): (&Class, &Option<Identity>)| {
        let key = identity.as_ref().map_or(0, Identity::key);
        let is_function = class == Class::Function;
        let digest = digests.get(&key).filter(|_| is_function);
        metadata::Symbol {
            key,
            digest: digest.copied().unwrap_or(0),
            class: class as u16,
            reserved: 0,
        }
    };
    classes.iter().zip(identities).map(record).collect()
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
