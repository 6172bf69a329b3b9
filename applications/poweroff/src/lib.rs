//! Switches the machine off.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Usage};

application::application! {
    usage: Usage { name: "poweroff", summary: "switch the machine off", ..Usage::NONE },
    main: main,
}

fn main(_: &Arguments) -> ExitCode {
    power::poweroff()
}
