//! From a frame to its caller.

use crate::{
    UnwindTable, finder,
    lsda::{self, LsdaError},
    registers::{COUNT, Registers},
};
use core::fmt;
use gimli::{
    BaseAddresses, CfaRule, EhFrame, EndianSlice, FrameDescriptionEntry, LittleEndian, Pointer,
    Register, RegisterRule, UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow,
    X86_64,
};
use handover::{VirtualRange, layout};
use interrupts::TrapFrame;

/// The stack that a walk may read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StackBounds(pub(crate) VirtualRange);

impl StackBounds {
    /// The word at `address`.
    pub(crate) fn read(self, address: u64) -> Result<u64, StepError> {
        let inside = self.0.contains(address) && self.0.end - address >= 8;
        if !inside || !address.is_multiple_of(8) {
            return Err(StepError::OutsideStack(address));
        }
        // The reserve below a stack may be unmapped, and what leads a walk there may be anything.
        cpu::probe_read(address).ok_or(StepError::OutsideStack(address))
    }
}

/// Why a frame has no known caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepError {
    /// No unwind information covers the address: the stack's end, or code written in assembly.
    NoInformation(u64),
    /// A saved register would lie outside the stack.
    OutsideStack(u64),
    /// The unwind information is wrong.
    Information(gimli::Error),
    /// The unwind information uses what no compiler uses for functions.
    Unsupported,
    /// The landing-pad table is wrong.
    LandingPads(LsdaError),
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInformation(address) => write!(f, "no unwind information for {address:#x}"),
            Self::OutsideStack(address) => write!(f, "{address:#x} lies outside the stack"),
            Self::Information(error) => write!(f, "bad unwind information: {error}"),
            Self::Unsupported => f.write_str("unwind information uses an unknown rule"),
            Self::LandingPads(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl core::error::Error for StepError {}

/// A point in a walk: a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    pub(crate) registers: Registers,
    /// Whether the instruction is the one that was to be executed next, as after an exception; else
    /// it is the return address of a call.
    pub(crate) exact: bool,
}

/// What is known of a frame.
pub(crate) struct FrameView {
    /// The frame's caller.
    pub(crate) caller: Cursor,
    /// Where the frame's drops are run for a failure at its instruction.
    pub(crate) pad: Option<Pad>,
    /// The frame of an interrupt entry: the interrupted code's state, at this address.
    pub(crate) trap_frame: Option<u64>,
    /// Whether the frame's function has drops to run anywhere.
    pub(crate) cleans: bool,
}

/// Where a frame's drops are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pad {
    pub(crate) address: u64,
    /// The stack pointer that it was made for: without the arguments that a call had pushed.
    pub(crate) stack_pointer: u64,
}

impl Cursor {
    /// An address inside the instruction that was being executed.
    pub(crate) const fn lookup_address(&self) -> u64 {
        let instruction = self.registers.instruction();
        if self.exact {
            instruction
        } else {
            instruction.wrapping_sub(1)
        }
    }

    /// Looks at the frame; `with_pad` when its landing pad is wanted too.
    pub(crate) fn view(&self, bounds: StackBounds, with_pad: bool) -> Result<FrameView, StepError> {
        let address = self.lookup_address();
        if (layout::STUBS..layout::STUBS_END).contains(&address) {
            return self.leaf_view(bounds); // A stub has pushed nothing.
        }
        let Some(table) = finder::find(address) else {
            return self.view_of_wild_call(bounds);
        };
        let section = Section::new(table);
        let entry = section.entry()?;
        let cleans = matches!(entry.lsda(), Some(Pointer::Direct(lsda)) if lsda != 0);
        let pad = if with_pad && cleans {
            section.pad(&entry, address)?
        } else {
            None
        };
        let mut context = UnwindContext::<usize, OnStack>::new_in();
        let row = entry
            .unwind_info_for_address(&section.frames, &section.bases, &mut context, address)
            .map_err(StepError::Information)?;
        let cfa = self.frame_address(row)?;
        let registers = self.caller_registers(row, cfa, bounds)?;
        let pushed = row.saved_args_size();
        let pad = match pad {
            Some(address) if self.exact => self.pad_of_fault(row, bounds, cfa, address)?,
            Some(address) => Some(Pad {
                address,
                stack_pointer: self.registers.stack_pointer().wrapping_add(pushed),
            }),
            None => None,
        };
        let signal = entry.is_signal_trampoline();
        Ok(FrameView {
            caller: Cursor {
                registers,
                exact: signal,
            },
            pad,
            trap_frame: signal.then_some(cfa),
            cleans,
        })
    }

    /// The pad at `address`, for a fault at the frame's instruction, whose canonical address is `cfa`. How much
    /// has been pushed is known at calls only; so the pad's stack pointer is the one with which the pad's own
    /// unwind information leads to the same canonical address.
    ///
    /// In a function with a frame pointer nothing says that; its drops are not run.
    #[cold]
    fn pad_of_fault(
        &self,
        row: &UnwindTableRow<usize, OnStack>,
        bounds: StackBounds,
        cfa: u64,
        address: u64,
    ) -> Result<Option<Pad>, StepError> {
        match row.cfa() {
            CfaRule::RegisterAndOffset { register, .. } if *register == X86_64::RSP => {}
            _ => return Ok(None),
        }
        let mut there = *self;
        there.registers.set_instruction(address);
        let reached = there.view(bounds, false)?.caller.registers.stack_pointer();
        let stack_pointer = self.registers.stack_pointer();
        Ok(Some(Pad {
            address,
            stack_pointer: stack_pointer.wrapping_add(cfa.wrapping_sub(reached)),
        }))
    }

    /// The view of code that has pushed nothing and saved no register.
    fn leaf_view(&self, bounds: StackBounds) -> Result<FrameView, StepError> {
        let stack_pointer = self.registers.stack_pointer();
        let mut registers = self.registers;
        registers.set_instruction(bounds.read(stack_pointer)?);
        registers.set_stack_pointer(stack_pointer.wrapping_add(8));
        let caller = Cursor {
            registers,
            exact: false,
        };
        Ok(FrameView {
            caller,
            pad: None,
            trap_frame: None,
            cleans: false,
        })
    }

    /// A call through a wild pointer faults at its target: what it pushed leads back.
    fn view_of_wild_call(&self, bounds: StackBounds) -> Result<FrameView, StepError> {
        let nothing = StepError::NoInformation(self.registers.instruction());
        if !self.exact {
            return Err(nothing);
        }
        let view = self.leaf_view(bounds)?;
        finder::find(view.caller.lookup_address())
            .map(|_| view)
            .ok_or(nothing)
    }

    /// The canonical frame address: the caller's stack pointer, in all but interrupt entries.
    fn frame_address(&self, row: &UnwindTableRow<usize, OnStack>) -> Result<u64, StepError> {
        match row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => self
                .registers
                .get(register.0)
                .map(|base| base.wrapping_add_signed(*offset))
                .ok_or(StepError::Unsupported),
            CfaRule::Expression(_) => Err(StepError::Unsupported),
        }
    }

    fn caller_registers(
        &self,
        row: &UnwindTableRow<usize, OnStack>,
        cfa: u64,
        bounds: StackBounds,
    ) -> Result<Registers, StepError> {
        let mut registers = self.registers;
        registers.set_stack_pointer(cfa);
        for (register, rule) in row.registers() {
            let value = match rule {
                RegisterRule::Offset(offset) => bounds.read(cfa.wrapping_add_signed(*offset))?,
                RegisterRule::ValOffset(offset) => cfa.wrapping_add_signed(*offset),
                RegisterRule::Register(other) => {
                    self.registers.get(other.0).ok_or(StepError::Unsupported)?
                }
                RegisterRule::Undefined => 0,
                RegisterRule::SameValue => continue,
                _ => return Err(StepError::Unsupported),
            };
            registers
                .set(register.0, value)
                .ok_or(StepError::Unsupported)?;
        }
        Ok(registers)
    }
}

type Bytes = EndianSlice<'static, LittleEndian>;

/// The unwind information of an object, and which entry of it is wanted.
struct Section {
    table: UnwindTable,
    frames: EhFrame<Bytes>,
    bases: BaseAddresses,
}

impl Section {
    fn new(table: UnwindTable) -> Self {
        let bases = BaseAddresses::default()
            .set_eh_frame(table.eh_frame.start)
            .set_text(table.text.start);
        let frames = EhFrame::from(EndianSlice::new(bytes(table.eh_frame), LittleEndian));
        Self {
            table,
            frames,
            bases,
        }
    }

    fn entry(&self) -> Result<FrameDescriptionEntry<Bytes>, StepError> {
        self.frames
            .fde_from_offset(
                &self.bases,
                gimli::EhFrameOffset(self.table.entry_offset as usize),
                EhFrame::cie_from_offset,
            )
            .map_err(StepError::Information)
    }

    /// The landing pad for `address`.
    fn pad(
        &self,
        entry: &FrameDescriptionEntry<Bytes>,
        address: u64,
    ) -> Result<Option<u64>, StepError> {
        let lsda = match entry.lsda() {
            Some(Pointer::Direct(lsda)) if lsda != 0 => lsda,
            _ => return Ok(None),
        };
        let range = self.table.except_table;
        if !range.contains(lsda) {
            return Err(StepError::LandingPads(LsdaError::Truncated));
        }
        let table = bytes(VirtualRange {
            start: lsda,
            end: range.end,
        });
        let start = entry.initial_address();
        let pad = lsda::cleanup_pad(table, address.wrapping_sub(start))
            .map_err(StepError::LandingPads)?;
        Ok(pad.map(|pad| start.wrapping_add(pad)))
    }
}

/// The bytes of a table that the finder named.
fn bytes(range: VirtualRange) -> &'static [u8] {
    let length = usize::try_from(range.len()).unwrap_or(0);
    if length == 0 {
        return &[];
    }
    // SAFETY: the finder promises that the range is mapped and readable as long as the text is, and
    // text that a frame stands in is not freed.
    unsafe { core::slice::from_raw_parts(range.start as *const u8, length) }
}

/// Room for the rules of all registers, and for the row and one remembered state: LLVM nests none.
struct OnStack;

impl UnwindContextStorage<usize> for OnStack {
    type Rules = [(Register, RegisterRule<usize>); COUNT + 1];
    type Stack = [UnwindTableRow<usize, Self>; 2];
}

/// The vector in the trap frame at `address`.
pub(crate) fn vector_of(address: u64, bounds: StackBounds) -> Result<u64, StepError> {
    bounds.read(address + core::mem::offset_of!(TrapFrame, vector) as u64)
}
