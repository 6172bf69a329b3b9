//! What an application sees of the system: its arguments, its streams, its exit code, its children.
//!
//! An application is a component that declares a `main` with [`application!`]:
//!
//! ```ignore
//! #![no_std]
//! #![forbid(unsafe_code)]
//!
//! use application::{Arguments, ExitCode, Usage, println};
//!
//! application::application! {
//!     usage: Usage { name: "greet", summary: "say hello", ..Usage::NONE },
//!     main: main,
//! }
//!
//! fn main(_: &Arguments) -> ExitCode {
//!     println!("Hello!");
//!     ExitCode::SUCCESS
//! }
//! ```
//!
//! Principles: what an application takes is declared, so `--help` and the message for a wrong option
//! are the same everywhere; output that nobody reads any more ends the application quietly, as it
//! would in a pipe elsewhere; each run is an instance with statics of its own, and what it owns goes
//! with it.
//!
//! Neighbours: `loader` makes the instance, `task` runs it; `command_line` reads the words; `vfs` has the
//! files that streams lead to and applications come from. Left out: an environment, signals.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod child;
mod entry;
mod exit;
mod input;
mod output;
mod pipe;
mod redirect;

pub use child::{Child, RunError, run};
pub use command_line::{
    json::Json,
    near,
    usage::{Arguments, Operands, OptionSpec, Request, Usage, UsageError},
};
pub use component::Application;
pub use entry::enter;
pub use exit::ExitCode;
pub use input::Lines;
pub use output::{fail, write, write_bytes, write_error};
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use redirect::{ErrorSink, Redirection, Sink, Source, StreamFile, redirect};

/// Declares the crate an application: `application! { usage: USAGE, main: main }`.
///
/// Goes at the crate root, once; a second one does not compile. `usage` is a constant [`Usage`],
/// `main` a `fn(&Arguments) -> ExitCode`, called with arguments that agree with `usage`.
#[macro_export]
macro_rules! application {
    (usage: $usage:expr, main: $main:expr $(,)?) => {
        fn application_entry(words: &[&str]) -> u8 {
            const USAGE: $crate::Usage = $usage;
            $crate::enter(&USAGE, $main, words)
        }

        /// The entry of this application.
        #[used]
        pub static APPLICATION: $crate::Application = $crate::Application {
            main: application_entry,
        };
    };
}

/// Prints to the application's output.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::write(core::format_args!($($argument)*)) };
}

/// Prints to the application's output, and a line break.
#[macro_export]
macro_rules! println {
    () => { $crate::write(core::format_args!("\n")) };
    ($format:literal $($argument:tt)*) => {
        $crate::write(core::format_args!("{}\n", core::format_args!($format $($argument)*)))
    };
}

/// Prints to the application's error output, and a line break.
#[macro_export]
macro_rules! eprintln {
    ($format:literal $($argument:tt)*) => {
        $crate::write_error(core::format_args!("{}\n", core::format_args!($format $($argument)*)))
    };
}
