//! The link to be judged, made by the linker's library as the system makes it.

use crate::{Input, OracleError, View};
use handover::layout::{OBJECTS, OBJECTS_END, PAGE_SIZE, STUB_SIZE, STUBS};
use linker::{ComponentId, Images, Layout, Namespace, Object, Placement, SectionKind, stub};

/// Links all `inputs` with the linker's library, one after the other in the object area.
///
/// # Errors
///
/// When the library refuses an object or the link.
pub fn link(inputs: &[Input]) -> Result<View, OracleError> {
    let mut namespace = Namespace::new();
    let mut next = OBJECTS;
    let mut entered = Vec::new();
    for input in inputs {
        let object = Object::parse(&input.bytes, None).map_err(|error| OracleError::Refused {
            name: input.name.clone(),
            error,
        })?;
        let layout = object.layout();
        let mut room = |size: u64| {
            let start = next;
            next = start.checked_add(size.next_multiple_of(PAGE_SIZE))?;
            (next <= OBJECTS_END).then_some(start)
        };
        let text = room(layout.text.size).ok_or(OracleError::Full)?;
        let rodata = room(layout.rodata.size).ok_or(OracleError::Full)?;
        let data = room(layout.data.size).ok_or(OracleError::Full)?;
        let placement = Placement::fresh(&layout, text, rodata, data);
        let id = namespace.add(&object, &layout, &placement, true)?;
        entered.push(Entered {
            id,
            object,
            layout,
            placement,
            data,
        });
    }
    let mut view = View::default();
    for (number, entered) in entered.iter().enumerate() {
        entered.link(number, &mut namespace, &mut view)?;
    }
    let stubs: Vec<u8> = namespace
        .stubs()
        .flat_map(|(_, made)| stub::encode(made.target))
        .collect();
    view.stubs = Some(STUBS..STUBS + namespace.stubs().count() as u64 * STUB_SIZE);
    view.add_memory(STUBS, stubs);
    Ok(view)
}

/// An object that has its place.
struct Entered<'a> {
    id: ComponentId,
    object: Object<'a>,
    layout: Layout<'a>,
    placement: Placement,
    data: u64,
}

impl Entered<'_> {
    fn link(
        &self,
        number: usize,
        namespace: &mut Namespace,
        view: &mut View,
    ) -> Result<(), OracleError> {
        let Self {
            id,
            object,
            layout,
            placement,
            data,
        } = self;
        let image = |size: u64| usize::try_from(size).map(|size| vec![0; size]);
        let full = |_| OracleError::Full;
        let mut text_image = image(layout.text.size).map_err(full)?;
        let mut rodata_image = image(layout.rodata.size).map_err(full)?;
        let mut data_image = image(layout.data.size).map_err(full)?;
        let mut images = Images {
            text: &mut text_image,
            rodata: &mut rodata_image,
            data: &mut data_image,
        };
        namespace.link(*id, object, layout, placement, &mut images)?;
        for (index, section) in object.sections().iter().enumerate() {
            if section.kind != SectionKind::Unloaded
                && let Some(start) = placement.section(object, layout, index)
            {
                view.add_section((number, index), start, section.size);
            }
        }
        let got = placement.rodata + layout.got.offset;
        view.got.push(got..got + layout.got.size);
        view.add_memory(placement.text, text_image);
        view.add_memory(placement.rodata, rodata_image);
        view.add_memory(*data, data_image);
        Ok(())
    }
}
