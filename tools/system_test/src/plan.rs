//! Which tests run, where, and what came of it.

use crate::{
    failure::{Failure, Verdict},
    guest::Guest,
};
use runner::Machine;
use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Tests that share a boot, or each have their own machine.
pub(crate) struct Suite {
    /// Its name, first part of its tests' names.
    pub(crate) name: &'static str,
    /// Its tests.
    pub(crate) tests: Tests,
}

/// A test and its name.
type Named<T> = (&'static str, T);

/// A test on a system that it shares with others.
type SharedTest = fn(&mut Guest) -> Verdict;

/// A test that makes its own machines.
type OwnTest = fn(&Options) -> Verdict;

/// What tests need.
pub(crate) enum Tests {
    /// A system at its prompt, which they leave there.
    Shared(fn() -> Machine, &'static [Named<SharedTest>]),
    /// Nothing: they make their own machines.
    Own(&'static [Named<OwnTest>]),
}

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Only tests whose name contains this.
    pub(crate) filter: String,
    /// Leave the host's unit tests out.
    pub(crate) system_only: bool,
    /// The long form of tests that repeat.
    pub(crate) long: bool,
    /// Boot so many times and do nothing else.
    pub(crate) soak: Option<u32>,
}

impl Options {
    /// Reads the command line; `FILTER` and `LONG` in the environment do the same.
    pub(crate) fn from_arguments(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, String> {
        let mut options = Self {
            filter: std::env::var("FILTER").unwrap_or_default(),
            system_only: false,
            long: std::env::var("LONG").is_ok_and(|value| !value.is_empty()),
            soak: None,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--filter" => {
                    options.filter = arguments.next().ok_or("--filter wants a text")?;
                }
                "--system" => options.system_only = true,
                "--long" => options.long = true,
                "--soak" => {
                    let boots = arguments.next().and_then(|boots| boots.parse().ok());
                    options.soak = Some(boots.ok_or("--soak wants a number of boots")?);
                }
                other => {
                    return Err(format!(
                        "unknown option {other}; there are --filter TEXT, --system, --long, --soak BOOTS"
                    ));
                }
            }
        }
        Ok(options)
    }

    /// How often a test that repeats does so.
    pub(crate) fn rounds(&self, short: u32, long: u32) -> u32 {
        if self.long { long } else { short }
    }

    /// Whether a test of this name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }
}

/// How many characters of a failure its line at the end shows.
const SUMMARY: usize = 400;

/// How many tests passed, and what the others said.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) passed: u32,
    /// One line for each test that failed: its name, and the beginning of what was wrong.
    pub(crate) failures: Vec<String>,
}

impl Totals {
    /// One test that passed.
    pub(crate) const fn passed() -> Self {
        Self {
            passed: 1,
            failures: Vec::new(),
        }
    }

    /// The test `name` that failed, and why.
    pub(crate) fn failed(name: &str, why: &str) -> Self {
        let why: String = why.chars().take(SUMMARY).collect();
        Self {
            passed: 0,
            failures: vec![format!("failed: {name}: {}", why.escape_debug())],
        }
    }

    pub(crate) fn add(&mut self, mut other: Self) {
        self.passed += other.passed;
        self.failures.append(&mut other.failures);
    }
}

impl fmt::Display for Totals {
    /// What failed, once more and last, so that the end of a log shows it; then the counts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        write!(f, "{} passed, {} failed", self.passed, self.failures.len())
    }
}

/// How many machines run at a time.
const WORKERS: usize = 2;

/// A piece of work: a suite with a shared machine, or one test with its own.
enum Job {
    Shared(&'static Suite),
    Own(String, OwnTest),
}

/// Runs the wanted tests of `suites`.
pub(crate) fn run(suites: &'static [Suite], options: &Options) -> Totals {
    let jobs: VecDeque<Job> = suites
        .iter()
        .flat_map(|suite| jobs(suite, options))
        .collect();
    let jobs = Mutex::new(jobs);
    let totals = Mutex::new(Totals::default());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let job = jobs
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front();
                    let Some(job) = job else { return };
                    let result = run_job(&job, options);
                    totals
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .add(result);
                }
            });
        }
    });
    totals.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn jobs(suite: &'static Suite, options: &Options) -> Vec<Job> {
    let full = |name: &str| format!("{}::{name}", suite.name);
    match suite.tests {
        Tests::Shared(_, tests) => {
            let wanted = tests.iter().any(|(name, _)| options.wants(&full(name)));
            if wanted {
                vec![Job::Shared(suite)]
            } else {
                Vec::new()
            }
        }
        Tests::Own(tests) => {
            let wanted = tests.iter().filter(|(name, _)| options.wants(&full(name)));
            wanted
                .map(|(name, test)| Job::Own(full(name), *test))
                .collect()
        }
    }
}

fn run_job(job: &Job, options: &Options) -> Totals {
    match job {
        Job::Own(name, test) => {
            let begin = Instant::now();
            let verdict = guarded(|| test(options));
            report(name, begin, verdict, None)
        }
        Job::Shared(suite) => run_shared(suite, options),
    }
}

fn run_shared(suite: &Suite, options: &Options) -> Totals {
    let Tests::Shared(machine, tests) = suite.tests else {
        return Totals::default();
    };
    let mut totals = Totals::default();
    let mut shared: Option<Guest> = None;
    for (name, test) in tests {
        let name = format!("{}::{name}", suite.name);
        if !options.wants(&name) {
            continue;
        }
        let begin = Instant::now();
        let guest = match shared.take() {
            Some(guest) => Ok(guest),
            None => Guest::boot(machine()),
        };
        let mut guest = match guest {
            Ok(guest) => guest,
            Err(failure) => {
                totals.add(report(&name, begin, Err(failure), None));
                continue;
            }
        };
        let verdict = guarded(|| test(&mut guest));
        let failed = verdict.is_err();
        totals.add(report(&name, begin, verdict, Some(&guest)));
        // What a failed test leaves behind is not the next one's to bear.
        if !failed {
            shared = Some(guest);
        }
    }
    totals
}

/// A test that panics has failed.
fn guarded(test: impl FnOnce() -> Verdict) -> Verdict {
    catch_unwind(AssertUnwindSafe(test))
        .unwrap_or_else(|_| Err(Failure::Wrong("the test panicked".into())))
}

fn report(name: &str, begin: Instant, verdict: Verdict, guest: Option<&Guest>) -> Totals {
    let seconds = begin.elapsed().as_secs_f32();
    match verdict {
        Ok(()) => {
            println!("test {name:<48} ok     {seconds:6.1} s");
            Totals::passed()
        }
        Err(failure) => {
            let mut text = format!("test {name:<48} FAILED {seconds:6.1} s\n  {failure}\n");
            if let Some(guest) = guest {
                text.push_str("  the end of the transcript:\n");
                for line in guest.tail().lines() {
                    text.push_str("  | ");
                    text.push_str(line);
                    text.push('\n');
                }
            }
            print!("{text}");
            Totals::failed(name, &failure.to_string())
        }
    }
}
