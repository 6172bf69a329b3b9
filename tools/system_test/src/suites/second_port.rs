//! The second serial port: noise, cut transfers and second clients change nothing.

use crate::{
    failure::{Failure, Verdict, contains, ensure, equal},
    guest::Guest,
    plan::{Suite, Tests},
    pushing::{connect, object, wrong},
    suites::swap::state_hash,
};
use push_protocol::{MAX_PAYLOAD, Object, Request, SessionId};
use runner::{
    Boot, Machine,
    push::{Client, PushError},
};
use std::{io::Write, os::unix::net::UnixStream};

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
        ],
    ),
};

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
