//! `make soak`: one boot after the other, all CPUs at work in each, until one is bad.

use crate::{
    failure::{Verdict, contains, ensure, equal},
    guest::Guest,
    json::items,
};
use runner::{Boot, Machine, Outcome};
use std::time::{Duration, Instant};

/// CPUs of each machine.
const PROCESSORS: u32 = 4;
/// How long a machine may take to power off.
const END_LIMIT: Duration = Duration::from_secs(60);

/// Boots `boots` times; whether every boot was good. Says how far it is now and then.
pub(crate) fn run(boots: u32) -> bool {
    let begin = Instant::now();
    for boot in 1..=boots {
        if let Err(failure) = one_boot() {
            println!("boot {boot} of {boots} was bad:\n{failure}");
            return false;
        }
        if boot % 10 == 0 || boot == boots {
            let seconds = begin.elapsed().as_secs_f32();
            println!("{boot} of {boots} boots were good, {seconds:.0} s");
        }
    }
    true
}

/// A boot in which all CPUs come and get work: commands in the background, one that faults, pipes.
fn one_boot() -> Verdict {
    let mut guest = Guest::boot(Machine {
        boot: Boot::Direct,
        processors: PROCESSORS,
        ..Machine::default()
    })?;
    let verdict = work(&mut guest);
    verdict.map_err(|failure| {
        let tail = guest.tail();
        crate::failure::Failure::Wrong(format!("{failure}; the transcript's end:\n{tail}"))
    })
}

fn work(guest: &mut Guest) -> Verdict {
    let wanted = format!("{PROCESSORS} of {PROCESSORS} CPUs run");
    contains(&guest.run("log")?, &wanted)?;
    for _ in 0..3 {
        guest.run("yes | wc &")?;
    }
    contains(&guest.run("crash null")?, "vector 14")?;
    contains(&guest.run("echo one two | cat | wc")?, "2")?;
    let tasks = guest.json("ps --json")?;
    let idle = items(&tasks)?.iter().filter(|task| task["name"] == "idle");
    ensure(idle.count() == 4, || {
        format!("not four idle tasks in {tasks}")
    })?;
    guest.send(b"poweroff\r")?;
    equal(guest.outcome(END_LIMIT)?, Outcome::PoweredOff)
}
