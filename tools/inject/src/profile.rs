//! What a workload executes, instruction by instruction: the places where a fault can hit it.

use crate::{
    error::InjectError,
    gdb::{Registers, Stop},
    guest::{Guest, Heard},
    symbols::Symbols,
};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use std::{collections::BTreeMap, collections::HashMap, time::Duration};

/// More instructions than any workload executes.
const MOST_STEPS: usize = 400_000;

/// How long a workload may take to begin, or to end.
const LIMIT: Duration = Duration::from_secs(60);

/// The longest instruction in bytes (Intel SDM volume 2, section 2.3.11).
const LONGEST_INSTRUCTION: usize = 15;

/// What is nearer to the stack pointer than this lies on the stack.
const STACK_REACH: u64 = 64 * 1024;

/// What a mutex's word holds when nobody has it.
const NO_OWNER: u64 = u64::MAX;

/// What the word of an interrupt-safe lock holds when nobody has it.
const NO_HOLDER: u64 = u32::MAX as u64;

/// What can be done at an executed instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Class {
    /// Anything.
    Any,
    /// It calls a function, which could fail.
    Call,
    /// It calls the allocator.
    Allocation,
    /// It reaches memory through a pointer in a register.
    Pointer,
    /// It reaches memory that is not the stack.
    Data,
    /// It takes a lock.
    Lock,
}

/// A moment of a workload: the `occurrence`th time that the instruction at `address` is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The instruction's address.
    pub(crate) address: u64,
    /// Counted from 1.
    pub(crate) occurrence: u32,
}

/// What a workload executes in one component.
#[derive(Default)]
pub(crate) struct Share {
    moments: BTreeMap<Class, Vec<Moment>>,
}

impl Share {
    /// The moments of a class, in their order.
    pub(crate) fn moments(&self, class: Class) -> &[Moment] {
        self.moments.get(&class).map_or(&[], Vec::as_slice)
    }
}

/// What a workload executes.
#[derive(Default)]
pub(crate) struct Profile {
    /// By component.
    pub(crate) shares: BTreeMap<String, Share>,
    /// Executed instructions.
    pub(crate) steps: usize,
}

impl Profile {
    /// Keeps the moments in functions whose path contains `aim`.
    pub(crate) fn aim(&mut self, symbols: &Symbols, aim: &str) {
        let hits = |moment: &Moment| {
            symbols
                .at(moment.address)
                .is_some_and(|it| it.name.contains(aim))
        };
        for share in self.shares.values_mut() {
            share
                .moments
                .values_mut()
                .for_each(|moments| moments.retain(hits));
        }
    }
}

/// The code that was executed, decoded.
#[derive(Default)]
pub(crate) struct Code {
    instructions: HashMap<u64, Instruction>,
}

impl Code {
    /// The instruction at `address`.
    pub(crate) fn at(
        &mut self,
        guest: &mut Guest,
        address: u64,
    ) -> Result<Instruction, InjectError> {
        if let Some(instruction) = self.instructions.get(&address) {
            return Ok(*instruction);
        }
        // The last page of the window may end behind the instruction.
        let bytes = match guest.gdb.read(address, LONGEST_INSTRUCTION) {
            Ok(bytes) => bytes,
            Err(_) => guest.gdb.read(address, 1)?,
        };
        let mut decoder = Decoder::with_ip(64, &bytes, address, DecoderOptions::NONE);
        let instruction = decoder.decode();
        self.instructions.insert(address, instruction);
        Ok(instruction)
    }
}

/// The number of a register in [`Registers`], if it is a general one.
pub(crate) fn number_of(register: Register) -> Option<usize> {
    const ORDER: [usize; 16] = [0, 2, 3, 1, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];
    let full = register.full_register();
    if !full.is_gpr64() {
        return None;
    }
    ORDER.get(full.number()).copied()
}

/// The address that an instruction reaches, if it reaches memory by an operand.
pub(crate) fn address_of(instruction: &Instruction, registers: &Registers) -> Option<u64> {
    if matches!(instruction.mnemonic(), Mnemonic::Lea | Mnemonic::Nop) {
        return None;
    }
    let operand =
        (0..instruction.op_count()).find(|it| instruction.op_kind(*it) == OpKind::Memory)?;
    instruction.virtual_address(operand, 0, |register, _, _| match register {
        Register::CS | Register::DS | Register::ES | Register::SS => Some(0),
        // The base of the per-CPU data is not among the registers that the debugger gives.
        Register::FS | Register::GS => None,
        _ => number_of(register).and_then(|number| registers.values.get(number).copied()),
    })
}

/// Whether `address` lies on the stack.
pub(crate) fn is_on_stack(address: u64, registers: &Registers) -> bool {
    let from = registers.rsp().saturating_sub(4096);
    (from..registers.rsp().saturating_add(STACK_REACH)).contains(&address)
}

/// Runs `workload` once, one instruction at a time.
pub(crate) fn profile(
    guest: &mut Guest,
    symbols: &Symbols,
    code: &mut Code,
    workload: &str,
) -> Result<Profile, InjectError> {
    let begin = symbols.address("injector", "injector::begin")?;
    let end = symbols.address("injector", "injector::end")?;
    guest.gdb.halt()?;
    guest.gdb.set_breakpoint(begin)?;
    guest.gdb.go_on()?;
    guest.type_command(&format!("workload {workload} --marks --json"))?;
    if guest.gdb.wait(LIMIT)? == Stop::Running {
        return Err(InjectError::Unexpected(format!(
            "{workload} does not begin"
        )));
    }
    guest.gdb.clear_breakpoint(begin)?;
    let mut recorder = Recorder::default();
    let mut registers = guest.gdb.registers()?;
    while registers.rip() != end {
        if recorder.profile.steps >= MOST_STEPS {
            return Err(InjectError::Unexpected(format!("{workload} does not end")));
        }
        let instruction = code.at(guest, registers.rip())?;
        let before = registers;
        guest.gdb.step()?;
        registers = guest.gdb.registers()?;
        recorder.note(symbols, &instruction, &before, &registers);
    }
    guest.gdb.go_on()?;
    match guest.prompt(LIMIT) {
        Heard::Text(_) => Ok(recorder.profile),
        Heard::Nothing(text) | Heard::End(text) => Err(InjectError::Unexpected(format!(
            "{workload} under single steps: {text:?}"
        ))),
    }
}

#[derive(Default)]
struct Recorder {
    profile: Profile,
    occurrences: HashMap<u64, u32>,
}

impl Recorder {
    /// Notes an executed instruction.
    fn note(
        &mut self,
        symbols: &Symbols,
        instruction: &Instruction,
        before: &Registers,
        after: &Registers,
    ) {
        self.profile.steps += 1;
        let occurrence = self.occurrences.entry(before.rip()).or_default();
        *occurrence += 1;
        let moment = Moment {
            address: before.rip(),
            occurrence: *occurrence,
        };
        let Some(function) = symbols.at(before.rip()) else {
            return;
        };
        if function.component == "injector" {
            return;
        }
        let share = self
            .profile
            .shares
            .entry(function.component.clone())
            .or_default();
        let mut add = |class| share.moments.entry(class).or_default().push(moment);
        add(Class::Any);
        if let Some(class) = call_class(symbols, instruction, after) {
            add(class);
        }
        let Some(address) = address_of(instruction, before) else {
            return;
        };
        let base = number_of(instruction.memory_base());
        if base.is_some_and(|number| number != crate::gdb::RSP) {
            add(Class::Pointer);
        }
        if !is_on_stack(address, before) {
            add(Class::Data);
        }
        if takes_lock(instruction, before, after) {
            add(Class::Lock);
        }
    }
}

/// What kind of call an instruction makes, if it makes one that could fail.
fn call_class(symbols: &Symbols, instruction: &Instruction, after: &Registers) -> Option<Class> {
    if !matches!(
        instruction.flow_control(),
        FlowControl::Call | FlowControl::IndirectCall
    ) {
        return None;
    }
    let callee = symbols.at(after.rip())?;
    if callee.name.ends_with("__rust_alloc") || callee.name.contains("__rust_realloc") {
        return Some(Class::Allocation);
    }
    // What has no path is written in assembly, or stands for an instruction: it cannot fail.
    callee.name.contains("::").then_some(Class::Call)
}

/// Whether an executed instruction has taken a lock: the byte of a plain one, from 0 to 1, the holder of an
/// interrupt-safe one, or the owner of a mutex.
fn takes_lock(instruction: &Instruction, before: &Registers, after: &Registers) -> bool {
    const ZERO_FLAG: u32 = 1 << 6;
    let expected = before.values[0];
    let exchanges = instruction.mnemonic() == Mnemonic::Cmpxchg && instruction.has_lock_prefix();
    exchanges
        && after.flags & ZERO_FLAG != 0
        && match instruction.memory_size().size() {
            1 => expected & 0xFF == 0,
            4 => expected & 0xFFFF_FFFF == NO_HOLDER,
            8 => expected == NO_OWNER,
            _ => false,
        }
}
