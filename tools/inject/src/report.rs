//! The tables and the JSON document of a campaign.

use crate::{
    campaign::{Campaign, Run},
    kind::Kind,
    verdict::Verdict,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Where the tables and the documents go.
const FOLDER: &str = "build/inject";

/// Counts of verdicts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    injected: u32,
    not_reached: u32,
    pub(crate) manifested: u32,
    pub(crate) recovered: u32,
}

impl Counts {
    fn add(&mut self, verdict: &Verdict) {
        if *verdict == Verdict::NotReached {
            self.not_reached += 1;
            return;
        }
        self.injected += 1;
        self.manifested += u32::from(verdict.manifested());
        self.recovered += u32::from(matches!(verdict, Verdict::Recovered { .. }));
    }

    fn share(&self) -> String {
        if self.manifested == 0 {
            return "-".into();
        }
        let share = f64::from(self.recovered) * 100.0 / f64::from(self.manifested);
        format!("{share:.1}")
    }

    fn row(&self, name: &str) -> String {
        format!(
            "{name:<24} {:>8} {:>9} {:>10} {:>9} {:>7}\n",
            self.injected,
            self.injected - self.manifested,
            self.manifested,
            self.recovered,
            self.share()
        )
    }
}

/// Counts over `runs`, by what `key` says of each.
fn by(runs: &[Run], key: impl Fn(&Run) -> String) -> BTreeMap<String, Counts> {
    let mut counts = BTreeMap::<String, Counts>::new();
    for run in runs {
        counts.entry(key(run)).or_default().add(&run.verdict);
    }
    counts
}

/// The counts of all kinds in `kinds` together.
pub(crate) fn total(runs: &[Run], kinds: &[Kind]) -> Counts {
    let mut counts = Counts::default();
    for run in runs.iter().filter(|run| kinds.contains(&run.case.kind)) {
        counts.add(&run.verdict);
    }
    counts
}

/// The tables as text.
pub(crate) fn tables(campaign: &Campaign) -> String {
    let runs = &campaign.runs;
    let mut text = String::new();
    let head = format!(
        "{:<24} {:>8} {:>9} {:>10} {:>9} {:>7}\n",
        "", "injected", "no effect", "manifested", "recovered", "%"
    );
    let mut table = |title: &str, rows: BTreeMap<String, Counts>| {
        text.push_str(&head.replacen(&" ".repeat(title.len()), title, 1));
        for (name, counts) in rows {
            text.push_str(&counts.row(&name));
        }
        text.push('\n');
    };
    table("KIND", by(runs, |run| run.case.kind.name().into()));
    table("WORKLOAD", by(runs, |run| run.case.workload.into()));
    table("COMPONENT", by(runs, |run| run.case.component.clone()));
    for (name, kinds) in [("software", Kind::SOFTWARE), ("hardware", Kind::HARDWARE)] {
        let counts = total(runs, kinds);
        if counts.injected > 0 {
            text.push_str(&counts.row(&format!("all {name}")));
        }
    }
    let missed = runs
        .iter()
        .filter(|run| run.verdict == Verdict::NotReached)
        .count();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{} reboots, {missed} moments not reached\n",
        campaign.reboots
    );
    let mut causes = BTreeMap::<&str, u32>::new();
    for run in runs {
        if let Verdict::Lost { cause, .. } = &run.verdict {
            *causes.entry(cause).or_default() += 1;
        }
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (cause, count) in causes {
        let _ = writeln!(text, "{count:>5}  {cause}");
    }
    text
}

/// Writes the tables and the document; where they are.
pub(crate) fn write(campaign: &Campaign) -> std::io::Result<PathBuf> {
    let folder = Path::new(FOLDER);
    fs::create_dir_all(folder)?;
    let stem = format!("{}-{}", campaign.name, campaign.seed);
    fs::write(folder.join(format!("{stem}.txt")), tables(campaign))?;
    let path = folder.join(format!("{stem}.json"));
    let document = json!({
        "seed": campaign.seed,
        "kinds": campaign.name,
        "reboots": campaign.reboots,
        "steps": campaign.steps,
        "cases": campaign.runs.iter().map(describe).collect::<Vec<_>>(),
    });
    fs::write(&path, document.to_string())?;
    Ok(path)
}

fn describe(run: &Run) -> Value {
    let mut document = run.verdict.describe();
    document["number"] = json!(run.case.number);
    document["kind"] = json!(run.case.kind.name());
    document["workload"] = json!(run.case.workload);
    document["component"] = json!(run.case.component);
    document["address"] = json!(format!("{:#x}", run.case.moment.address));
    document["occurrence"] = json!(run.case.moment.occurrence);
    document["function"] = json!(run.function);
    document["done"] = json!(run.done);
    document
}
