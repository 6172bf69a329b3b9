//! Edits after which a name means something else, one on top of the other: who holds the old one's
//! address keeps the old one, and the build that has the other one gets that.

use super::Workshop;
use crate::{
    copy,
    failure::{Verdict, contains, ensure, equal},
    guest::Guest,
};
use std::path::Path;

const KEPT: &str = "tools/system_test/fixtures/kept/src/lib.rs";
const KEEPER: &str = "tools/system_test/fixtures/keeper/src/lib.rs";

/// What the first build's function, closure and object answer to 5.
const FIRST: &str = "6 105 10 20";

/// A replacement in a file.
type Edit = (&'static str, &'static str, &'static str);

/// The closure captures something else.
const CAPTURES: &[Edit] = &[
    (
        KEPT,
        "let base = black_box(100_u64);",
        "let base = black_box(\"abc\");",
    ),
    (
        KEPT,
        "move |number| number + base",
        "move |number| number + base.len() as u64",
    ),
];

/// The function and the type get other names.
const RENAMED: &[Edit] = &[(KEPT, "callback", "call_me_back"), (KEPT, "Pair", "Couple")];

/// Another function and another type have the old names.
const TAKEN: &[Edit] = &[(
    KEPT,
    "// The end.\n",
    "#[inline(never)]\nfn callback(text: &&str) -> u64 {\n    text.len() as u64\n}\n\nstruct Pair {\n    one: &'static str,\n    two: &'static [u64],\n}\n\nimpl Thing for Pair {\n    #[inline(never)]\n    fn first(&self) -> u64 {\n        self.one.len() as u64\n    }\n\n    #[inline(never)]\n    fn second(&self) -> u64 {\n        self.two.iter().sum()\n    }\n}\n\n/// Gives the others away.\n#[inline(never)]\npub fn give_others() -> (u64, Box<dyn Thing>) {\n    let function: fn(&&str) -> u64 = black_box(callback);\n    let (one, two) = (black_box(\"ab\"), black_box(&[1, 2][..]));\n    (function(&\"abc\"), Box::new(Pair { one, two }))\n}\n",
)];

/// The methods of the trait change places; the type has another name, so no vtable is there twice.
const REORDERED: &[Edit] = &[
    (KEPT, "Couple", "Twain"),
    (
        KEEPER,
        "    /// Its first number.\n    fn first(&self) -> u64;\n    /// Its second number.\n    fn second(&self) -> u64;\n",
        "    /// Its second number.\n    fn second(&self) -> u64;\n    /// Its first number.\n    fn first(&self) -> u64;\n",
    ),
];

/// The function gets its caller's place as a hidden argument.
const TRACKED: &[Edit] = &[(
    KEPT,
    "fn call_me_back(number: u64) -> u64 {\n    number + 1",
    "#[track_caller]\nfn call_me_back(number: u64) -> u64 {\n    number + u64::from(core::panic::Location::caller().line())",
)];

/// The trait's method takes something else; the type has another name.
const RETYPED: &[Edit] = &[
    (KEPT, "Couple", "Twain"),
    (
        KEPT,
        "fn second(&self) -> u64 {\n        self.two",
        "fn second(&self) -> &'static str {\n        let _ = self.two;\n        \"two\"",
    ),
    (
        KEEPER,
        "fn second(&self) -> u64;",
        "fn second(&self) -> &'static str;",
    ),
    (
        KEEPER,
        "|thing| thing.second())",
        "|thing| thing.second().len() as u64)",
    ),
];

/// Nobody implements the trait any more, whose methods change places.
const UNIMPLEMENTED: &[Edit] = &[
    (
        KEPT,
        "impl Thing for Couple {\n    #[inline(never)]\n    fn first",
        "impl Couple {\n    #[inline(never)]\n    fn first",
    ),
    (
        KEPT,
        "    keeper::keep(\n        call_me_back,\n        Box::new(move |number| number + base.len() as u64),\n        Box::new(Couple {\n            one: black_box(10),\n            two: black_box(20),\n        }),\n    );",
        "    let couple = Couple {\n        one: black_box(10),\n        two: black_box(20),\n    };\n    black_box((couple.first(), couple.second(), base, call_me_back as fn(u64) -> u64));",
    ),
    (KEPT, "use keeper::Thing;\n", ""),
    (
        KEEPER,
        "    /// Its first number.\n    fn first(&self) -> u64;\n    /// Its second number.\n    fn second(&self) -> u64;\n",
        "    /// Its second number.\n    fn second(&self) -> u64;\n    /// Its first number.\n    fn first(&self) -> u64;\n",
    ),
];

/// A function that never returned does.
const RETURNS: &[Edit] = &[(
    KEPT,
    "pub fn never() -> ! {\n    loop {\n        core::hint::spin_loop();\n    }\n}",
    "pub fn never() {}",
)];

/// The type that an object can be downcast to has another shape; its name was gone for a build.
const BAG_RENAMED: &[Edit] = &[(KEPT, "Bagged", "Sacked")];
const BAG_BACK: &[Edit] = &[
    (KEPT, "Sacked", "Bagged"),
    (KEPT, "struct Bagged(u64);", "struct Bagged(&'static str);"),
    (KEPT, "Bagged(black_box(7))", "Bagged(black_box(\"seven\"))"),
    (
        KEPT,
        "|bagged| bagged.0)",
        "|bagged| bagged.0.len() as u64)",
    ),
];

pub(super) fn all() -> Verdict {
    copy::with(|root| {
        let mut guest = Guest::boot(Workshop::at(root).tree.machine()?)?;
        let mut build = Builds { root, number: 1 };
        report(&mut guest, "kept_report give", 1, FIRST)?;

        build.push(&mut guest, CAPTURES)?;
        report(&mut guest, "kept_report", 2, FIRST)?;
        // A build later, the old closure is still the old one.
        build.push(&mut guest, &[])?;
        report(&mut guest, "kept_report", 3, FIRST)?;

        build.push(&mut guest, RENAMED)?;
        report(&mut guest, "kept_report", 4, FIRST)?;
        build.push_refused(&mut guest, REORDERED, &["trait `keeper::Thing`"])?;
        build.push_refused(&mut guest, TRACKED, &["call_me_back", "track_caller"])?;
        build.push_refused(&mut guest, RETYPED, &["keeper::Thing::second"])?;
        build.push_refused(&mut guest, UNIMPLEMENTED, &["keeper::Thing", "no vtable"])?;
        build.push_refused(&mut guest, RETURNS, &["kept::never"])?;
        report(&mut guest, "kept_report", 4, FIRST)?;
        build.push(&mut guest, TAKEN)?;
        report(&mut guest, "kept_report", 5, FIRST)?;

        // What the last build gives is the last build's.
        report(&mut guest, "kept_report give", 5, "6 8 10 20")?;
        build.push(&mut guest, BAG_RENAMED)?;
        build.push_refused(&mut guest, BAG_BACK, &["kept::Bagged", "downcast"])?;
        for number in [5, 4, 3] {
            let undone = guest.json("swap --undo --json")?;
            ensure(undone["ok"] == true, || format!("not taken back: {undone}"))?;
            report(&mut guest, "kept_report", number, "6 8 10 20")?;
        }
        Ok(())
    })
}

fn report(guest: &mut Guest, command: &str, build: u32, answers: &str) -> Verdict {
    equal(
        guest.run(command)?.trim(),
        format!("{build}: {answers}").trim(),
    )
}

/// Builds of `kept` and `keeper`, each made by edits of the one before.
struct Builds<'r> {
    root: &'r Path,
    number: u32,
}

impl Builds<'_> {
    /// Edits, numbers the build, and pushes it, which is accepted.
    fn push(&mut self, guest: &mut Guest, edits: &[Edit]) -> Verdict {
        let workshop = Workshop::at(self.root);
        for (file, old, new) in edits {
            workshop.edit(file, old, new)?;
        }
        let next = self.number + 1;
        let number = |number: u32| format!("black_box({number})\n}}\n");
        workshop.edit(KEPT, &number(self.number), &number(next))?;
        self.number = next;
        let report = workshop.tree.push(&guest.second_port(), 1)?;
        ensure(report["ok"] == true, || format!("refused: {report}"))
    }

    /// Edits and pushes, which is refused for a reason with these `words`, and takes the edits back.
    fn push_refused(&self, guest: &mut Guest, edits: &[Edit], words: &[&str]) -> Verdict {
        let workshop = Workshop::at(self.root);
        let mut before = Vec::new();
        for (file, old, new) in edits {
            before.push((*file, workshop.edit(file, old, new)?));
        }
        let report = workshop.tree.push(&guest.second_port(), 1);
        for (file, contents) in before.into_iter().rev() {
            workshop.restore(file, &contents)?;
        }
        let report = report?;
        ensure(report["ok"] == false, || format!("accepted: {report}"))?;
        let refusal = report["refused"].to_string();
        words.iter().try_for_each(|word| contains(&refusal, word))
    }
}
