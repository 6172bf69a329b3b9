//! Taking over what the nucleus linked.
//!
//! The layout of an object is a function of its bytes, so the hand-over needs to say only where the
//! images lie. What it says of statics and stubs is compared with what follows from the objects:
//! a difference means that nucleus and loader are not of one build.

use crate::{Live, LoadError, Loaded, ObjectBytes, live, policy, stubs};
use alloc::{borrow::ToOwned, sync::Arc, vec::Vec};
use handover::{Handover, LoadedComponent};
use linker::{
    ComponentId, FunctionKey, Key, Namespace, Object, Placement, Stub, StubIndex,
    format::archive::Archive,
};

/// Adopts all components, stubs and statics.
pub(crate) fn adopt(handover: &'static Handover) -> Result<(), LoadError> {
    let archive = Archive::parse(handover.archive.as_slice())?;
    let mut live = Live::default();
    live.namespace
        .reserve(archive.definitions.len(), handover.stubs.as_slice().len());
    let mut imports = Vec::new();
    for component in handover.components.as_slice() {
        imports.push(adopt_component(&archive, component, &mut live)?);
    }
    // Who imports from whom can be said when all exports are known.
    for (id, keys) in imports {
        live.namespace.adopt_uses(id, keys);
    }
    adopt_stubs(handover, &mut live.namespace)?;
    check_statics(handover, &live.namespace)?;
    live::install(handover, archive, live);
    Ok(())
}

/// Adopts a component; returns its number and the keys of its imports.
fn adopt_component(
    archive: &Archive<'static>,
    component: &LoadedComponent,
    live: &mut Live,
) -> Result<(ComponentId, Vec<Key>), LoadError> {
    let bytes = archive.object(component.member)?;
    let name = archive.text(archive.member(component.member)?.name);
    let object = Object::parse(bytes, Some(archive.header.toolchain)).map_err(|error| {
        LoadError::Object {
            component: name.to_owned(),
            error,
        }
    })?;
    policy::check(archive, name, object.metadata.header.flags)?;
    let layout = object.layout();
    let LoadedComponent {
        text, rodata, data, ..
    } = *component;
    if layout.text.size > text.len()
        || layout.rodata.size > rodata.len()
        || layout.data.size > data.len()
    {
        return Err(LoadError::Handover {
            component: name.to_owned(),
            what: "size",
        });
    }
    let placement = Placement::fresh(&layout, text.start, rodata.start, data.start);
    let id = live.namespace.add(&object, &layout, &placement, true)?;
    let bytes = ObjectBytes::Archive {
        member: component.member,
        bytes,
        is_default: true,
    };
    let loaded = Loaded::adopt(bytes, &object, &layout, placement, [text, rodata, data])?;
    live.set_loaded(id, Some(Arc::new(loaded)));
    Ok((id, object.imports().map(|import| import.key).collect()))
}

fn adopt_stubs(handover: &Handover, namespace: &mut Namespace) -> Result<(), LoadError> {
    let adopted = handover.stubs.as_slice();
    stubs::adopt(adopted.len())?;
    for stub in adopted {
        let index = StubIndex(u32::try_from(namespace.stub_area()).unwrap_or(u32::MAX));
        let target = stubs::read_slot(index).unwrap_or(0);
        let component = ComponentId(stub.component);
        namespace.adopt_stub(Stub {
            function: FunctionKey {
                key: Key(stub.key),
                digest: stub.digest,
            },
            component,
            target,
        })?;
    }
    Ok(())
}

fn check_statics(handover: &Handover, namespace: &Namespace) -> Result<(), LoadError> {
    let computed = namespace.components().flat_map(|(id, component)| {
        component
            .statics
            .iter()
            .map(move |storage| (id, component, storage))
    });
    let mut given = handover.statics.as_slice().iter();
    for (id, component, storage) in computed {
        let same = given.next().is_some_and(|it| {
            (it.component, it.key, it.address, it.size)
                == (id.0, storage.key.0, storage.address, storage.size)
        });
        if !same {
            let component = component.name.clone();
            return Err(LoadError::Handover {
                component,
                what: "list of statics",
            });
        }
    }
    Ok(())
}
