//! Provokes a fault, by way of a component that may really do it.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use application::{Arguments, ExitCode, Operands, Usage, eprintln};
use faults::Provocation;

application::application! {
    usage: Usage {
        name: "crash",
        summary: "provoke a fault, which ends this command and nothing else",
        operands: Operands::new("KIND", 1, 1),
        notes: &[
            "panic       panics",
            "div         divides by zero in hardware",
            "null        loads from address 0",
            "ud2         executes an undefined instruction",
            "stack       recurses until the stack overflows",
            "alloc       asks for more memory than any machine has",
            "exhaust     uses up the memory in small steps",
            "gp          loads from an address that is none",
            "store       stores to memory that is read-only",
            "call        calls where there is no code",
            "return      returns to where there is no code",
            "wild-stack  uses a stack pointer that points to no stack",
            "lock        faults in a function that holds a lock with interrupts off",
            "drop        panics in a drop while a panic is unwound",
            "unwinder    faults in the unwinder while it unwinds a panic",
            "double      faults while no handler can be entered",
            "stuck       loops with interrupts off until the watchdog ends it",
            "moved       faults while a value owns memory that is free",
        ],
        exit_codes: &[(101, "the fault happened")],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    match arguments.operand().unwrap_or("").parse::<Provocation>() {
        Ok(kind) => faults::provoke(kind),
        Err(error) => {
            eprintln!("crash: {error}");
            ExitCode::USAGE
        }
    }
}
