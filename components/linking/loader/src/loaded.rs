//! A version of a component in memory: its images, its bytes, and what its metadata says.

use crate::{LoadError, ObjectBytes};
use alloc::{borrow::ToOwned, string::String, sync::Arc, vec::Vec};
use core::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};
use handover::VirtualRange;
use linker::{
    ImageLayout, Layout, Object, Piece, Placement, StaticPlace, SymbolIndex, Symbols,
    format::{
        Records, Span,
        metadata::{APPLICATION, FrameDescription, Metadata, NO_INDEX},
    },
    pristine::{Image, Pristine},
};
use mappings::{Mapping, PAGE_SIZE, Protection};

/// Bytes of an entry of a page table.
pub(crate) const PAGE_ENTRY: u64 = 8;

/// A linked version of a component. Dropping it unmaps its text and rodata; its statics' storage
/// lives until no version needs it.
pub struct Loaded {
    /// The component's name.
    pub name: String,
    /// Its crate's version.
    pub version: String,
    /// Its object.
    pub bytes: ObjectBytes,
    /// The object's exact id.
    pub exact_id: u128,
    /// The object's content id.
    pub content_id: u128,
    /// The flags of its metadata.
    pub flags: u32,
    /// Where it lies; [`StaticPlace::Kept`] for statics that were there before.
    pub placement: Placement,
    /// Address of its hooks.
    pub hooks: Option<u64>,
    /// Address of its entry, if it is an application.
    pub entry: Option<u64>,
    /// `.eh_frame` in the rodata image.
    pub unwind_frames: Piece,
    /// `.gcc_except_table` in the rodata image.
    pub landing_pads: Piece,
    /// Sizes of text, rodata and statics in bytes.
    pub sizes: Sizes,
    text: Option<Mapping>,
    rodata: Option<Mapping>,
    data: Vec<Arc<Mapping>>,
    /// The metadata's place in `bytes`.
    metadata_place: Range<usize>,
    /// The unwind index, as a table in the metadata.
    frames: Span,
    /// The addresses of its statics, in the order of their sections, for debuggers.
    static_addresses: Vec<u64>,
    /// What its text and its rodata must hold; none for an image that it has not.
    pristine: [Option<Pristine>; 2],
    /// Whether another version has taken its place, or it was unloaded.
    retired: AtomicBool,
}

/// What an image holds and must hold.
#[derive(Clone, Copy)]
pub struct ImageState<'l> {
    /// Where it is mapped.
    pub range: VirtualRange,
    /// What it holds.
    pub bytes: &'l [u8],
    /// What it must hold.
    pub pristine: &'l Pristine,
}

/// The hash by which images are checked: XXH3 of 64 bits.
#[must_use]
pub fn image_hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// Sizes of a component in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Code.
    pub text: u64,
    /// Constants and unwind tables.
    pub rodata: u64,
    /// Statics.
    pub data: u64,
}

/// Fresh, writable memory for an object's images.
pub struct Fresh {
    /// For the text image.
    pub text: Option<Mapping>,
    /// For the rodata image.
    pub rodata: Option<Mapping>,
    /// For the data image.
    pub data: Option<Mapping>,
}

impl Fresh {
    /// Memory for an object with this layout, whose new statics take `data_size` bytes.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn allocate(name: &str, layout: &Layout<'_>, data_size: u64) -> Result<Self, LoadError> {
        let data = ImageLayout {
            size: data_size,
            ..layout.data
        };
        Ok(Self {
            text: image(name, layout.text)?,
            rodata: image(name, layout.rodata)?,
            data: image(name, data)?,
        })
    }

    /// Address of the text image; 0 if there is none.
    #[must_use]
    pub fn text_start(&self) -> u64 {
        start(self.text.as_ref())
    }

    /// Address of the rodata image; 0 if there is none.
    #[must_use]
    pub fn rodata_start(&self) -> u64 {
        start(self.rodata.as_ref())
    }

    /// Address of the data image; 0 if there is none.
    #[must_use]
    pub fn data_start(&self) -> u64 {
        start(self.data.as_ref())
    }

    /// The images of `name`, for the linker to fill.
    ///
    /// # Errors
    ///
    /// When they are not writable any more.
    pub fn images(&mut self, name: &str) -> Result<linker::Images<'_>, LoadError> {
        Ok(linker::Images {
            text: writable(name, self.text.as_mut())?,
            rodata: writable(name, self.rodata.as_mut())?,
            data: writable(name, self.data.as_mut())?,
        })
    }
}

fn writable<'m>(name: &str, mapping: Option<&'m mut Mapping>) -> Result<&'m mut [u8], LoadError> {
    mapping
        .map_or(Ok(&mut [][..]), Mapping::as_mut_slice)
        .map_err(|error| LoadError::Memory {
            component: name.to_owned(),
            error,
        })
}

fn image(name: &str, layout: ImageLayout) -> Result<Option<Mapping>, LoadError> {
    if layout.size == 0 {
        return Ok(None);
    }
    Mapping::allocate_object(layout.size)
        .map(Some)
        .map_err(|error| LoadError::Memory {
            component: name.to_owned(),
            error,
        })
}

fn start(mapping: Option<&Mapping>) -> u64 {
    mapping.map_or(0, |mapping| mapping.start())
}

impl Loaded {
    /// Turns filled images into a version that can run: text becomes executable, rodata read-only.
    /// `kept` is the storage of statics that were there before.
    ///
    /// # Errors
    ///
    /// When the pages cannot be protected.
    pub fn seal(
        bytes: ObjectBytes,
        object: &Object<'_>,
        layout: &Layout<'_>,
        placement: Placement,
        mut fresh: Fresh,
        kept: &[Arc<Mapping>],
    ) -> Result<Self, LoadError> {
        let name = object.name();
        protect(name, fresh.text.as_mut(), Protection::ReadExecute)?;
        protect(name, fresh.rodata.as_mut(), Protection::Read)?;
        let mut data = kept.to_vec();
        data.extend(fresh.data.map(Arc::new));
        Ok(Self::describe(
            bytes,
            object,
            layout,
            placement,
            (fresh.text, fresh.rodata, data),
        ))
    }

    /// Adopts what the nucleus has mapped.
    ///
    /// # Errors
    ///
    /// When the pages are not mapped.
    pub(crate) fn adopt(
        bytes: ObjectBytes,
        object: &Object<'_>,
        layout: &Layout<'_>,
        placement: Placement,
        ranges: [VirtualRange; 3],
    ) -> Result<Self, LoadError> {
        let adopt = |range: VirtualRange, protection| {
            if range.is_empty() {
                return Ok(None);
            }
            // SAFETY: the nucleus mapped the range by small pages for this component alone, and
            // says so in the hand-over, which is adopted once.
            let adopted = unsafe { Mapping::adopt(range, protection) };
            adopted.map(Some).map_err(|error| LoadError::Memory {
                component: object.name().to_owned(),
                error,
            })
        };
        let [text, rodata, data] = ranges;
        let text = adopt(text, Protection::ReadExecute)?;
        let rodata = adopt(rodata, Protection::Read)?;
        let data = adopt(data, Protection::ReadWrite)?
            .map(Arc::new)
            .into_iter()
            .collect();
        Ok(Self::describe(
            bytes,
            object,
            layout,
            placement,
            (text, rodata, data),
        ))
    }

    fn describe(
        bytes: ObjectBytes,
        object: &Object<'_>,
        layout: &Layout<'_>,
        placement: Placement,
        (text, rodata, data): (Option<Mapping>, Option<Mapping>, Vec<Arc<Mapping>>),
    ) -> Self {
        let header = &object.metadata.header;
        let pristine_of = |which, image: &Option<Mapping>| {
            let image = image.as_ref()?.as_slice();
            Pristine::of(which, image, object, layout, &bytes, image_hash)
        };
        let pristine = [
            pristine_of(Image::Text, &text),
            pristine_of(Image::Rodata, &rodata),
        ];
        let address = |symbol| {
            let symbol = (symbol != NO_INDEX).then(|| object.symbol(SymbolIndex(symbol)))??;
            placement.symbol(object, layout, symbol)
        };
        Self {
            name: object.name().to_owned(),
            version: object.metadata.version.to_owned(),
            exact_id: header.exact_id,
            content_id: header.content_id,
            flags: header.flags,
            hooks: address(header.component_symbol),
            entry: address(header.application_symbol),
            unwind_frames: layout.unwind_frames,
            landing_pads: layout.landing_pads,
            sizes: Sizes {
                text: layout.text.size,
                rodata: layout.rodata.size,
                data: layout.statics.iter().map(|entry| entry.size).sum(),
            },
            metadata_place: object.metadata_place.clone(),
            frames: header.frames,
            static_addresses: placement
                .statics
                .iter()
                .map(|place| place.address())
                .collect(),
            pristine,
            retired: AtomicBool::new(false),
            bytes,
            placement,
            text,
            rodata,
            data,
        }
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> VirtualRange {
        range(self.text.as_ref())
    }

    /// Its rodata.
    #[must_use]
    pub fn rodata(&self) -> VirtualRange {
        range(self.rodata.as_ref())
    }

    /// The bytes of its rodata image.
    #[must_use]
    pub fn rodata_bytes(&self) -> &[u8] {
        self.rodata.as_ref().map_or(&[], Mapping::as_slice)
    }

    /// What an image holds and must hold, if it has that image.
    #[must_use]
    pub fn image(&self, which: Image) -> Option<ImageState<'_>> {
        let (mapping, pristine) = match which {
            Image::Text => (&self.text, &self.pristine[0]),
            Image::Rodata => (&self.rodata, &self.pristine[1]),
        };
        let mapping = mapping.as_ref()?;
        Some(ImageState {
            range: mapping.range(),
            bytes: mapping.as_slice(),
            pristine: pristine.as_ref()?,
        })
    }

    /// The mappings that hold the statics of this version and of those before it.
    #[must_use]
    pub fn data(&self) -> &[Arc<Mapping>] {
        &self.data
    }

    /// The addresses of its statics, in the order of their sections.
    #[must_use]
    pub fn static_addresses(&self) -> &[u64] {
        &self.static_addresses
    }

    /// Bytes of the records that the loader, debuggers' table and history keep of a version, and of
    /// the page-table entries for its images.
    #[must_use]
    pub fn bookkeeping(&self) -> u64 {
        let in_heap = [
            size_of::<Self>() + size_of::<[usize; 2]>(), // With the counts of its `Arc`.
            self.name.capacity(),
            self.version.capacity(),
            self.placement.statics.capacity() * size_of::<StaticPlace>(),
            self.static_addresses.capacity() * size_of::<u64>(),
            self.data.capacity() * size_of::<Arc<Mapping>>(),
        ];
        let pristine = self.pristine.iter().flatten();
        let parts = pristine.flat_map(Pristine::memory).chain(in_heap);
        let record: usize = parts.map(heap::allocated_size).sum();
        let pages = (self.text().len() + self.rodata().len()) / PAGE_SIZE;
        (record + crate::registry::ENTRY_COST) as u64 + pages * PAGE_ENTRY
    }

    /// Whether it is an application.
    #[must_use]
    pub const fn is_application(&self) -> bool {
        self.flags & APPLICATION != 0
    }

    /// Where the unwind information that covers `text_offset` lies. Allocates nothing.
    #[must_use]
    pub fn frame(&self, text_offset: u32) -> Option<FrameDescription> {
        let metadata = self.bytes.get(self.metadata_place.clone())?;
        Records::new(metadata, self.frames)?.covering(text_offset)
    }

    /// Its metadata. Allocates nothing.
    #[must_use]
    pub fn metadata(&self) -> Option<Metadata<'_>> {
        Metadata::parse(self.bytes.get(self.metadata_place.clone())?).ok()
    }

    /// The addresses of a piece of the rodata image.
    #[must_use]
    pub fn in_rodata(&self, piece: Piece) -> VirtualRange {
        let start = self.rodata().start.saturating_add(piece.offset);
        VirtualRange {
            start,
            end: start.saturating_add(piece.size),
        }
    }

    /// Whether another version has taken its place, or it was unloaded.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Says whether another version has taken its place.
    pub fn set_retired(&self, retired: bool) {
        self.retired.store(retired, Ordering::Relaxed);
    }

    /// Its symbols.
    #[must_use]
    pub fn symbols(&self) -> Option<Symbols<'_>> {
        Symbols::parse(&self.bytes).ok()
    }

    /// The same placement with every static kept, as the next version sees it.
    #[must_use]
    pub fn settled_placement(&self) -> Placement {
        let mut placement = self.placement.clone();
        for place in &mut placement.statics {
            *place = StaticPlace::Kept {
                address: place.address(),
            };
        }
        placement
    }
}

fn protect(
    name: &str,
    mapping: Option<&mut Mapping>,
    protection: Protection,
) -> Result<(), LoadError> {
    mapping
        .map_or(Ok(()), |mapping| mapping.protect(protection))
        .map_err(|error| LoadError::Memory {
            component: name.to_owned(),
            error,
        })
}

fn range(mapping: Option<&Mapping>) -> VirtualRange {
    mapping.map_or(VirtualRange::default(), |mapping| mapping.range())
}
