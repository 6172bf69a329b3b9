//! Only what belongs there is linked into the nucleus, and it stays small.

use crate::{Complaints, workspace::Workspace};
use object::{Object, ObjectSection, SectionFlags};
use std::{collections::BTreeSet, fs};

/// Most bytes of the nucleus's loaded sections but data and bss.
const MOST_BYTES: u64 = 256 << 10;

const ELF: &str = "build/nucleus.elf";
const MAP: &str = "build/nucleus.map";

/// Reads the linker's map and the linked file.
pub fn check(workspace: &Workspace) -> Complaints {
    let mut complaints = Complaints::new();
    match fs::read_to_string(workspace.root.join(MAP)) {
        Ok(map) => complaints.extend(strangers(workspace, &map)),
        Err(error) => complaints.push(format!("{MAP}: {error}; `make image` makes it")),
    }
    match fs::read(workspace.root.join(ELF)) {
        Ok(bytes) => complaints.extend(size(&bytes)),
        Err(error) => complaints.push(format!("{ELF}: {error}; `make image` makes it")),
    }
    complaints
}

/// First-party crates in the map that do not stand under `kernel/`.
fn strangers(workspace: &Workspace, map: &str) -> Complaints {
    let mut inputs: BTreeSet<&str> = BTreeSet::new();
    for word in map.split_whitespace() {
        // An input is `…/libNAME-HASH.rlib(member.o)` or the object `…/NAME-HASH….o`.
        let path = word.split([':', '(']).next().unwrap_or(word);
        if let Some(name) = path.rsplit('/').next().filter(|name| is_object(name)) {
            inputs.insert(name);
        }
    }
    let crates: BTreeSet<&str> = inputs.into_iter().map(crate_name).collect();
    if crates.is_empty() {
        return vec![format!("{MAP}: names no object at all")];
    }
    let packages = crates
        .iter()
        .filter_map(|name| workspace.packages.get_key_value(*name));
    packages
        .filter(|(_, package)| !package.folder.starts_with("kernel"))
        .map(|(name, package)| {
            format!(
                "{name} from {} is linked into the nucleus",
                package.folder.display()
            )
        })
        .collect()
}

fn is_object(name: &str) -> bool {
    [".rlib", ".o", ".a"].iter().any(|end| name.ends_with(end))
}

fn crate_name(file: &str) -> &str {
    let name = file.strip_prefix("lib").unwrap_or(file);
    name.split(['-', '.']).next().unwrap_or(name)
}

fn size(bytes: &[u8]) -> Complaints {
    let file = match object::File::parse(bytes) {
        Ok(file) => file,
        Err(error) => return vec![format!("{ELF}: {error}")],
    };
    let loaded = file.sections().filter(|section| {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
            return false;
        };
        sh_flags.contains(object::elf::SHF_ALLOC) && !is_data(section.name().unwrap_or_default())
    });
    let total: u64 = loaded.map(|section| section.size()).sum();
    if total > MOST_BYTES {
        return vec![format!(
            "{ELF}: {total} bytes loaded besides data and bss, most is {MOST_BYTES}"
        )];
    }
    Vec::new()
}

fn is_data(name: &str) -> bool {
    name.starts_with(".bss")
        || name == ".data"
        || (name.starts_with(".data.") && !name.starts_with(".data.rel.ro"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_named_in_every_form() {
        assert_eq!(crate_name("liblinker-0f3a.rlib"), "linker");
        assert_eq!(
            crate_name("nucleus-1234.nucleus.abc-cgu.0.rcgu.o"),
            "nucleus"
        );
        assert_eq!(crate_name("console.o"), "console");
    }

    #[test]
    fn relocated_constants_are_not_data() {
        assert!(is_data(".data.COUNTER") && is_data(".bss"));
        assert!(!is_data(".data.rel.ro"));
    }
}
