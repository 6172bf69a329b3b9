//! Injecting a fault into the machine that stands still at its moment.

use crate::{
    case::Case,
    error::InjectError,
    gdb::{RIP, RSP, Registers, Stop},
    guest::Guest,
    kind::Kind,
    profile::{self, Code},
    symbols::Symbols,
};
use std::time::Duration;

/// How long the machine may take to the moment.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a lock may be held before its release is not waited for any more.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// Words of the stack that can be hit: the innermost frames.
const STACK_WORDS: u64 = 64;

/// General registers, by their numbers.
const NAMES: [&str; 16] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

/// Runs the workload of `case` up to its moment and injects the fault; what was done, or `None` when the
/// workload ended before. The machine runs afterwards.
pub(crate) fn strike(
    guest: &mut Guest,
    symbols: &Symbols,
    code: &mut Code,
    case: &Case,
) -> Result<Option<String>, InjectError> {
    let begin = symbols.address("injector", "injector::begin")?;
    let end = symbols.address("injector", "injector::end")?;
    guest.gdb.halt()?;
    guest.gdb.set_breakpoint(begin)?;
    guest.gdb.go_on()?;
    guest.type_command(&format!("workload {} --marks --json", case.workload))?;
    wait(guest, "the workload's beginning")?;
    guest.gdb.clear_breakpoint(begin)?;
    guest.gdb.set_breakpoint(end)?;
    let reached = reach(guest, case, end)?;
    guest.gdb.clear_breakpoint(end)?;
    let done = match reached {
        Some(registers) => {
            let callers = callers(guest, symbols, registers.rsp());
            match inject(guest, symbols, code, case, &registers) {
                Ok(done) => Some(format!("{done}; above it {}", callers.join(" < "))),
                // The instruction reaches nothing this time that there is.
                Err(InjectError::Refused { .. }) => None,
                Err(error) => return Err(error),
            }
        }
        None => None,
    };
    guest.gdb.go_on()?;
    Ok(done)
}

/// The functions that words on the stack point into: its callers, and some that were.
fn callers(guest: &mut Guest, symbols: &Symbols, stack_pointer: u64) -> Vec<String> {
    const WORDS: usize = 128;
    const SHOWN: usize = 10;
    let bytes = [WORDS, WORDS / 4]
        .iter()
        .find_map(|words| guest.gdb.read(stack_pointer, 8 * words).ok());
    bytes
        .unwrap_or_default()
        .chunks_exact(8)
        .filter_map(|word| symbols.inside(u64::from_le_bytes(word.try_into().ok()?)))
        .map(|function| function.name.clone())
        .take(SHOWN)
        .collect()
}

fn wait(guest: &mut Guest, what: &str) -> Result<(), InjectError> {
    match guest.gdb.wait(LIMIT)? {
        Stop::Stopped => Ok(()),
        Stop::Running => Err(InjectError::Unexpected(format!(
            "{what} does not come; the console says {:?}",
            guest.rest()
        ))),
    }
}

/// Goes to the moment of `case`; the registers there, or `None` when the workload ends before.
fn reach(guest: &mut Guest, case: &Case, end: u64) -> Result<Option<Registers>, InjectError> {
    let address = case.moment.address;
    let mut occurrence = 0;
    guest.gdb.set_breakpoint(address)?;
    let found = loop {
        guest.gdb.go_on()?;
        wait(guest, "the moment")?;
        let registers = guest.gdb.registers()?;
        if registers.rip() == end {
            break None;
        }
        occurrence += 1;
        if occurrence == case.moment.occurrence {
            break Some(registers);
        }
        guest.gdb.step()?;
    };
    guest.gdb.clear_breakpoint(address)?;
    Ok(found)
}

fn inject(
    guest: &mut Guest,
    symbols: &Symbols,
    code: &mut Code,
    case: &Case,
    registers: &Registers,
) -> Result<String, InjectError> {
    let failing = |name: &str| symbols.address("injector", &format!("injector::{name}"));
    match case.kind {
        Kind::Panic => call_instead(guest, code, registers, failing("fail_by_panic")?),
        Kind::Divide => call_instead(guest, code, registers, failing("fail_by_division")?),
        Kind::Overflow => call_instead(guest, code, registers, failing("fail_by_recursion")?),
        Kind::Loop => call_instead(guest, code, registers, failing("fail_by_loop")?),
        Kind::Allocation => fail_allocation(guest, code, registers),
        Kind::Null => set_base(guest, code, registers, 0),
        Kind::Wild => set_base(guest, code, registers, case.detail),
        Kind::Lock => lose_release(guest, code, registers),
        Kind::Skip => skip(guest, code, registers),
        Kind::FlipRegister | Kind::WordRegister => damage_register(guest, case, registers),
        Kind::FlipText => {
            let address = case.other.address;
            let length = code.at(guest, address)?.len() as u64;
            damage(guest, case, address + (case.detail >> 8) % length, 1)
        }
        Kind::WordText => damage(guest, case, case.other.address & !7, 8),
        Kind::FlipStack | Kind::WordStack => {
            let word = (case.detail >> 16) % STACK_WORDS;
            damage_stack(guest, case, registers, word)
        }
        Kind::FlipData | Kind::WordData => {
            let instruction = code.at(guest, registers.rip())?;
            let address = profile::address_of(&instruction, registers).unwrap_or_default();
            let size = instruction.memory_size().size().max(1) as u64;
            if case.kind == Kind::FlipData {
                damage(guest, case, address + (case.detail >> 8) % size, 1)
            } else {
                damage(guest, case, address & !7, 8)
            }
        }
    }
}

/// Has the call that is next call `target` instead.
fn call_instead(
    guest: &mut Guest,
    code: &mut Code,
    registers: &Registers,
    target: u64,
) -> Result<String, InjectError> {
    let next = registers.rip() + code.at(guest, registers.rip())?.len() as u64;
    let stack_pointer = registers.rsp() - 8;
    guest.gdb.write(stack_pointer, &next.to_le_bytes())?;
    guest.gdb.set_register(RSP, stack_pointer)?;
    guest.gdb.set_register(RIP, target)?;
    Ok("the call that was next went there".into())
}

/// Has the call of the allocator that is next answer that there is no memory.
fn fail_allocation(
    guest: &mut Guest,
    code: &mut Code,
    registers: &Registers,
) -> Result<String, InjectError> {
    let next = registers.rip() + code.at(guest, registers.rip())?.len() as u64;
    guest.gdb.set_register(0, 0)?;
    guest.gdb.set_register(RIP, next)?;
    Ok("the allocator answered null".into())
}

/// Makes the pointer that the next instruction uses `value`.
fn set_base(
    guest: &mut Guest,
    code: &mut Code,
    registers: &Registers,
    value: u64,
) -> Result<String, InjectError> {
    let instruction = code.at(guest, registers.rip())?;
    let number = profile::number_of(instruction.memory_base()).unwrap_or_default();
    guest.gdb.set_register(number, value)?;
    let name = NAMES.get(number).copied().unwrap_or_default();
    Ok(format!("{name} became {value:#x}"))
}

/// Lets the next instruction take its lock, and undoes the release that follows.
fn lose_release(
    guest: &mut Guest,
    code: &mut Code,
    registers: &Registers,
) -> Result<String, InjectError> {
    let instruction = code.at(guest, registers.rip())?;
    let address = profile::address_of(&instruction, registers).unwrap_or_default();
    let size = instruction.memory_size().size();
    guest.gdb.step()?;
    let held = guest.gdb.read(address, size)?;
    guest.gdb.watch(address, size)?;
    guest.gdb.go_on()?;
    let stopped = guest.gdb.wait(RELEASE_LIMIT)?;
    if stopped == Stop::Running {
        guest.gdb.halt()?;
    }
    guest.gdb.forget_watch(address, size)?;
    if stopped == Stop::Running {
        return Ok(format!("the lock at {address:#x} was not released anyway"));
    }
    guest.gdb.write(address, &held)?;
    Ok(format!("the lock at {address:#x} stayed taken"))
}

fn skip(guest: &mut Guest, code: &mut Code, registers: &Registers) -> Result<String, InjectError> {
    let instruction = code.at(guest, registers.rip())?;
    guest
        .gdb
        .set_register(RIP, registers.rip() + instruction.len() as u64)?;
    Ok(format!("{:?} was not executed", instruction.code()))
}

fn damage_register(
    guest: &mut Guest,
    case: &Case,
    registers: &Registers,
) -> Result<String, InjectError> {
    let number = usize::try_from(case.detail % 16).unwrap_or_default();
    let before = registers.values.get(number).copied().unwrap_or_default();
    let value = if case.kind == Kind::FlipRegister {
        before ^ 1 << ((case.detail >> 8) % 64)
    } else {
        case.detail.rotate_left(17)
    };
    guest.gdb.set_register(number, value)?;
    let name = NAMES.get(number).copied().unwrap_or_default();
    Ok(format!("{name} {before:#x} became {value:#x}"))
}

fn damage_stack(
    guest: &mut Guest,
    case: &Case,
    registers: &Registers,
    word: u64,
) -> Result<String, InjectError> {
    let mut word = word;
    loop {
        let address = registers.rsp() + 8 * word;
        // The stack may end before.
        match damage(guest, case, address, 8) {
            Err(InjectError::Refused { .. }) if word > 0 => word /= 2,
            result => return result,
        }
    }
}

/// Damages `size` bytes at `address`: flips a bit of them, or makes them any number.
fn damage(
    guest: &mut Guest,
    case: &Case,
    address: u64,
    size: usize,
) -> Result<String, InjectError> {
    let before = guest.gdb.read(address, size)?;
    let mut bytes = before.clone();
    if matches!(case.kind, Kind::FlipText | Kind::FlipData | Kind::FlipStack) {
        let bit = usize::try_from(case.detail >> 32).unwrap_or_default() % (8 * size);
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    } else {
        let word = case.detail.rotate_left(17).to_le_bytes();
        for (byte, value) in bytes.iter_mut().zip(word) {
            *byte = value;
        }
    }
    guest.gdb.write(address, &bytes)?;
    Ok(format!("{address:#x}: {before:02x?} became {bytes:02x?}"))
}
