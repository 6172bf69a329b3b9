//! Counts the lines, words and bytes of its input.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use application::{Arguments, ExitCode, Json, OptionSpec, Usage, fail, println};

application::application! {
    usage: Usage {
        name: "wc",
        summary: "count the lines, words and bytes of the input",
        options: &[
            OptionSpec::JSON,
            OptionSpec::flag("lines", "only lines").short('l'),
            OptionSpec::flag("words", "only words").short('w'),
            OptionSpec::flag("bytes", "only bytes").short('c'),
        ],
        exit_codes: &[(1, "the input cannot be read")],
        ..Usage::NONE
    },
    main: main,
}

#[derive(Default)]
struct Counts {
    lines: u64,
    words: u64,
    bytes: u64,
    inside_word: bool,
}

impl Counts {
    fn add(&mut self, byte: u8) {
        self.bytes += 1;
        self.lines += u64::from(byte == b'\n');
        let blank = byte.is_ascii_whitespace();
        self.words += u64::from(!blank && !self.inside_word);
        self.inside_word = !blank;
    }
}

fn main(arguments: &Arguments) -> ExitCode {
    let mut counts = Counts::default();
    let streams = task::streams();
    let mut buffer = [0; 1024];
    loop {
        match streams.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => buffer.iter().take(count).for_each(|byte| counts.add(*byte)),
            Err(error) => return fail("wc", error),
        }
    }
    print(arguments, &counts);
    ExitCode::SUCCESS
}

fn print(arguments: &Arguments, counts: &Counts) {
    let Counts {
        lines,
        words,
        bytes,
        ..
    } = *counts;
    if arguments.has("json") {
        let fields = [
            ("lines", lines.into()),
            ("words", words.into()),
            ("bytes", bytes.into()),
        ];
        println!("{}", Json::object(fields));
    } else if arguments.has("lines") {
        println!("{lines}");
    } else if arguments.has("words") {
        println!("{words}");
    } else if arguments.has("bytes") {
        println!("{bytes}");
    } else {
        println!("{lines} {words} {bytes}");
    }
}
