//! Who may use `unsafe`: the proof that all others forbid it.
//!
//! `#![forbid(unsafe_code)]` at a crate's root cannot be taken back further down, so the compiler has
//! proved the crate once it compiled with that line. What is left is to see that the line is there.

use crate::{
    error::Result,
    files,
    manifest::Manifest,
    workspace::{Folder, Package},
};
use linker::format::metadata;

/// What the manifest and the crate's root say about `unsafe`: flags of the metadata, and whether the
/// crate breaks the rule.
pub(crate) struct Standing {
    /// Flags of the metadata.
    pub flags: u32,
    /// It has no grant and does not forbid `unsafe`.
    pub violates: bool,
}

/// Reads where `package` stands.
///
/// # Errors
///
/// When its root file cannot be read.
pub(crate) fn standing(package: &Package, manifest: &Manifest) -> Result<Standing> {
    if !package.folder.is_first_party() {
        return Ok(Standing {
            flags: 0,
            violates: false,
        });
    }
    let source = files::read(&package.source)?;
    let forbids = forbids_unsafe(&String::from_utf8_lossy(&source));
    let granted =
        package.folder == Folder::Kernel || manifest.grants.contains_key(&package.crate_name);
    let mut flags = metadata::FIRST_PARTY;
    if forbids {
        flags |= metadata::UNSAFE_FORBIDDEN;
    } else if granted {
        flags |= metadata::UNSAFE_GRANTED;
    }
    Ok(Standing {
        flags,
        violates: !forbids && !granted,
    })
}

/// Whether a crate's root has the attribute, outside of comments.
fn forbids_unsafe(source: &str) -> bool {
    let mut in_comment = false;
    source.lines().any(|line| {
        if in_comment {
            in_comment = !line.contains("*/");
            return false;
        }
        in_comment = line.trim_start().starts_with("/*") && !line.contains("*/");
        let lints = line
            .strip_prefix("#![forbid(")
            .and_then(|rest| rest.strip_suffix(")]"));
        lints.is_some_and(|lints| lints.split(',').any(|lint| lint.trim() == "unsafe_code"))
    })
}

#[cfg(test)]
mod tests {
    use super::forbids_unsafe;

    #[test]
    fn the_attribute_is_found() {
        assert!(forbids_unsafe(
            "//! Doc.\n#![no_std]\n#![forbid(unsafe_code)]\n"
        ));
        assert!(forbids_unsafe("#![forbid(missing_docs, unsafe_code)]"));
    }

    #[test]
    fn what_only_looks_like_it_is_not() {
        assert!(!forbids_unsafe("//! #![forbid(unsafe_code)]\n"));
        assert!(!forbids_unsafe("/*\n#![forbid(unsafe_code)]\n*/\n"));
        assert!(!forbids_unsafe(
            "mod inner {\n    #![forbid(unsafe_code)]\n}\n"
        ));
        assert!(!forbids_unsafe("#![deny(unsafe_code)]"));
    }
}
