//! A campaign: cases drawn from a seed, one after the other.

use crate::{
    case::{self, Case},
    error::InjectError,
    guest::Guest,
    kind::Kind,
    profile::{self, Code, Profile},
    report, strike,
    symbols::Symbols,
    verdict::{self, Books, Verdict},
};
use runner::machine::Artifacts;
use std::{collections::BTreeMap, path::PathBuf, time::Instant};

/// The workloads.
const WORKLOADS: &[&str] = &["spawn", "message", "rendezvous", "console", "files"];

/// How many moments are drawn for a case until one is reached: what a system executes depends a little on
/// what it has executed before.
const ATTEMPTS: u32 = 6;

/// A case and what came of it.
pub(crate) struct Run {
    pub(crate) case: Case,
    /// The function that was hit.
    pub(crate) function: String,
    /// What was done.
    pub(crate) done: String,
    pub(crate) verdict: Verdict,
}

/// What is asked for.
pub(crate) struct Plan {
    /// How many cases.
    pub(crate) count: u32,
    /// The number of the first one.
    pub(crate) first: u32,
    pub(crate) seed: u64,
    /// What `kinds` are called together.
    pub(crate) name: String,
    pub(crate) kinds: Vec<Kind>,
    /// What the path of a function that is hit contains.
    pub(crate) aim: String,
}

/// What came of it.
pub(crate) struct Campaign {
    pub(crate) seed: u64,
    pub(crate) name: String,
    pub(crate) runs: Vec<Run>,
    /// How often the system had to be booted again.
    pub(crate) reboots: u32,
    /// Executed instructions of all workloads.
    pub(crate) steps: usize,
}

/// The system and what is known of it.
struct Bench {
    guest: Guest,
    symbols: Symbols,
    code: Code,
    books: Books,
}

impl Bench {
    fn boot() -> Result<Self, InjectError> {
        let mut guest = Guest::boot(&Artifacts::default())?;
        // Loads what the workloads use, so that it stays where it is.
        let books = verdict::look(&mut guest, WORKLOADS.len())
            .map_err(|wrong| InjectError::Unexpected(wrong.cause))?;
        let symbols = Symbols::of(&mut guest)?;
        Ok(Self {
            guest,
            symbols,
            code: Code::default(),
            books,
        })
    }

    fn profiles(&mut self) -> Result<Vec<(&'static str, Profile)>, InjectError> {
        WORKLOADS
            .iter()
            .map(|name| {
                let profile =
                    profile::profile(&mut self.guest, &self.symbols, &mut self.code, name)?;
                println!(
                    "{name}: {} instructions in {} components",
                    profile.steps,
                    profile.shares.len()
                );
                Ok((*name, profile))
            })
            .collect()
    }

    /// `case`, of a system whose components began at `bases`, in this one: a component that was loaded anew
    /// lies elsewhere.
    fn located(&self, case: Case, bases: &BTreeMap<String, u64>) -> Case {
        let component = &case.component;
        let (Some(then), Some(now)) = (bases.get(component), self.symbols.bases().get(component))
        else {
            return case;
        };
        let distance = now.wrapping_sub(*then);
        let mut case = case;
        for moment in [&mut case.moment, &mut case.other] {
            moment.address = moment.address.wrapping_add(distance);
        }
        case
    }

    /// Injects the fault of `case` and judges, and how many seconds of the host's time that took.
    fn judged(&mut self, case: Case) -> (Run, f32) {
        let begin = Instant::now();
        let (done, verdict) = self.run(&case).unwrap_or_else(|error| {
            // What the fault has done to the machine is part of what comes of it.
            let cause = format!("{error}").chars().take(80).collect();
            let evidence = self.guest.rest();
            let verdict = Verdict::Lost {
                cause,
                evidence,
                well: false,
            };
            (String::new(), verdict)
        });
        let function = self.symbols.at(case.moment.address);
        let run = Run {
            function: function.map(|it| it.name.clone()).unwrap_or_default(),
            case,
            done,
            verdict,
        };
        (run, begin.elapsed().as_secs_f32())
    }

    /// Injects the fault of `case`; what was done, and what came of it.
    fn run(&mut self, case: &Case) -> Result<(String, Verdict), InjectError> {
        let struck = strike::strike(&mut self.guest, &self.symbols, &mut self.code, case)?;
        let (verdict, books) = verdict::observe(
            &mut self.guest,
            &self.symbols,
            case,
            self.books,
            WORKLOADS.len(),
        )?;
        if books.swaps != self.books.swaps {
            // A component in which faults were seen again and again has been loaded anew.
            self.symbols = Symbols::of(&mut self.guest)?;
            self.code = Code::default();
        }
        self.books = books;
        Ok(match struck {
            Some(done) => (done, verdict),
            None => (String::new(), Verdict::NotReached),
        })
    }
}

/// After how many cases what is known so far is saved.
const SAVED_EVERY: usize = 25;

/// Writes the report; where it is.
pub(crate) fn save(campaign: &Campaign) -> Result<PathBuf, InjectError> {
    report::write(campaign)
        .map_err(|source| InjectError::Unexpected(format!("writing the report: {source}")))
}

/// Runs the campaign; `progress` is told of each case.
pub(crate) fn run(
    plan: &Plan,
    mut progress: impl FnMut(&Run, f32),
) -> Result<Campaign, InjectError> {
    let mut bench = Bench::boot()?;
    let mut profiles = bench.profiles()?;
    for (_, profile) in &mut profiles {
        profile.aim(&bench.symbols, &plan.aim);
    }
    let hits = |kind: &Kind| {
        let mut shares = profiles.iter().flat_map(|(_, it)| it.shares.values());
        shares.any(|share| !share.moments(kind.class()).is_empty())
    };
    let kinds: Vec<Kind> = plan.kinds.iter().copied().filter(hits).collect();
    let mut campaign = Campaign {
        seed: plan.seed,
        name: plan.name.clone(),
        runs: Vec::new(),
        reboots: 0,
        steps: profiles.iter().map(|(_, profile)| profile.steps).sum(),
    };
    let bases = bench.symbols.bases().clone();
    let mut spare = Some(bench);
    for number in plan.first..plan.first.saturating_add(plan.count) {
        let mut attempt = 0;
        let run = loop {
            let Some(case) = case::draw(plan.seed, number, attempt, &kinds, &profiles) else {
                return Err(InjectError::Setting {
                    name: "AIM",
                    value: plan.aim.clone(),
                    expected: "part of the path of a function that a workload executes".into(),
                });
            };
            let mut bench = match spare.take() {
                Some(bench) => bench,
                None => {
                    campaign.reboots += 1;
                    Bench::boot()?
                }
            };
            let case = bench.located(case, &bases);
            let (run, seconds) = bench.judged(case);
            if run.verdict.leaves_well() {
                spare = Some(bench);
            }
            attempt += 1;
            if run.verdict != Verdict::NotReached || attempt == ATTEMPTS {
                progress(&run, seconds);
                break run;
            }
        };
        campaign.runs.push(run);
        if campaign.runs.len().is_multiple_of(SAVED_EVERY) {
            save(&campaign)?;
        }
    }
    Ok(campaign)
}
