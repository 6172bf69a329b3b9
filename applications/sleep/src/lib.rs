//! Waits.
#![no_std]
#![forbid(unsafe_code)]

use application::{Arguments, ExitCode, Operands, Usage, eprintln};
use core::time::Duration;

application::application! {
    usage: Usage {
        name: "sleep",
        summary: "wait",
        operands: Operands::new("SECONDS", 1, 1),
        notes: &["SECONDS may have decimals: 0.5."],
        ..Usage::NONE
    },
    main: main,
}

fn main(arguments: &Arguments) -> ExitCode {
    let operand = arguments.operand().unwrap_or("");
    match parse(operand) {
        Some(duration) => {
            task::sleep(duration);
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("sleep: '{operand}' is not a number of seconds such as 2 or 0.5");
            ExitCode::USAGE
        }
    }
}

/// A decimal number of seconds, to the millisecond. Not by floating point, whose parser is large.
fn parse(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.get(..3).unwrap_or(fraction);
    let mut millis = if digits.is_empty() {
        0
    } else {
        digits.parse::<u16>().ok()?
    };
    for _ in digits.len()..3 {
        millis *= 10;
    }
    Some(
        Duration::from_secs(whole.parse::<u32>().ok()?.into())
            + Duration::from_millis(millis.into()),
    )
}
