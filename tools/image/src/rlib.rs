//! Takes the objects out of a Rust library.

use crate::error::{Error, Result};
use object::read::archive::ArchiveFile;

/// An object inside a library.
pub(crate) struct Member<'a> {
    /// Its file name.
    pub name: String,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The objects in `library`, the library of `component`, in the order of their names.
///
/// # Errors
///
/// When the bytes are not an archive.
pub(crate) fn objects<'a>(component: &str, library: &'a [u8]) -> Result<Vec<Member<'a>>> {
    let archive = ArchiveFile::parse(library).map_err(|error| Error::object(component, error))?;
    let mut objects = Vec::new();
    for member in archive.members() {
        let member = member.map_err(|error| Error::object(component, error))?;
        let name = String::from_utf8_lossy(member.name()).into_owned();
        if name.ends_with(".o") {
            let bytes = member
                .data(library)
                .map_err(|error| Error::object(component, error))?;
            objects.push(Member { name, bytes });
        }
    }
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(objects)
}
