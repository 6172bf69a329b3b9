//! A report names file and line, by the tables of exactly the build that runs, and does without them.

use crate::{
    failure::{Failure, Verdict, contains, ensure, equal},
    fixtures::exclusively,
    guest::Guest,
    json::{items, text},
    plan::{Options, Suite, Tests},
    suites::boot::{archive, with_archive},
};
use linker::format::{
    Record as _,
    archive::Archive,
    index_checksum,
    lines::{self, Member, SideArchive},
};
use runner::{Boot, Machine};
use std::{fs, ops::Range, process::Command};

pub(crate) const SUITE: Suite = Suite {
    name: "lines",
    tests: Tests::Own(&[
        ("faults_name_file_and_line", named),
        ("a_table_of_another_build_is_not_used", stale),
        ("without_tables_a_report_says_who_knows", missing),
        ("damaged_tables_harm_nothing", damaged),
        ("a_pushed_component_brings_its_table", pushed),
    ]),
};

/// Where faults are provoked.
const SOURCE: &str = "components/linking/faults/src/provoke.rs";

/// What crashes, and the function and the text of the line to blame.
const CRASHES: [(&str, &str, &str); 2] = [
    ("null", "fn load(", "address.read_volatile()"),
    ("div", "fn divide_by_zero()", "asm!("),
];

/// What overflows its stack: at which of its instructions depends on where the stack lies.
const RECURSION: &str = "fn recurse(";

/// The line of [`SOURCE`] that holds `wanted` behind the line that holds `function`, as reports name it.
pub(crate) fn line_of(function: &str, wanted: &str) -> Result<String, Failure> {
    let source =
        fs::read_to_string(SOURCE).map_err(|error| Failure::Wrong(format!("{SOURCE}: {error}")))?;
    let lines = (1..).zip(source.lines());
    let mut lines = lines
        .skip_while(|(_, line)| !line.contains(function))
        .skip(1);
    let found = lines.find(|(_, line)| line.contains(wanted));
    found
        .map(|(number, _)| format!("{SOURCE}:{number}"))
        .ok_or_else(|| Failure::Wrong(format!("{SOURCE} has no {wanted} in {function}")))
}

/// All lines of a function in [`SOURCE`], as reports name them.
fn lines_of(function: &str) -> Result<Vec<String>, Failure> {
    let source =
        fs::read_to_string(SOURCE).map_err(|error| Failure::Wrong(format!("{SOURCE}: {error}")))?;
    let lines = (1..).zip(source.lines());
    let body = lines
        .skip_while(|(_, line)| !line.contains(function))
        .take_while(|(_, line)| *line != "}");
    Ok(body
        .map(|(number, _)| format!("{SOURCE}:{number}"))
        .collect())
}

fn direct() -> Machine {
    Machine {
        boot: Boot::Direct,
        ..Machine::default()
    }
}

/// The report says the line of the fault itself and of its callers, and so does the list, from which a
/// library's code that was inlined there does not distract.
fn named(_: &Options) -> Verdict {
    let mut guest = Guest::boot(direct())?;
    let recursion = lines_of(RECURSION)?;
    let mut crashes = vec![("stack", recursion.clone())];
    for (kind, function, wanted) in CRASHES {
        crashes.push((kind, vec![line_of(function, wanted)?]));
    }
    for (kind, lines) in crashes {
        let report = guest.run(&format!("crash {kind}"))?;
        let culprit = report.lines().skip_while(|line| !line.contains("  0: "));
        let culprit = culprit.take(2).collect::<String>();
        ensure(lines.iter().any(|line| culprit.ends_with(line)), || {
            format!("{kind}: none of {lines:?} at the end of {culprit:?}")
        })?;
        contains(&report, "at applications/crash/src/lib.rs:")?;
        ensure(!report.contains("strake resolve"), || report.clone())?;
        let list = guest.json("faults --json")?;
        let record = items(&list["records"])?.last().cloned().unwrap_or_default();
        let location = text(&record, "location")?;
        ensure(location.starts_with(SOURCE), || location.to_owned())?;
        if let [line] = &lines[..] {
            equal(location, line.as_str())?;
        }
    }
    let list = guest.run("faults")?;
    ensure(recursion.iter().any(|line| list.contains(line)), || {
        list.clone()
    })
}

/// A member of the side archive: the object's exact id, where its record stands, where its table lies.
struct Place {
    exact_id: u128,
    record: usize,
    table: Range<usize>,
}

/// Where in the file the tables begin, and what there is of the component `name`.
fn place_of(bytes: &[u8], name: &str) -> Result<(usize, Place), Failure> {
    let wrong = |what: String| Failure::Wrong(what);
    let archive = Archive::parse(bytes).map_err(|error| wrong(error.to_string()))?;
    let start = usize::try_from(archive.header.length).map_err(|error| wrong(error.to_string()))?;
    let tables = bytes.get(start..).unwrap_or_default();
    let side = SideArchive::parse(tables).map_err(|error| wrong(error.to_string()))?;
    let member = archive
        .find(name, "")
        .and_then(|index| archive.member(index).ok());
    let exact_id = member.map_or(0, |member| member.exact_id);
    let found = side
        .members
        .iter()
        .position(|member| member.exact_id == exact_id);
    let record = found.and_then(|index| Some((index, side.members.get(index)?)));
    let (index, member) = record.ok_or_else(|| wrong(format!("no line table of {name}")))?;
    let header = lines::Header::decode(tables).map_or(0, |header| header.members.offset);
    let at = |offset: u32| start + offset as usize;
    Ok((
        start,
        Place {
            exact_id,
            record: at(header) + index * Member::SIZE,
            table: at(member.offset)..at(member.offset + member.length),
        },
    ))
}

/// Writes the index's checksum anew.
fn seal_index(bytes: &mut [u8], start: usize) {
    let Some(tables) = bytes.get_mut(start..) else {
        return;
    };
    let index = lines::Header::decode(tables).map_or(0, |header| header.index_length as usize);
    let checksum = tables.get(..index).and_then(index_checksum);
    if let (Some(checksum), Some(field)) = (checksum, tables.get_mut(16..24)) {
        field.copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Boots with the archive's file as `change` makes it, and runs `body`.
fn with_file(
    name: &str,
    change: impl FnOnce(&mut Vec<u8>) -> Verdict,
    body: impl FnOnce(&mut Guest) -> Verdict,
) -> Verdict {
    let mut bytes = archive()?;
    change(&mut bytes)?;
    let machine = with_archive(name, &bytes)?;
    let path = machine.artifacts.archive.clone();
    let result = Guest::boot(machine).and_then(|mut guest| {
        body(&mut guest).map_err(|failure| {
            Failure::Wrong(format!(
                "{failure}; the transcript's end:\n{}",
                guest.tail()
            ))
        })
    });
    drop(fs::remove_file(path));
    result
}

/// Crashes, and has the report resolved on the host by the command that it says.
fn resolved_on_host(guest: &mut Guest, reason: &str) -> Verdict {
    let line = line_of("fn load(", "address.read_volatile()")?;
    let report = guest.run("crash null")?;
    contains(&report, reason)?;
    ensure(!report.contains(&line), || format!("{line} in {report}"))?;
    let mut words = report
        .split_whitespace()
        .skip_while(|word| *word != "resolve");
    let command: Vec<&str> = words
        .by_ref()
        .take_while(|word| *word != "strake")
        .collect();
    ensure(command.len() > 3, || format!("no command in {report}"))?;
    let (ok, resolved) = strake(&command)?;
    ensure(ok, || format!("not all is resolved: {resolved}"))?;
    contains(&resolved, "is faults::provoke::load+0x")?;
    contains(&resolved, &line)?;
    contains(&resolved, "applications/crash/src/lib.rs:")?;
    // The list says the same, and goes on.
    let list = guest.run("faults")?;
    contains(&list, reason)?;
    contains(&list, "strake resolve faults@")?;
    contains(&guest.run("hello")?, "Hello")
}

fn stale(_: &Options) -> Verdict {
    let change = |bytes: &mut Vec<u8>| {
        let (start, place) = place_of(bytes, "faults")?;
        // The lowest bit of the id, so that the order stays.
        let lowest = bytes
            .get_mut(place.record)
            .filter(|byte| **byte == place.exact_id.to_le_bytes()[0]);
        *lowest.ok_or_else(|| Failure::Wrong("no id where it should be".into()))? ^= 1;
        seal_index(bytes, start);
        Ok(())
    };
    with_file("stale-lines", change, |guest| {
        let line = line_of("fn load(", "address.read_volatile()")?;
        let report = guest.run("crash null")?;
        ensure(!report.contains(&line), || format!("{line} in {report}"))?;
        contains(
            &report,
            "no lines: the line tables here are of other builds",
        )?;
        contains(&report, "strake resolve faults@")?;
        // All other frames have theirs.
        contains(&report, "at applications/crash/src/lib.rs:")
    })
}

fn missing(_: &Options) -> Verdict {
    let change = |bytes: &mut Vec<u8>| {
        let (start, _) = place_of(bytes, "faults")?;
        bytes.truncate(start);
        Ok(())
    };
    with_file("no-lines", change, |guest| {
        resolved_on_host(guest, "no lines: the system was booted without line tables")?;
        // Another build's id is refused.
        let (ok, refused) = strake(&["resolve", "faults@0000000000000001+0x10"])?;
        ensure(!ok, || refused.clone())?;
        contains(&refused, "no build here has this id")
    })
}

fn damaged(_: &Options) -> Verdict {
    let in_table = |bytes: &mut Vec<u8>| {
        let (_, place) = place_of(bytes, "faults")?;
        flip(bytes, (place.table.start + place.table.end) / 2)
    };
    with_file("bad-lines", in_table, |guest| {
        let report = guest.run("crash null")?;
        contains(&report, "no lines: line table of ")?;
        contains(&report, "is damaged: checksum")?;
        contains(&report, "at applications/crash/src/lib.rs:")?;
        contains(&guest.run("hello")?, "Hello")
    })?;
    let in_index = |bytes: &mut Vec<u8>| {
        let (_, place) = place_of(bytes, "faults")?;
        flip(bytes, place.record)
    };
    with_file("bad-line-index", in_index, |guest| {
        resolved_on_host(guest, "no lines: line tables: damaged index")
    })?;
    let cut = |bytes: &mut Vec<u8>| {
        bytes.truncate(bytes.len() - 1000);
        Ok(())
    };
    with_file("cut-lines", cut, |guest| {
        resolved_on_host(guest, "no lines: line tables: cut off")
    })
}

/// Runs the host's tool; whether it succeeds, and what it prints.
pub(crate) fn strake(arguments: &[&str]) -> Result<(bool, String), Failure> {
    let own = std::env::current_exe().unwrap_or_default();
    let output = Command::new(own.with_file_name("strake"))
        .args(arguments)
        .output()
        .map_err(|error| Failure::Wrong(format!("running strake: {error}")))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output.status.success(), printed))
}

fn flip(bytes: &mut [u8], at: usize) -> Verdict {
    let byte = bytes.get_mut(at);
    *byte.ok_or_else(|| Failure::Wrong("the file is too short".into()))? ^= 0x40;
    Ok(())
}

/// Its text is new, and no table of the boot is for it.
fn pushed(_: &Options) -> Verdict {
    exclusively(|tree| {
        let mut guest = Guest::boot(tree.machine()?)?;
        let before = build_function(&mut guest)?;
        let report = tree.push(&guest.second_port(), 2)?;
        ensure(report["ok"] == true, || report.to_string())?;
        let after = build_function(&mut guest)?;
        ensure(before != after, || "the push changed nothing".into())?;
        for address in [before, after] {
            let found = guest.run(&format!("resolve {address:#x}"))?;
            contains(&found, "gadget::build")?;
            contains(&found, "at tools/system_test/fixtures/gadget/src/lib.rs:")?;
        }
        Ok(())
    })
}

/// Where the code of `gadget::build` lies now.
fn build_function(guest: &mut Guest) -> Result<u64, Failure> {
    let symbols = guest.json("symbols gadget --json")?;
    let list = items(&symbols)?;
    let found = list.iter().find(|symbol| symbol["name"] == "gadget::build");
    let address = found.and_then(|symbol| symbol["address"].as_str());
    address
        .and_then(|address| u64::from_str_radix(address.trim_start_matches("0x"), 16).ok())
        .ok_or_else(|| Failure::Wrong(format!("no gadget::build in {symbols}")))
}
