//! Files: what commands and the shell do with them, what is refused, and what a fixture sees from
//! inside.

use crate::{
    failure::{Failure, Verdict, contains, ensure, equal},
    fixtures,
    guest::Guest,
    json::{Kind, count, find, has_fields, items, text},
    plan::{Suite, Tests},
};
use runner::{Boot, Machine};
use std::time::Duration;

pub(crate) const SUITE: Suite = Suite {
    name: "files",
    tests: Tests::Shared(
        || Machine {
            boot: Boot::Direct,
            memory_mib: 64,
            ..Machine::default()
        },
        &[
            ("the_root_has_boot_and_proc", root),
            ("write_and_cat_agree", write_and_cat),
            ("redirections_lead_to_files", redirections),
            ("redirections_that_lead_nowhere_are_refused", no_redirection),
            ("directories_are_made_and_removed", directories),
            ("copies_are_copies", copies),
            ("moves_are_moves", moves),
            ("a_file_is_not_copied_onto_itself", onto_itself),
            ("errors_name_path_and_reason", errors),
            ("the_current_directory_is_inherited", current_directory),
            ("tab_completes_paths", completion),
            ("listings_have_the_stated_fields", json),
            ("views_show_the_system", views),
            ("an_application_runs_from_a_file", run_from_file),
            ("what_is_no_application_is_refused", run_nothing),
            ("a_grant_does_not_come_from_a_file", no_grant_from_file),
            ("what_is_ended_closes_its_files", ended),
            ("a_full_file_system_is_survived", full),
        ],
    ),
};

/// What a fixture sees, and files over a swap.
pub(crate) const INSIDE: Suite = Suite {
    name: "files_inside",
    tests: Tests::Own(&[
        ("every_check_of_the_probe_holds", |_| probe(1)),
        ("every_check_of_the_probe_holds_on_4_cpus", |_| probe(4)),
    ]),
};

/// How long all checks may take under emulation.
const LIMIT: Duration = Duration::from_secs(240);

fn probe(processors: u32) -> Verdict {
    let adapt = |machine| Machine {
        processors,
        memory_mib: 96,
        ..machine
    };
    let (mut guest, output) = fixtures::probe("file_probe", LIMIT, adapt)?;
    contains(&output, "15 ok, 0 failed")?;
    // The system has lived on.
    equal(guest.run("hello")?.as_str(), "Hello, world!")
}

/// Checks that `command` fails and prints all `parts`.
fn refused(guest: &mut Guest, command: &str, parts: &[&str]) -> Verdict {
    let (ok, output) = guest.succeeds(command)?;
    ensure(!ok, || format!("{command} succeeded: {output}"))?;
    parts.iter().try_for_each(|part| contains(&output, part))
}

/// Checks that `command` succeeds and prints nothing.
fn silent(guest: &mut Guest, command: &str) -> Verdict {
    let (ok, output) = guest.succeeds(command)?;
    ensure(ok && output.trim().is_empty(), || {
        format!("{command}: {output:?}")
    })
}

/// Bytes that the file system in memory takes.
fn used(guest: &mut Guest) -> Result<u64, Failure> {
    let list = guest.json("df --json")?;
    count(find(&list, "path", "/")?, "used")
}

fn root(guest: &mut Guest) -> Verdict {
    equal(guest.run("ls / | cat")?.as_str(), "boot/\nproc/")?;
    contains(&guest.run("ls /boot")?, "hello.o")?;
    let table = guest.run("df")?;
    for part in [
        "memory",
        "archive",
        "/boot (read only)",
        "/proc (read only)",
    ] {
        contains(&table, part)?;
    }
    Ok(())
}

fn write_and_cat(guest: &mut Guest) -> Verdict {
    silent(guest, "write /w one two")?;
    silent(guest, "write -a /w three")?;
    equal(guest.run("cat /w")?.as_str(), "one two\nthree")?;
    silent(guest, "echo from a pipe | write /w")?;
    equal(guest.run("cat /w /w")?.as_str(), "from a pipe\nfrom a pipe")?;
    equal(guest.run("echo x | cat /w - /w | wc")?.trim(), "3 7 26")?;
    silent(guest, "rm /w")
}

fn redirections(guest: &mut Guest) -> Verdict {
    silent(guest, "echo one >/r")?;
    silent(guest, "echo two >> /r")?;
    equal(guest.run("cat < /r")?.as_str(), "one\ntwo")?;
    silent(guest, "</r >'/a file' cat")?;
    equal(guest.run("cat '/a file' | head -n 1")?.as_str(), "one")?;
    silent(
        guest,
        "cat /nothing 2> /e || true_is_no_command 2>/e2 || echo >/r",
    )?;
    contains(&guest.run("cat /e")?, "/nothing: there is no such file")?;
    silent(guest, "cat /nothing /r >/both 2>&1 ; echo behind 2>>/e")
        .or_else(|_| contains(&guest.run("cat /both")?, "/nothing: there is no such file"))?;
    contains(&guest.run("cat /both")?, "/nothing: there is no such file")?;
    // A built-in command has streams, too, and they are its own.
    silent(guest, "pwd > /p; cd /boot > /p2")?;
    equal(guest.run("cat /p; pwd; cd /")?.as_str(), "/\n/boot")?;
    // What is redirected in a pipeline does not reach the next command.
    equal(
        guest.run("echo into > /f | wc --json")?.as_str(),
        r#"{"lines":0,"words":0,"bytes":0}"#,
    )?;
    equal(guest.run("cat < /f > /f2; cat /f2")?.as_str(), "into")?;
    silent(guest, "rm -f /r '/a file' /e /e2 /both /p /p2 /f /f2")?;
    equal(guest.run("ls / | cat")?.as_str(), "boot/\nproc/")
}

fn no_redirection(guest: &mut Guest) -> Verdict {
    refused(
        guest,
        "cat < /nothing",
        &["/nothing: there is no such file"],
    )?;
    refused(guest, "echo x > /boot/x", &["/boot/x: it can only be read"])?;
    refused(
        guest,
        "echo x > /boot/hello.o",
        &["/boot/hello.o: it can only be read"],
    )?;
    refused(
        guest,
        "echo x > /no/where",
        &["/no/where", "/no: there is no such"],
    )?;
    refused(guest, "echo x > /boot", &["/boot: it is a directory"])?;
    refused(guest, "echo x > ''", &["the path is empty"])?;
    refused(guest, "cat </proc", &["/proc: it is a directory"])?;
    contains(&guest.run("echo x >")?, "no path behind the > in column 8")
}

fn directories(guest: &mut Guest) -> Verdict {
    silent(guest, "mkdir /d /d/e; mkdir -p /d/e/f/g /d/e")?;
    equal(
        guest.run("ls /d /d/e | cat")?.as_str(),
        "/d:\ne/\n/d/e:\nf/",
    )?;
    refused(guest, "mkdir /d", &["/d: it exists already"])?;
    refused(guest, "mkdir /x/y", &["/x: there is no such"])?;
    refused(
        guest,
        "mkdir -p /proc/tasks/x",
        &["/proc/tasks: it is not a directory"],
    )?;
    refused(guest, "rm /d", &["/d: it is a directory"])?;
    refused(guest, "rm -d /d", &["/d: the directory is not empty"])?;
    refused(guest, "rm -r /boot", &["/boot"])?;
    refused(guest, "rm -d /", &["no name"])?;
    contains(&guest.run("ls /boot")?, "hello.o")?;
    silent(guest, "rm -d /d/e/f/g; rm -r /d")?;
    refused(guest, "rm /d", &["/d: there is no such"])?;
    silent(guest, "rm -f /d")
}

fn copies(guest: &mut Guest) -> Verdict {
    silent(guest, "mkdir -p /t/sub; write /t/a one; write /t/sub/b two")?;
    silent(guest, "cp /t/a /t/c; cp /t/a /t/c /t/sub; cp -r /t /u")?;
    equal(
        guest.run("cat /t/c /t/sub/a /u/sub/b /u/sub/c")?.as_str(),
        "one\none\ntwo\none",
    )?;
    silent(guest, "cp -r /t /u; cp /boot/hello.o /t")?;
    equal(guest.run("cat /u/t/sub/b")?.as_str(), "two")?;
    let size = guest.run("wc --json < /t/hello.o")?;
    equal(guest.run("wc --json < /boot/hello.o")?, size)?;
    refused(guest, "cp /t /v", &["/t: it is a directory; cp -r"])?;
    refused(guest, "cp /t/a /t/a", &["are the same file"])?;
    equal(guest.run("cat /t/a")?.as_str(), "one")?;
    refused(
        guest,
        "cp -r /t /t/sub/x",
        &["cannot be copied into itself"],
    )?;
    refused(guest, "cp /t/a /t/c /t/a", &["/t/a: it is not a directory"])?;
    refused(
        guest,
        "cp /t/a /t/c /t/none",
        &["/t/none: there is no such"],
    )?;
    refused(guest, "cp /nothing /t", &["/nothing: there is no such"])?;
    refused(guest, "cp /t/a /boot", &["/boot/a: it can only be read"])?;
    silent(guest, "rm -r /t /u")
}

/// A file that was copied behind itself filled the file system, and one that was copied over itself was
/// empty, and nothing said why.
fn onto_itself(guest: &mut Guest) -> Verdict {
    silent(guest, "mkdir /o; cd /o; write f one; write g two")?;
    let said = ["cat: /o/f: the input file is the output file"];
    refused(guest, "cat /o/f >> f", &said)?;
    refused(guest, "cat < f >> /o/f", &said)?;
    equal(guest.run("cat f g")?.as_str(), "one\ntwo")?;
    // What else is asked for is copied.
    refused(guest, "cat /o/f g >> f", &said)?;
    equal(guest.run("cat f")?.as_str(), "one\ntwo")?;
    refused(guest, "cat /o/f /o/f > f", &said)?;
    silent(guest, "cat f; cat g | cat > /o/h; cat h >> g; cat < g > f")?;
    equal(guest.run("cat f")?.as_str(), "two\ntwo")?;
    silent(guest, "cd /; rm -r /o")
}

fn moves(guest: &mut Guest) -> Verdict {
    silent(
        guest,
        "mkdir -p /m/a/b /m/c; write /m/f one; write /m/g two",
    )?;
    silent(guest, "mv /m/f /m/h; mv /m/h /m/g; mv /m/g /m/a /m/c")?;
    equal(
        guest.run("cat /m/c/g; ls /m /m/c | cat")?.as_str(),
        "one\n/m:\nc/\n/m/c:\na/\ng",
    )?;
    refused(guest, "mv /m/c /m/c/a/b", &["cannot be moved into itself"])?;
    refused(guest, "mv /m/c /proc", &["different file systems"])?;
    refused(
        guest,
        "mv /boot/hello.o /m",
        &["/boot/hello.o: it can only be read"],
    )?;
    refused(
        guest,
        "mv /boot /m",
        &["/boot: a file system is mounted there"],
    )?;
    refused(guest, "mv /nothing /m", &["/nothing: there is no such"])?;
    refused(guest, "mv / /m", &["no name"])?;
    refused(guest, "mv /m/c /m /none", &["/none: there is no such"])?;
    silent(guest, "write /m/f one")?;
    refused(guest, "mv /m/c /m /m/f", &["/m/f: it is not a directory"])?;
    silent(guest, "rm -r /m")
}

fn errors(guest: &mut Guest) -> Verdict {
    refused(
        guest,
        "cat /boot/hello.o/x",
        &["/boot/hello.o: it is not a directory"],
    )?;
    refused(guest, "cat ''", &["'': the path is empty"])?;
    refused(
        guest,
        "cat /proc /boot",
        &["/proc: it is a directory", "/boot: it is a directory"],
    )?;
    refused(
        guest,
        "ls /no /proc/no",
        &["/no: there is no such", "/proc/no: there is no such"],
    )?;
    let long = "n".repeat(256);
    refused(
        guest,
        &format!("write {long} x"),
        &["256 bytes; at most 255"],
    )?;
    let long = "d/".repeat(5_000);
    refused(
        guest,
        &format!("mkdir -p {long}"),
        &["10000 bytes; at most 4096"],
    )?;
    refused(
        guest,
        "cat < /boot/../../../proc/../x/..",
        &["/x: there is no such"],
    )?;
    // Bytes that are no UTF-8 do not come through the line editor.
    guest.send(b"cat /\xff\xfe\xc3 ; echo over\r")?;
    guest.expect("\ncat: /: it is a directory")?;
    guest.expect("\nover")?;
    guest.expect(crate::guest::PROMPT).map(drop)
}

fn current_directory(guest: &mut Guest) -> Verdict {
    silent(
        guest,
        "mkdir -p /here/below; cd /here; write f text; cd below",
    )?;
    equal(
        guest.run("pwd; cat ../f; shell -c pwd")?.as_str(),
        "/here/below\ntext\n/here/below",
    )?;
    // What a shell inside does with it is its own.
    equal(
        guest.run("shell -c 'cd ../..; pwd'; pwd")?.as_str(),
        "/\n/here/below",
    )?;
    equal(guest.run("cd ../../../../..; pwd")?.as_str(), "/")?;
    refused(guest, "cd /here/f", &["cd: /here/f: it is not a directory"])?;
    refused(guest, "cd /nowhere", &["cd: /nowhere: there is no such"])?;
    // One in which somebody is can be removed; then nothing can be found from there.
    silent(guest, "cd /here; rm -r /here")?;
    refused(guest, "ls", &["current directory does not exist any more"])?;
    refused(
        guest,
        "write x y",
        &["current directory does not exist any more"],
    )?;
    equal(
        guest
            .run("cd /; pwd; ls /here 2>&1 | wc --json")?
            .lines()
            .count(),
        2,
    )
}

fn completion(guest: &mut Guest) -> Verdict {
    silent(
        guest,
        "mkdir -p /complete/directory; write '/complete/a file' text",
    )?;
    equal(guest.run("cat /comp\ta\t")?.as_str(), "text")?;
    equal(guest.run("cat < /comp\ta\t")?.as_str(), "text")?;
    equal(
        guest.run("cd /comp\tdir\t; pwd; cd /")?.as_str(),
        "/complete/directory",
    )?;
    equal(guest.run("/boot/hello.\t")?.as_str(), "Hello, world!")?;
    silent(guest, "rm -r /complete")
}

fn json(guest: &mut Guest) -> Verdict {
    silent(guest, "mkdir /j; echo text > /j/f; mkdir /j/d")?;
    let list = guest.json("ls --json /j /boot/hello.o")?;
    for entry in items(&list)? {
        has_fields(
            entry,
            &[
                ("directory", Kind::Text),
                ("name", Kind::Text),
                ("kind", Kind::Text),
                ("length", Kind::Count),
                ("allocated", Kind::Count),
                ("modified_ns", Kind::Count),
                ("read_only", Kind::Truth),
            ],
        )?;
    }
    let file = find(&list, "name", "f")?;
    equal(count(file, "length")?, 5)?;
    equal(text(file, "kind")?, "file")?;
    equal(text(find(&list, "name", "d")?, "kind")?, "directory")?;
    let hello = find(&list, "name", "/boot/hello.o")?;
    ensure(hello["read_only"] == true, || hello.to_string())?;
    let list = guest.json("df --json")?;
    for mount in items(&list)? {
        has_fields(
            mount,
            &[
                ("name", Kind::Text),
                ("path", Kind::Text),
                ("total", Kind::Count),
                ("used", Kind::Count),
                ("free", Kind::Count),
                ("read_only", Kind::Truth),
            ],
        )?;
    }
    contains(&guest.run("ls -l /j")?, "-rw          5")?;
    silent(guest, "rm -r /j")
}

fn views(guest: &mut Guest) -> Verdict {
    contains(&guest.run("cat /proc/tasks")?, " shell ")?;
    contains(&guest.run("cat /proc/components")?, "\nvfs ")?;
    contains(&guest.run("cat /proc/memory")?, "heap_used ")?;
    contains(&guest.run("cat /proc/mounts")?, "/boot archive ")?;
    contains(&guest.run("cat /proc/commands")?, "ls ls")?;
    contains(&guest.run("cat /proc/log")?, "relocations linked")?;
    equal(guest.run("cat /proc/cpus")?.as_str(), "0")?;
    refused(
        guest,
        "write /proc/memory x",
        &["/proc/memory: it can only be read"],
    )?;
    refused(
        guest,
        "rm /proc/memory",
        &["/proc/memory: it can only be read"],
    )
}

fn run_from_file(guest: &mut Guest) -> Verdict {
    equal(guest.run("/boot/hello.o")?.as_str(), "Hello, world!")?;
    equal(
        guest.run("/boot/hello=alternate.o")?.as_str(),
        "Ahoy, world!",
    )?;
    silent(
        guest,
        "mkdir /bin; cp /boot/hello.o /bin/greet; cp /boot/wc.o /bin",
    )?;
    equal(guest.run("/bin/greet")?.as_str(), "Hello, world!")?;
    equal(
        guest
            .run("cd /bin; ./greet | ./wc.o --json; cd /")?
            .as_str(),
        r#"{"lines":1,"words":2,"bytes":14}"#,
    )?;
    // The file can go while what it holds runs; arguments arrive.
    equal(
        guest
            .run("cp /boot/echo.o /bin/say; /bin/say one two; rm /bin/say")?
            .as_str(),
        "one two",
    )?;
    // One that the archive has not may run if it forbids `unsafe`.
    silent(guest, "cp /bin/greet /bin/other; echo >> /bin/other")?;
    equal(guest.run("/bin/other")?.as_str(), "Hello, world!")?;
    let before = guest.json("mem --json")?;
    guest.run("/bin/other; /bin/other; /bin/other; /bin/other")?;
    let after = guest.json("mem --json")?;
    let grown = count(&after, "used")?.saturating_sub(count(&before, "used")?);
    ensure(grown < 64 << 10, || {
        format!("{grown} bytes more are in use")
    })?;
    silent(guest, "rm -r /bin")
}

fn run_nothing(guest: &mut Guest) -> Verdict {
    let status = |guest: &mut Guest, command: &str, part: &str, wanted: &str| {
        let output = guest.run(&format!("{command}; echo $?"))?;
        contains(&output, part)?;
        ensure(output.ends_with(&format!("\n{wanted}")), || {
            format!("{command}: status is not {wanted} in {output:?}")
        })
    };
    silent(
        guest,
        "write /text hello; echo > /empty; cp /boot/hello.o /cut",
    )?;
    status(guest, "/text", "/text could not be loaded: /text: ", "126")?;
    status(
        guest,
        "/empty",
        "/empty could not be loaded: /empty: ",
        "126",
    )?;
    status(guest, "/nothing", "/nothing: there is no such file", "127")?;
    status(
        guest,
        "./nothing x",
        "./nothing: there is no such file",
        "127",
    )?;
    status(guest, "/boot", "/boot: it is a directory", "126")?;
    status(guest, "/boot/klog.o", "klog is not an application", "126")?;
    status(
        guest,
        "/proc/tasks",
        "/proc/tasks could not be loaded",
        "126",
    )?;
    // An object whose second half is missing.
    silent(guest, "head -n 20 < /boot/hello.o > /cut")?;
    status(guest, "/cut", "/cut could not be loaded", "126")?;
    silent(guest, "rm /text /empty /cut")
}

fn no_grant_from_file(guest: &mut Guest) -> Verdict {
    // The same bytes are known; it is refused because it is no application.
    silent(guest, "cp /boot/mutex.o /mutex")?;
    refused(guest, "/mutex", &["mutex is not an application"])?;
    // One byte more, and nobody vouches for the `unsafe` in it, whatever its name may do.
    silent(guest, "echo >> /mutex")?;
    refused(
        guest,
        "/mutex",
        &["mutex may use unsafe, and is not the object"],
    )?;
    // A third party's object claims no grant, and forbids nothing either.
    silent(guest, "cp /boot/log.o /log; echo >> /log")?;
    refused(guest, "/log", &["may use unsafe"])?;
    silent(guest, "rm /mutex /log")
}

fn ended(guest: &mut Guest) -> Verdict {
    let before = used(guest)?;
    guest.run("crash panic > /out 2>&1")?;
    contains(&guest.run("cat /out; rm /out")?, "panic")?;
    equal(used(guest)?, before)?;
    // One that is killed while it writes.
    guest.send(b"yes > /out\r")?;
    std::thread::sleep(Duration::from_millis(500));
    guest.send(b"\x03")?;
    guest.expect(crate::guest::PROMPT)?;
    ensure(used(guest)? > before + 1000, || {
        "nothing was written".into()
    })?;
    silent(guest, "rm /out")?;
    equal(used(guest)?, before)
}

fn full(guest: &mut Guest) -> Verdict {
    let before = used(guest)?;
    silent(guest, "mkdir /full; echo > /full/x")?;
    let mut output = String::new();
    for number in 0..20 {
        output = guest.run(&format!("cp -r /boot /full/{number}"))?;
        if !output.is_empty() {
            break;
        }
    }
    contains(&output, "cp: /full/")?;
    contains(&output, "the file system is full")?;
    // There may not have been room for the file itself; now there is, but not for all that is in it.
    silent(guest, "rm /full/0/klog.o")?;
    refused(
        guest,
        "cp /boot/core.o /full/part",
        &[
            "cp: /full/part: the file system is full; ",
            " bytes were written",
        ],
    )?;
    // What else is wanted is refused, too, and the system goes on.
    refused(
        guest,
        "cat /boot/loader.o /boot/swap.o /boot/core.o >> /full/x",
        &["cat: /full/x: the file system is full; the output is cut off"],
    )?;
    equal(guest.run("hello")?.as_str(), "Hello, world!")?;
    let list = guest.json("df --json")?;
    let free = count(find(&list, "path", "/")?, "free")?;
    ensure(free < 64 << 10, || format!("{free} bytes are free"))?;
    let (ok, output) = guest.succeeds("bench spawn heap map-1m")?;
    ensure(ok, || output)?;
    silent(guest, "rm -r /full")?;
    equal(used(guest)?, before)
}
