//! Loading and linking all components that the boot needs.
//!
//! All are laid out and entered in the namespace before the first is linked, since components import
//! from each other in circles (`core` needs `memcpy`, `alloc` needs the heap).

use crate::{
    address_space::{Access, Pages},
    error::BootError,
    memory::TakenFrames,
    say,
};
use alloc::{borrow::ToOwned, string::ToString, vec, vec::Vec};
use handover::{
    LoadedComponent, Purpose, StartEntry, VirtualRange,
    layout::{OBJECTS, OBJECTS_END, PAGE_SIZE, STUB_SIZE, STUBS},
};
use linker::{
    ComponentId, ImageLayout, Images, Layout, Namespace, Object, Placement, SymbolIndex,
    format::{archive::Archive, metadata::NO_INDEX},
    stub,
};

/// Components between two progress messages: each costs as much as some hundred relocations.
const PROGRESS_STEP: usize = 16;

/// What linking has made.
pub(crate) struct Linked {
    /// The components, in the order in which they were linked.
    pub(crate) components: Vec<LoadedComponent>,
    /// Stubs, statics and exports.
    pub(crate) namespace: Namespace,
    /// What `init` starts, in order.
    pub(crate) start_order: Vec<StartEntry>,
    /// Address of the entry function's code: nobody calls it twice, so it needs no stub.
    pub(crate) entry: u64,
    /// First free address of the object area.
    pub(crate) objects_end: u64,
    /// Relocations applied.
    pub(crate) relocations: u64,
    /// What has to be mapped.
    pub(crate) pages: Vec<Pages>,
}

/// A component on its way.
struct Loading<'a> {
    member: u32,
    id: ComponentId,
    object: Object<'a>,
    layout: Layout<'a>,
    placement: Placement,
    place: LoadedComponent,
}

/// Links the components that the archive starts, its entry function's, and all that they need.
///
/// # Errors
///
/// Names the member, and the symbol or section where there is one.
pub(crate) fn link_all(archive: &Archive<'_>) -> Result<Linked, BootError> {
    let members = closure(archive)?;
    let mut namespace = Namespace::new();
    namespace.reserve(archive.definitions.len(), archive.definitions.len());
    let mut objects_end = OBJECTS;
    let mut loading = Vec::with_capacity(members.len());
    for member in members {
        loading.push(load(archive, member, &mut namespace, &mut objects_end)?);
    }
    let mut pages = Vec::new();
    let mut relocations = 0;
    for (index, component) in loading.iter().enumerate() {
        if index % PROGRESS_STEP == 0 {
            let (name, count) = (component.object.name(), loading.len());
            say::progress(format_args!("linking {index} of {count} components: {name}"));
        }
        link(component, &mut namespace, &mut pages)?;
        relocations += component.object.relocation_count() as u64;
    }
    pages.push(write_stubs(&mut namespace)?);
    Ok(Linked {
        start_order: start_order(archive, &loading)?,
        components: loading.iter().map(|component| component.place).collect(),
        entry: entry(archive, &loading)?,
        namespace,
        objects_end,
        relocations,
        pages,
    })
}

/// The members to load, dependencies first where there is no circle.
fn closure(archive: &Archive<'_>) -> Result<Vec<u32>, BootError> {
    let mut seen = vec![false; archive.members.len()];
    let mut order = Vec::new();
    let roots = archive.start_order.iter().chain([archive.header.entry.member]);
    for root in roots {
        visit(archive, root, &mut seen, &mut order)?;
    }
    Ok(order)
}

/// Depth first; as deep as the longest chain of dependencies, which has some dozens.
fn visit(
    archive: &Archive<'_>,
    member: u32,
    seen: &mut [bool],
    order: &mut Vec<u32>,
) -> Result<(), BootError> {
    let record = archive.member(member)?;
    match seen.get_mut(member as usize) {
        Some(seen) if !*seen => *seen = true,
        _ => return Ok(()),
    }
    for dependency in archive.dependencies_of(&record) {
        visit(archive, dependency, seen, order)?;
    }
    order.push(member);
    Ok(())
}

/// Parses a member, gives it addresses and enters it in the namespace.
fn load<'a>(
    archive: &Archive<'a>,
    member: u32,
    namespace: &mut Namespace,
    end: &mut u64,
) -> Result<Loading<'a>, BootError> {
    let record = archive.member(member)?;
    let name = || archive.text(record.name).to_owned();
    let bytes =
        archive.object(member).map_err(|error| BootError::Member { name: name(), error })?;
    let object = Object::parse(bytes, Some(archive.header.toolchain))
        .map_err(|error| BootError::Object { name: name(), error })?;
    let layout = object.layout();
    let place = LoadedComponent {
        member,
        reserved: 0,
        text: reserve(end, layout.text),
        rodata: reserve(end, layout.rodata),
        data: reserve(end, layout.data),
    };
    if *end > OBJECTS_END {
        return Err(BootError::ObjectAreaFull { name: object.name().to_owned() });
    }
    let placement =
        Placement::fresh(&layout, place.text.start, place.rodata.start, place.data.start);
    let id = namespace.add(&object, &layout, &placement, true)?;
    Ok(Loading { member, id, object, layout, placement, place })
}

/// Addresses for an image: whole pages, so that each has its own protection.
const fn reserve(end: &mut u64, image: ImageLayout) -> VirtualRange {
    let start = *end;
    *end = start.saturating_add(image.size.next_multiple_of(PAGE_SIZE));
    VirtualRange { start, end: *end }
}

/// Fills fresh frames with a component's images.
fn link(
    component: &Loading<'_>,
    namespace: &mut Namespace,
    pages: &mut Vec<Pages>,
) -> Result<(), BootError> {
    let Loading { id, object, layout, placement, place, .. } = component;
    let mut text = image(place.text)?;
    let mut rodata = image(place.rodata)?;
    let mut data = image(place.data)?;
    let mut images =
        Images { text: text.bytes(), rodata: rodata.bytes(), data: data.bytes() };
    namespace.link(*id, object, layout, placement, &mut images)?;
    pages.push(Pages::new(place.text.start, text.range(), Access::ReadExecute));
    pages.push(Pages::new(place.rodata.start, rodata.range(), Access::Read));
    pages.push(Pages::new(place.data.start, data.range(), Access::ReadWrite));
    Ok(())
}

/// Cleared frames for an image.
fn image(place: VirtualRange) -> Result<TakenFrames, BootError> {
    let mut frames = TakenFrames::take(place.len(), Purpose::Components)?;
    frames.bytes().fill(0);
    Ok(frames)
}

/// Writes every stub that linking has asked for.
fn write_stubs(namespace: &mut Namespace) -> Result<Pages, BootError> {
    let length = namespace.stub_area() as u64 * STUB_SIZE;
    let mut frames = TakenFrames::take(length, Purpose::Components)?;
    let bytes = frames.bytes();
    let (chunks, rest) = bytes.as_chunks_mut::<{ stub::SIZE }>();
    for (chunk, (_, entry)) in chunks.iter_mut().zip(namespace.stubs()) {
        *chunk = stub::encode(entry.target);
    }
    // Of the last page, what no stub uses must not be executed by chance: 0xCC is a breakpoint.
    chunks.iter_mut().skip(namespace.stub_area()).for_each(|chunk| chunk.fill(0xCC));
    rest.fill(0xCC);
    namespace.take_fresh_stubs();
    Ok(Pages::new(STUBS, frames.range(), Access::ReadExecute))
}

/// The components that the archive starts, with the addresses of their hooks.
fn start_order(
    archive: &Archive<'_>,
    loading: &[Loading<'_>],
) -> Result<Vec<StartEntry>, BootError> {
    let mut order = Vec::new();
    for member in archive.start_order.iter() {
        let stage = archive.member(member)?.stage;
        let Some((component, index)) =
            loading.iter().zip(0..).find(|(component, _)| component.member == member)
        else {
            continue;
        };
        let symbol = component.object.metadata.header.component_symbol;
        let hooks = if symbol == NO_INDEX { 0 } else { address_of(component, symbol)? };
        order.push(StartEntry { component: index, stage, hooks });
    }
    Ok(order)
}

/// Where the nucleus goes.
fn entry(archive: &Archive<'_>, loading: &[Loading<'_>]) -> Result<u64, BootError> {
    let wanted = archive.header.entry;
    let component = loading.iter().find(|component| component.member == wanted.member);
    component.map_or(Err(BootError::NoEntry), |component| address_of(component, wanted.symbol))
}

/// The address of a symbol's definition.
fn address_of(component: &Loading<'_>, symbol: u32) -> Result<u64, BootError> {
    let Loading { object, layout, placement, .. } = component;
    let found = object.symbol(SymbolIndex(symbol));
    found
        .and_then(|found| placement.symbol(object, layout, found))
        .ok_or_else(|| BootError::NoSymbol { name: object.name().to_string(), symbol })
}
