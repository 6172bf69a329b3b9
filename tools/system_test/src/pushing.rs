//! Pushes of chosen bytes, past the tool that computes the right swap set.

use crate::{
    failure::{Failure, equal},
    guest::Guest,
    suites::swap::state_hash,
};
use push_protocol::{Identity, Object};
use runner::push::{Client, PushError};
use serde_json::Value;
use std::{
    fs,
    time::{Duration, Instant},
};

/// QEMU notices only by and by that a client has gone.
const HANG_UP: Duration = Duration::from_secs(20);

pub(crate) fn connect(guest: &Guest) -> Result<Client, Failure> {
    let end = Instant::now() + HANG_UP;
    loop {
        match Client::connect(&guest.second_port()) {
            Ok(client) => return Ok(client),
            Err(PushError::Silent { .. } | PushError::Io { .. }) if Instant::now() < end => {}
            Err(error) => return Err(wrong(&error)),
        }
    }
}

pub(crate) fn wrong(error: &PushError) -> Failure {
    Failure::Wrong(error.to_string())
}

/// What a refusal says.
pub(crate) struct Refused {
    pub(crate) component: String,
    pub(crate) reason: String,
}

/// Pushes an object for the component `name`, which is refused by this name; the reason.
pub(crate) fn refused(guest: &mut Guest, name: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    let refused = push_refused(guest, name, bytes, &[])?;
    equal(refused.component.as_str(), name)?;
    Ok(refused.reason)
}

/// Pushes an object of a build that has these `identities`. It is refused, and the system is as it
/// was.
pub(crate) fn push_refused(
    guest: &mut Guest,
    name: &str,
    bytes: Vec<u8>,
    identities: &[Identity],
) -> Result<Refused, Failure> {
    let before = state_hash(guest)?;
    let report = push(guest, name, bytes, identities)?;
    equal(&report["ok"], &Value::Bool(false))?;
    equal(state_hash(guest)?, before)?;
    let text = |field: &str| {
        report["refused"][field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    Ok(Refused {
        component: text("component"),
        reason: text("reason"),
    })
}

/// Pushes an object of a build that has these `identities`; the system's report.
pub(crate) fn push(
    guest: &Guest,
    name: &str,
    bytes: Vec<u8>,
    identities: &[Identity],
) -> Result<Value, Failure> {
    let object = Object {
        name: name.into(),
        bytes,
    };
    let mut client = connect(guest)?;
    client
        .transfer(&[object], identities)
        .map_err(|error| wrong(&error))?;
    let document = client.commit(false).map_err(|error| wrong(&error))?;
    serde_json::from_str(&document)
        .map_err(|error| Failure::Wrong(format!("{error} in {document:?}")))
}

/// The builds that run, as the system lists them.
pub(crate) fn running(guest: &mut Guest) -> Result<Vec<Identity>, Failure> {
    let document = connect(guest)?
        .components()
        .map_err(|error| wrong(&error))?;
    let unreadable = || Failure::Wrong(format!("not a list of builds: {document}"));
    let list: Vec<Value> = serde_json::from_str(&document).map_err(|_| unreadable())?;
    let identity = |entry: &Value| {
        Some(Identity {
            name: entry["name"].as_str()?.to_owned(),
            version: entry["version"].as_str()?.to_owned(),
            content_id: u128::from_str_radix(entry["id"].as_str()?, 16).ok()?,
            exact_id: u128::from_str_radix(entry["exact_id"].as_str()?, 16).ok()?,
        })
    };
    let list: Option<Vec<_>> = list.iter().map(identity).collect();
    list.ok_or_else(unreadable)
}

/// A built object; an alternate's name is `component=alternate`.
pub(crate) fn object(name: &str) -> Result<Vec<u8>, Failure> {
    let path = format!("build/objects/{name}.o");
    fs::read(&path).map_err(|error| Failure::Wrong(format!("{path}: {error}")))
}
