//! The shell: its language, its keys, what it does with bad input.

use crate::{
    failure::{Verdict, contains, ensure, equal},
    guest::{Guest, PROMPT},
    plan::{Suite, Tests},
};
use runner::{Boot, Machine};

pub(crate) const SUITE: Suite = Suite {
    name: "shell",
    tests: Tests::Shared(
        || Machine {
            boot: Boot::Direct,
            ..Machine::default()
        },
        &[
            ("hello_says_hello", hello),
            ("echo_prints_its_words", echo),
            ("quotes_keep_spaces_and_signs", quoting),
            ("a_semicolon_runs_one_after_the_other", semicolon),
            ("and_or_follow_the_status", and_or),
            ("a_pipe_connects", pipe),
            ("an_unknown_command_is_named", unknown_command),
            ("an_unknown_option_is_named", unknown_option),
            ("an_open_quote_is_an_error", open_quote),
            ("an_empty_line_does_nothing", empty_line),
            ("newline_is_enter_too", newline),
            ("backspace_and_arrows_edit", editing),
            ("arrow_up_brings_a_line_back", history),
            ("tab_completes_commands", completion),
            ("ctrl_c_leaves_the_line", ctrl_c_line),
            ("ctrl_l_draws_the_line_again", ctrl_l),
            ("a_line_of_64_kib_is_survived", long_line),
            ("binary_garbage_is_survived", garbage),
        ],
    ),
};

fn hello(guest: &mut Guest) -> Verdict {
    equal(guest.run("hello")?.as_str(), "Hello, world!")
}

fn echo(guest: &mut Guest) -> Verdict {
    equal(guest.run("echo one  two")?.as_str(), "one two")
}

fn quoting(guest: &mut Guest) -> Verdict {
    equal(
        guest.run("echo 'a  b' \"c ; d\" e\\ f '|'")?.as_str(),
        "a  b c ; d e f |",
    )
}

fn semicolon(guest: &mut Guest) -> Verdict {
    equal(guest.run("echo a; echo b ;echo c")?.as_str(), "a\nb\nc")
}

fn and_or(guest: &mut Guest) -> Verdict {
    equal(guest.run("echo a && echo b || echo c")?.as_str(), "a\nb")?;
    let output = guest.run("nonsense && echo b || echo c")?;
    ensure(output.ends_with("\nc") && !output.contains("\nb"), || {
        output.clone()
    })
}

fn pipe(guest: &mut Guest) -> Verdict {
    equal(guest.run("echo through | head")?.as_str(), "through")
}

fn unknown_command(guest: &mut Guest) -> Verdict {
    let (ok, output) = guest.succeeds("helo")?;
    ensure(!ok, || "it succeeded".into())?;
    contains(&output, "helo")
}

fn unknown_option(guest: &mut Guest) -> Verdict {
    let (ok, output) = guest.succeeds("components --jason")?;
    ensure(!ok, || "it succeeded".into())?;
    contains(&output, "--jason")
}

fn open_quote(guest: &mut Guest) -> Verdict {
    let output = guest.run("echo 'abc")?;
    ensure(guest.run("echo $?")? == "2", || {
        "the status is not 2".into()
    })?;
    contains(&output, "never closed")
}

fn empty_line(guest: &mut Guest) -> Verdict {
    equal(guest.run("")?.as_str(), "")?;
    equal(guest.run("   ")?.as_str(), "")
}

fn newline(guest: &mut Guest) -> Verdict {
    guest.send(b"echo with newline\n")?;
    guest.expect("\nwith newline")?;
    guest.expect(PROMPT).map(drop)
}

fn editing(guest: &mut Guest) -> Verdict {
    // Backspace; left arrow and insertion; Ctrl-A, Ctrl-E; Ctrl-W; Ctrl-U.
    equal(guest.run("echo abx\x7Fc")?.as_str(), "abc")?;
    equal(guest.run("echo ac\x1b[Db")?.as_str(), "abc")?;
    equal(guest.run("cho a\x01e\x05b")?.as_str(), "ab")?;
    equal(guest.run("echo a wrong\x17right")?.as_str(), "a right")?;
    equal(guest.run("rubbish\x15echo right")?.as_str(), "right")
}

fn history(guest: &mut Guest) -> Verdict {
    guest.run("echo first")?;
    guest.run("echo second")?;
    equal(guest.run("\x1b[A\x1b[A")?.as_str(), "first")?;
    equal(guest.run("\x1b[A\x1b[A\x1b[B")?.as_str(), "first")
}

fn completion(guest: &mut Guest) -> Verdict {
    // One that fits, an option, a component.
    contains(&guest.run("compon\t--js\t")?, "[{")?;
    contains(&guest.run("symbols line_ed\t")?, "line_editor")?;
    // Several that fit are listed, and the line goes on.
    equal(
        guest.run("hel\tlo")?.lines().next_back(),
        Some("Hello, world!"),
    )
}

fn ctrl_c_line(guest: &mut Guest) -> Verdict {
    guest.send(b"echo never\x03")?;
    guest.expect(PROMPT)?;
    equal(guest.run("echo then")?.as_str(), "then")
}

fn ctrl_l(guest: &mut Guest) -> Verdict {
    equal(guest.run("echo ab\x0Cc")?.as_str(), "abc")
}

fn long_line(guest: &mut Guest) -> Verdict {
    let line = "x".repeat(64 << 10);
    guest.send(line.as_bytes())?;
    guest.send(b"\r")?;
    guest.expect(PROMPT)?;
    // Whatever it made of the line, the next command works.
    guest.run("")?;
    contains(&guest.run("echo after")?, "after")
}

fn garbage(guest: &mut Guest) -> Verdict {
    let mut state = 7_u32;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24).to_le_bytes()[0]
    })
    .take(20_000)
    .collect();
    guest.send(&bytes)?;
    guest.send(b"\x03\x15\r")?;
    guest.send(b"\x15echo marker-$((1))\r")?;
    guest.expect("\nmarker-")?;
    guest.expect(PROMPT)?;
    equal(guest.run("echo alive")?.as_str(), "alive")
}
