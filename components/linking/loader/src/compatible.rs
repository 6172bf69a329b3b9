//! Whether an object that is loaded later fits what was swapped in before.
//!
//! The archive's default members are of one build and fit each other. A component that was replaced
//! by another build has been compared with all that was loaded then, but not with this object.

use crate::{Live, LoadError, Loaded, archive};
use alloc::{borrow::ToOwned, string::ToString};
use linker::{Object, survivor};

/// Compares `object` with every loaded component that is not the archive's default build.
pub(crate) fn check(live: &Live, object: &Object<'_>) -> Result<(), LoadError> {
    for (_, loaded) in live.all_loaded() {
        if loaded.name == object.name() || is_default(loaded)? {
            continue;
        }
        let Some(metadata) = loaded.metadata() else {
            continue;
        };
        if let Some(conflict) = survivor::conflict(&object.metadata, &metadata) {
            return Err(LoadError::Incompatible {
                component: object.name().to_owned(),
                other: loaded.name.clone(),
                what: conflict.name.to_string(),
            });
        }
    }
    Ok(())
}

/// Whether a component is the build that the archive has under its name.
fn is_default(loaded: &Loaded) -> Result<bool, LoadError> {
    let Some(member) = loaded.bytes.member() else {
        return Ok(false);
    };
    Ok(archive()?.member(member)?.variant.count == 0)
}
