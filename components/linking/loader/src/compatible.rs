//! Whether an object that is loaded later fits what was swapped in before.
//!
//! The archive's default members are of one build and fit each other. A component that was replaced
//! by another build has been compared with all that was loaded then, but not with this object.

use crate::{Live, LoadError};
use alloc::{borrow::ToOwned, string::ToString};
use linker::{Object, survivor};

/// Compares `object` with every loaded component that is not the archive's default build.
pub(crate) fn check(live: &Live, object: &Object<'_>) -> Result<(), LoadError> {
    for (_, loaded) in live.all_loaded() {
        if loaded.name == object.name() || loaded.bytes.is_default() {
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
