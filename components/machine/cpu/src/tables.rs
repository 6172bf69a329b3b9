//! Descriptor tables and interrupt stacks.

use core::cell::UnsafeCell;

use spin::Once;
use x86_64::{
    VirtAddr,
    instructions::tables::load_tss,
    registers::{
        model_specific::GsBase,
        segmentation::{CS, DS, ES, FS, GS, SS, Segment},
    },
    structures::{
        gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector},
        tss::TaskStateSegment,
    },
};

use crate::{CpuId, Local};

/// Size of an interrupt stack. 16 KiB overflow when handlers are built without optimisation.
pub const IST_SIZE: usize = 32 * 1024;

/// How many of the seven entries of the interrupt stack table are in use.
const STACKS: usize = 6;

/// Null, code, data and the two words of the TSS descriptor.
const GDT_WORDS: usize = 8;

/// Which interrupt stack a vector uses (an index into the TSS's interrupt stack table).
///
/// The vectors that can arrive while another one is being entered have a stack of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum InterruptStack {
    /// Interrupts of devices and other CPUs.
    Device = 0,
    /// #PF.
    PageFault = 1,
    /// #DF.
    DoubleFault = 2,
    /// NMI.
    NonMaskable = 3,
    /// #MC.
    MachineCheck = 4,
    /// All other exceptions, which an interrupt handler may raise while it is on the stack above.
    Exception = 5,
}

/// The tables of one CPU. They are used by the hardware from [`CpuTables::install`] on.
pub struct CpuTables {
    tss: Once<TaskStateSegment>,
    gdt: Once<Gdt>,
    local: Local,
    stacks: &'static InterruptStacks,
}

/// The interrupt stacks of one CPU. All zeroes are a valid value.
#[repr(C)]
pub struct InterruptStacks([Stack; STACKS]);

struct Gdt {
    table: GlobalDescriptorTable<GDT_WORDS>,
    code: SegmentSelector,
    data: SegmentSelector,
    tss: SegmentSelector,
}

#[repr(C, align(4096))]
struct Stack(UnsafeCell<[u8; IST_SIZE]>);

// SAFETY: only the hardware and the code that it starts on the stack touch the bytes.
unsafe impl Sync for Stack {}

#[used]
static BOOT_STACKS: InterruptStacks =
    InterruptStacks([const { Stack(UnsafeCell::new([0; IST_SIZE])) }; STACKS]);

#[used]
static BOOT_CPU: CpuTables = CpuTables::new(&BOOT_STACKS);

pub(crate) fn install_boot_cpu() {
    BOOT_CPU.install(CpuId(0));
}

/// The selector of the code segment, as interrupt gates need it.
#[must_use]
pub fn kernel_code_selector() -> u16 {
    CS::get_reg().0
}

impl InterruptStacks {
    fn end(&self, which: InterruptStack) -> VirtAddr {
        // The enumeration numbers the stacks.
        let stack = self.0.get(which as usize).unwrap_or(&self.0[0]);
        stack.end()
    }
}

impl Stack {
    fn end(&self) -> VirtAddr {
        VirtAddr::from_ptr(self.0.get()) + IST_SIZE as u64
    }
}

impl CpuTables {
    /// Tables that no CPU uses yet, with `stacks` that no other tables have.
    #[must_use]
    pub const fn new(stacks: &'static InterruptStacks) -> Self {
        Self {
            tss: Once::new(),
            gdt: Once::new(),
            local: Local::new(),
            stacks,
        }
    }

    /// Makes these the tables of the CPU that runs this, and gives it the name `id`.
    ///
    /// Each CPU needs its own tables; `id` must not be in use.
    pub fn install(&'static self, id: CpuId) {
        let tss = self.tss.call_once(|| self.task_state());
        let gdt = self.gdt.call_once(|| Gdt::new(tss));
        gdt.load();
        let device_stack = self.stacks.end(InterruptStack::Device);
        self.local.identify(id, device_stack.as_u64());
        // SAFETY: GS is used for nothing but the block, which lives as long as the system.
        GsBase::write(VirtAddr::from_ptr(&raw const self.local));
    }

    fn task_state(&self) -> TaskStateSegment {
        let mut tss = TaskStateSegment::new();
        let mut tops = tss.interrupt_stack_table; // Copied out: the segment is packed.
        for (top, stack) in tops.iter_mut().zip(&self.stacks.0) {
            *top = stack.end();
        }
        tss.interrupt_stack_table = tops;
        tss
    }
}

impl Gdt {
    fn new(tss: &'static TaskStateSegment) -> Self {
        let mut table = GlobalDescriptorTable::empty();
        let code = table.append(Descriptor::kernel_code_segment());
        let data = table.append(Descriptor::kernel_data_segment());
        let tss = table.append(Descriptor::tss_segment(tss));
        Self {
            table,
            code,
            data,
            tss,
        }
    }

    fn load(&'static self) {
        self.table.load();
        // SAFETY: the selector names the 64-bit code segment of the table just loaded.
        unsafe { CS::set_reg(self.code) };
        // SAFETY: the selector names the writable data segment of that table.
        unsafe { SS::set_reg(self.data) };
        // SAFETY: as above.
        unsafe { DS::set_reg(self.data) };
        // SAFETY: as above.
        unsafe { ES::set_reg(self.data) };
        // SAFETY: the null selector is allowed, and nothing uses FS.
        unsafe { FS::set_reg(SegmentSelector::NULL) };
        // SAFETY: as above; the GS base is written after this.
        unsafe { GS::set_reg(SegmentSelector::NULL) };
        // SAFETY: the selector names the TSS in that table; it is loaded once per table, so its
        // descriptor is not busy.
        unsafe { load_tss(self.tss) };
    }
}
