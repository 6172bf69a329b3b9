//! What the receiver asks of the system: which components there are, and a swap.

use alloc::string::String;
use core::fmt::Write;
use loader::ReceivedObject;
use push_protocol::{System, Transfer};
use swap::{Identity, Item, Request, Source};

/// The system that runs.
pub(crate) struct Running;

impl System for Running {
    type Buffer = ReceivedObject;

    fn buffer(&mut self, length: usize) -> Option<ReceivedObject> {
        ReceivedObject::with_length(length).ok()
    }

    fn components(&mut self) -> String {
        match swap::identities() {
            Ok(builds) => list(&builds),
            Err(error) => {
                log::error!("{error}");
                "[]".into()
            }
        }
    }

    fn swap(&mut self, transfer: Transfer<ReceivedObject>) -> String {
        let items = transfer.objects.into_iter().map(|object| Item {
            component: object.name,
            source: Source::Received(object.bytes.seal()),
        });
        let build = transfer.identities.into_iter().map(|identity| Identity {
            name: identity.name,
            version: identity.version,
            content_id: identity.content_id,
            exact_id: identity.exact_id,
        });
        let request = Request {
            anew: false,
            items: items.collect(),
            build: build.collect(),
            dry_run: transfer.dry_run,
            instances: true,
        };
        swap::swap(&request).to_json()
    }
}

fn list(builds: &[Identity]) -> String {
    let mut json = String::from("[");
    for Identity {
        name,
        version,
        content_id,
        exact_id,
    } in builds
    {
        if json.len() > 1 {
            json.push(',');
        }
        // Names are identifiers and versions have no quotes; writing to a string cannot fail.
        let _ = write!(
            json,
            r#"{{"name":"{name}","version":"{version}","id":"{content_id:032x}","exact_id":"{exact_id:032x}"}}"#
        );
    }
    json + "]"
}
