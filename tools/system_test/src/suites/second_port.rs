//! The second serial port: noise, cut transfers and second clients change nothing.

use crate::{
    failure::{Failure, Verdict, contains, ensure, equal},
    guest::Guest,
    plan::{Suite, Tests},
    suites::swap::state_hash,
};
use push_protocol::{MAX_PAYLOAD, Object, Request, SessionId};
use runner::{
    Boot, Machine,
    push::{Client, PushError},
};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

pub(crate) const SUITE: Suite = Suite {
    name: "second_port",
    tests: Tests::Shared(
        || Machine {
            boot: Boot::Direct,
            ..Machine::default()
        },
        &[
            ("a_client_gets_the_list_of_builds", list),
            ("binary_garbage_is_survived", garbage),
            ("a_frame_cut_off_swallows_nothing", cut_frame),
            ("a_transfer_without_a_commit_changes_nothing", no_commit),
            ("a_second_client_is_told", second_client),
            ("a_stranger_in_the_line_changes_nothing", stranger),
            ("rubbish_for_an_object_is_refused_by_name", rubbish),
            ("a_truncated_object_is_refused_by_name", truncated),
            ("a_component_nobody_knows_is_refused", unknown),
        ],
    ),
};

/// QEMU notices only by and by that a client has gone.
const HANG_UP: Duration = Duration::from_secs(20);

fn connect(guest: &Guest) -> Result<Client, Failure> {
    let end = Instant::now() + HANG_UP;
    loop {
        match Client::connect(&guest.second_port()) {
            Ok(client) => return Ok(client),
            Err(PushError::Silent { .. } | PushError::Io { .. }) if Instant::now() < end => {}
            Err(error) => return Err(wrong(&error)),
        }
    }
}

fn wrong(error: &PushError) -> Failure {
    Failure::Wrong(error.to_string())
}

fn raw(guest: &Guest, bytes: &[u8]) -> Verdict {
    let sent = UnixStream::connect(guest.second_port()).and_then(|mut line| line.write_all(bytes));
    sent.map_err(|error| Failure::Wrong(format!("writing to the second port: {error}")))
}

fn frame(request: &Request<'_>, session: u64, sequence: u32) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let encoded = request
        .to_frame(SessionId(session), sequence)
        .encode(&mut bytes);
    encoded.map_err(|error| Failure::Wrong(error.to_string()))?;
    Ok(bytes)
}

/// Pushes these objects and returns the refusal, after which the system is as it was.
fn refused(guest: &mut Guest, name: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    let before = state_hash(guest)?;
    let object = Object {
        name: name.into(),
        bytes,
    };
    let mut client = connect(guest)?;
    client
        .transfer(&[object], &[])
        .map_err(|error| wrong(&error))?;
    let document = client.commit(false).map_err(|error| wrong(&error))?;
    let report: Value = serde_json::from_str(&document)
        .map_err(|error| Failure::Wrong(format!("{error} in {document:?}")))?;
    equal(&report["ok"], &Value::Bool(false))?;
    equal(&report["refused"]["component"], &Value::from(name))?;
    drop(client);
    equal(state_hash(guest)?, before)?;
    Ok(report["refused"]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}

fn object(name: &str) -> Result<Vec<u8>, Failure> {
    let path = format!("build/objects/{name}.o");
    fs::read(&path).map_err(|error| Failure::Wrong(format!("{path}: {error}")))
}

fn list(guest: &mut Guest) -> Verdict {
    let document = connect(guest)?
        .components()
        .map_err(|error| wrong(&error))?;
    contains(&document, r#""name":"klog""#)?;
    contains(&document, r#""name":"hello""#)
}

fn garbage(guest: &mut Guest) -> Verdict {
    let before = state_hash(guest)?;
    let mut state = 3_u32;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(20_000)
    .collect();
    raw(guest, &bytes)?;
    list(guest)?;
    equal(state_hash(guest)?, before)
}

fn cut_frame(guest: &mut Guest) -> Verdict {
    let chunk = frame(&Request::Chunk(&[7; MAX_PAYLOAD]), 1, 0)?;
    for length in [3, 20, 30, 5000] {
        raw(guest, chunk.get(..length).unwrap_or_default())?;
        list(guest)?;
    }
    Ok(())
}

fn no_commit(guest: &mut Guest) -> Verdict {
    let before = state_hash(guest)?;
    let alternate = Object {
        name: "console".into(),
        bytes: object("console=alternate")?,
    };
    let mut client = connect(guest)?;
    client
        .transfer(&[alternate], &[])
        .map_err(|error| wrong(&error))?;
    drop(client);
    list(guest)?;
    equal(state_hash(guest)?, before)
}

fn second_client(guest: &mut Guest) -> Verdict {
    let first = connect(guest)?;
    let second = Client::connect(&guest.second_port());
    ensure(matches!(second, Err(PushError::Busy)), || {
        "it was let in".into()
    })?;
    drop(first);
    list(guest)
}

fn stranger(guest: &mut Guest) -> Verdict {
    let before = state_hash(guest)?;
    let hello = frame(
        &Request::Hello {
            version: push_protocol::VERSION,
        },
        1,
        0,
    )?;
    let begin = frame(
        &Request::Begin {
            bytes: 0,
            objects: 0,
            identities: 0,
        },
        1,
        1,
    )?;
    let commit = frame(&Request::Commit { dry_run: false }, 2, 2)?;
    raw(guest, &[hello, begin, commit].concat())?;
    list(guest)?;
    equal(state_hash(guest)?, before)
}

fn rubbish(guest: &mut Guest) -> Verdict {
    let reason = refused(guest, "klog", b"not an object at all".repeat(50))?;
    ensure(!reason.is_empty(), || "no reason".into())
}

fn truncated(guest: &mut Guest) -> Verdict {
    let whole = object("klog=alternate")?;
    for part in [1, 4, 7] {
        let cut = whole.get(..whole.len() * part / 8).unwrap_or_default();
        let reason = refused(guest, "klog", cut.to_vec())?;
        ensure(!reason.is_empty(), || "no reason".into())?;
    }
    Ok(())
}

fn unknown(guest: &mut Guest) -> Verdict {
    refused(guest, "nowhere", object("klog=alternate")?).map(drop)
}
