//! Calls between components, and whole applications.

use crate::measure::{Cost, Outcome, cost, fallible_cost};
use alloc::{format, string::String, sync::Arc, vec};
use application::ExitCode;
use core::fmt::{self, Write as _};
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

/// Names as the compiler mangles them (generic, nested, long), as `symbols` reads thousands of.
const MANGLED: [&str; 6] = [
    "_RNvMs0_NtCs1234_8mappings5spaceNtB5_5Space3map",
    "_RINvNtCs1234_4core3ptr13drop_in_placeINtNtCs5678_5alloc3vec3VecNtNtB4_6string6StringEECs9_5shell",
    "_RNvXs3_NtCs1234_6frames5rangeNtB5_10FrameRangeNtNtNtCs5678_4core3ops4drop4Drop4drop",
    "_RNCNvNtCs1234_6loader4load4load0B5_",
    "_RINvNtNtCs1234_4core5slice4sort6driftTyyjENCNvCs5678_5bench4main0EB2_",
    "_ZN4core3fmt9Formatter12pad_integral17h0123456789abcdefE",
];

/// Work of other crates: names are demangled into a text by `rustc_demangle`, `core` and `alloc`.
pub(crate) fn demangle() -> Outcome {
    let mut text = String::with_capacity(1024);
    fallible_cost(50, || {
        text.clear();
        for name in MANGLED {
            write!(text, "{:#} ", rustc_demangle::demangle(black_box(name)))?;
        }
        match text.contains("Space>::map drop_in_place") || text.contains("core::fmt") {
            true => Ok(()),
            false => Err(fmt::Error),
        }
    })
}

/// An address at which nothing is mapped.
const NOWHERE: u64 = 0x1234_5678_9000;

/// A page fault whose instruction has a fix-up.
pub(crate) fn exception() -> Outcome {
    fallible_cost(200, || match cpu::probe_read(black_box(NOWHERE)) {
        None => Ok(()),
        Some(_) => Err("there was something to read"),
    })
}

/// An application as a component: none of it runs.
pub(crate) fn load_component() -> Outcome {
    fallible_cost(10, || loader::instantiate("yes").map(drop))
}

/// A library of three functions that nothing here imports from.
pub(crate) fn load_library() -> Outcome {
    load_and_unload("async_task")
}

/// One of many functions.
pub(crate) fn load_sync() -> Outcome {
    load_and_unload("sync")
}

fn load_and_unload(library: &'static str) -> Outcome {
    fallible_cost(5, || {
        loader::load(library)?;
        loader::unload(library)
    })
}

/// A look at all text, constants and stubs.
pub(crate) fn integrity() -> Outcome {
    fallible_cost(1, || match integrity::check_now().left {
        0 => Ok(()),
        left => Err(format!("{left} words are damaged")),
    })
}
