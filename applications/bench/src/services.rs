//! Calls between components, and whole applications.

use crate::measure::{Cost, Outcome, cost, fallible_cost};
use alloc::{format, string::String, sync::Arc, vec};
use application::ExitCode;
use core::hint::black_box;
use task::NullStreams;

/// The time-stamp counter starts with the machine, so it says what has passed since.
pub(crate) fn boot() -> Outcome {
    Ok(Cost::of(cpu::timestamp()))
}

pub(crate) fn null_call() -> Outcome {
    Ok(cost(10_000, || {
        black_box(task::rejected_answers());
    }))
}

pub(crate) fn application() -> Outcome {
    let words = vec![String::from("hello")];
    fallible_cost(20, || {
        let child = application::run(&words, Arc::new(NullStreams));
        match child.map(application::Child::wait) {
            Ok(ExitCode::SUCCESS) => Ok(()),
            Ok(ExitCode(code)) => Err(format!("hello ended with {code}")),
            Err(error) => Err(format!("{error}")),
        }
    })
}
