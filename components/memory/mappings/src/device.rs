//! Serves `device_memory`.

use device_memory::{Caching, Mapper};
use handover::{PhysicalRange, VirtualRange};
use x86_64::structures::paging::PageTableFlags;

use crate::{
    pages::{self, Frames},
    space::{self, Area},
};

pub(crate) struct Windows;

// SAFETY: `map_physical` maps the frames one by one, readable and writable, at addresses that
// `take` gives to nobody else before `unmap` gives them back.
unsafe impl Mapper for Windows {
    fn map(&self, range: PhysicalRange, caching: Caching) -> Option<VirtualRange> {
        let flags = match caching {
            Caching::WriteBack => space::READ_WRITE,
            Caching::Uncached => {
                space::READ_WRITE | PageTableFlags::NO_CACHE | PageTableFlags::WRITE_THROUGH
            }
        };
        let window = space::take(Area::Mappings, range.len()).ok()?;
        if pages::map_physical(window, range, flags).is_err() {
            space::give_back(Area::Mappings, window);
            return None;
        }
        Some(window)
    }

    fn unmap(&self, range: VirtualRange) {
        pages::release(Area::Mappings, range, Frames::Keep);
    }
}
