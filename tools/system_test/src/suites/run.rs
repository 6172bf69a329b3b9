//! `strake run` as scripts use it.

use crate::{
    failure::{Failure, Verdict, contains, ensure, equal},
    json::{count, find},
    plan::{Options, Suite, Tests},
};
use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

pub(crate) const SUITE: Suite = Suite {
    name: "run",
    tests: Tests::Own(&[
        ("commands_run_and_their_output_is_all", commands),
        ("the_last_status_is_the_exit_status", status),
        ("json_can_be_piped_on", json),
        ("quotes_commas_and_dollars_arrive", quoting),
        ("lines_of_a_pipe_are_typed_at_the_prompt", pipe),
        ("a_command_that_hangs_is_ended", hang),
        (
            "commands_whose_shell_is_killed_end_the_machine",
            shell_killed,
        ),
        ("a_wrong_setting_is_named", wrong_setting),
        ("bios_is_the_default", bios),
    ]),
};

/// Runs `strake run` with these settings.
fn strake(settings: &[(&str, &str)], input: &str) -> Result<Output, Failure> {
    let wrong = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| Failure::Wrong(format!("{what}: {error}"))
    };
    let own = std::env::current_exe().map_err(wrong("finding strake"))?;
    let mut command = Command::new(own.with_file_name("strake"));
    for name in ["MEM", "SMP", "BOOT", "ACCEL", "ICOUNT", "CMD"] {
        command.env_remove(name);
    }
    let mut child = command
        .arg("run")
        .envs(settings.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(wrong("starting strake"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(input.as_bytes())
            .map_err(wrong("writing to strake"))?;
    }
    child
        .wait_with_output()
        .map_err(wrong("waiting for strake"))
}

/// What a system prints that is booted for `command` alone, and its exit status.
pub(crate) fn run(
    settings: &[(&str, &str)],
    command: &str,
) -> Result<(String, Option<i32>), Failure> {
    let mut all = vec![("BOOT", "direct"), ("CMD", command), ("TIMEOUT", "60")];
    all.extend(settings);
    let output = strake(&all, "")?;
    Ok((
        String::from_utf8_lossy(&output.stdout).into_owned(),
        output.status.code(),
    ))
}

fn commands(_: &Options) -> Verdict {
    equal(
        run(&[], "hello; echo and && echo more")?,
        ("Hello, world!\nand\nmore\n".into(), Some(0)),
    )
}

fn status(_: &Options) -> Verdict {
    equal(run(&[], "nonsense")?.1, Some(127))?;
    equal(run(&[], "nonsense; hello")?.1, Some(0))?;
    equal(run(&[], "hello; components nowhere")?.1, Some(1))
}

fn json(_: &Options) -> Verdict {
    let (output, _) = run(&[], "components --json")?;
    let list: serde_json::Value = serde_json::from_str(&output)
        .map_err(|error| Failure::Wrong(format!("{error} in {output:?}")))?;
    ensure(list.is_array(), || output)
}

fn quoting(_: &Options) -> Verdict {
    equal(
        run(&[], "echo 'a,b' \"c d\" '$HOME'")?.0,
        "a,b c d $HOME\n".into(),
    )
}

fn pipe(_: &Options) -> Verdict {
    let output = strake(&[("BOOT", "direct")], "hello\necho done\npoweroff\n")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    contains(&text, "Hello, world!\n")?;
    contains(&text, "\ndone\n")?;
    equal(output.status.code(), Some(0))
}

fn hang(_: &Options) -> Verdict {
    let output = strake(
        &[("BOOT", "direct"), ("CMD", "sleep 1000"), ("TIMEOUT", "5")],
        "",
    )?;
    equal(output.status.code(), Some(124))
}

/// The next session waited for somebody to type until the time was over.
fn shell_killed(_: &Options) -> Verdict {
    let (listed, _) = run(&[], "ps --json")?;
    let tasks: serde_json::Value = serde_json::from_str(&listed)
        .map_err(|error| Failure::Wrong(format!("{error} in {listed:?}")))?;
    let shell = find(&tasks, "name", "shell")?;
    let number = count(shell, "id")?;
    let (output, status) = run(&[], &format!("echo before; kill {number}; echo never"))?;
    equal(status, Some(106))?;
    contains(&output, "before\n")?;
    contains(&output, "the session shell has failed: killed")?;
    contains(&output, "has ended before the commands that it was to run")?;
    ensure(!output.contains("never"), || output.clone())
}

fn wrong_setting(_: &Options) -> Verdict {
    for (name, value) in [
        ("BOOT", "floppy"),
        ("MEM", "lots"),
        ("SMP", "0"),
        ("SMP", "65"),
        ("ACCEL", "magic"),
    ] {
        let output = strake(&[(name, value)], "")?;
        ensure(!output.status.success(), || {
            format!("{name}={value} was taken")
        })?;
        contains(
            &String::from_utf8_lossy(&output.stderr),
            &format!("{name}={value}"),
        )?;
    }
    Ok(())
}

fn bios(_: &Options) -> Verdict {
    let output = strake(&[("CMD", "hello"), ("TIMEOUT", "120")], "")?;
    equal(
        String::from_utf8_lossy(&output.stdout).as_ref(),
        "Hello, world!\n",
    )?;
    equal(output.status.code(), Some(0))
}
