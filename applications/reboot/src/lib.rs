//! Restarts the machine.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Usage};

application::application! {
    usage: Usage { name: "reboot", summary: "restart the machine", ..Usage::NONE },
    main: main,
}

fn main(_: &Arguments) -> ExitCode {
    power::reboot()
}
