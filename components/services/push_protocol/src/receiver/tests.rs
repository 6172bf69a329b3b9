use super::*;
use alloc::{format, vec};

/// A system that records what it is asked to swap.
#[derive(Default)]
struct Recorder {
    swaps: Vec<Transfer>,
}

impl System for Recorder {
    type Buffer = Vec<u8>;

    fn buffer(&mut self, length: usize) -> Option<Vec<u8>> {
        Some(vec![0; length])
    }

    fn components(&mut self) -> String {
        "[]".into()
    }

    fn swap(&mut self, transfer: Transfer) -> String {
        self.swaps.push(transfer);
        // Longer than a frame, so that it comes in pieces.
        "x".repeat(MAX_PAYLOAD * 2)
    }
}

const SESSION: SessionId = SessionId(77);

fn receiver() -> Receiver<Recorder> {
    Receiver::new(Recorder::default())
}

fn bytes_of(request: &Request<'_>, session: SessionId, sequence: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert_eq!(
        request.to_frame(session, sequence).encode(&mut bytes),
        Ok(())
    );
    bytes
}

fn answers(bytes: &[u8]) -> Vec<Frame> {
    let (mut decoder, mut input, mut frames) = (Decoder::new(), bytes, Vec::new());
    while let Some(result) = decoder.next(&mut input) {
        match result {
            Ok(frame) => frames.push(frame),
            Err(error) => panic!("the system sent {error}"),
        }
    }
    frames
}

fn reason(frames: &[Frame]) -> String {
    match frames.last().map(Answer::parse) {
        Some(Ok(Answer::Failed { reason })) => reason.into(),
        other => panic!("no failure but {other:?}"),
    }
}

fn transfer() -> Transfer {
    Transfer {
        objects: vec![
            Object {
                name: "klog".into(),
                bytes: vec![1; 20_000],
            },
            Object {
                name: "hello".into(),
                bytes: vec![2; 3],
            },
        ],
        identities: vec![Identity {
            name: "log".into(),
            version: "0.4.1".into(),
            content_id: 5,
            exact_id: 6,
        }],
        dry_run: false,
    }
}

/// The conversation that transfers `transfer`.
fn conversation(transfer: &Transfer) -> Vec<Request<'_>> {
    let bytes = transfer
        .objects
        .iter()
        .map(|object| object.bytes.len() as u64)
        .sum();
    let objects = u32::try_from(transfer.objects.len()).unwrap_or(0);
    let identities = u32::try_from(transfer.identities.len()).unwrap_or(0);
    let mut requests = vec![
        Request::Hello { version: VERSION },
        Request::Begin {
            bytes,
            objects,
            identities,
        },
    ];
    for object in &transfer.objects {
        let length = object.bytes.len() as u64;
        requests.push(Request::Object {
            name: &object.name,
            length,
        });
        requests.extend(object.bytes.chunks(MAX_PAYLOAD).map(Request::Chunk));
    }
    requests.push(Request::Identities(transfer.identities.clone()));
    requests.push(Request::Commit {
        dry_run: transfer.dry_run,
    });
    requests
}

fn conversation_bytes(transfer: &Transfer) -> Vec<u8> {
    let numbered = conversation(transfer).into_iter().zip(0..);
    numbered
        .flat_map(|(request, sequence)| bytes_of(&request, SESSION, sequence))
        .collect()
}

#[test]
fn a_whole_transfer_is_swapped_once() {
    let mut receiver = receiver();
    let mut output = Vec::new();
    receiver.receive(&conversation_bytes(&transfer()), &mut output);
    assert_eq!(receiver.system.swaps, [transfer()]);
    let frames = answers(&output);
    let pieces = frames
        .iter()
        .filter_map(|frame| match Answer::parse(frame) {
            Ok(Answer::Document { text, .. }) => Some(text.len()),
            _ => None,
        });
    assert_eq!(pieces.sum::<usize>(), MAX_PAYLOAD * 2);
    assert!(
        frames
            .iter()
            .zip(0..)
            .all(|(frame, number)| frame.sequence == number)
    );
}

#[test]
fn a_transfer_cut_anywhere_changes_nothing_and_the_next_works() {
    let whole = conversation_bytes(&transfer());
    for length in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let mut receiver = receiver();
        receiver.receive(&whole[..length], &mut Vec::new());
        assert_eq!(receiver.system.swaps, [], "cut after {length}");
        receiver.receive(&[0; crate::frame::MAX_FRAME], &mut Vec::new());
        receiver.receive(&whole, &mut Vec::new());
        assert_eq!(receiver.system.swaps, [transfer()], "cut after {length}");
    }
}

#[test]
fn any_damaged_byte_changes_nothing() {
    let whole = conversation_bytes(&transfer());
    for position in (0..whole.len()).step_by(53) {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x10;
        let mut receiver = receiver();
        receiver.receive(&damaged, &mut Vec::new());
        assert_eq!(receiver.system.swaps, [], "byte {position}");
    }
}

#[test]
fn a_lost_or_doubled_frame_ends_the_transfer() {
    let transfer = transfer();
    let frames: Vec<Vec<u8>> = conversation(&transfer)
        .iter()
        .zip(0..)
        .map(|(request, sequence)| bytes_of(request, SESSION, sequence))
        .collect();
    for victim in 1..frames.len() - 1 {
        let mut lost = frames.clone();
        lost.remove(victim);
        let mut doubled = frames.clone();
        doubled.insert(victim, frames[victim].clone());
        for stream in [lost, doubled] {
            let mut receiver = receiver();
            receiver.receive(&stream.concat(), &mut Vec::new());
            assert_eq!(receiver.system.swaps, [], "frame {victim}");
            assert!(!receiver.is_open());
        }
    }
}

#[test]
fn a_stranger_is_told_and_disturbs_nobody() {
    let transfer = transfer();
    let frames = conversation(&transfer);
    let mut receiver = receiver();
    let mut output = Vec::new();
    for (request, sequence) in frames.iter().zip(0..) {
        receiver.receive(&bytes_of(request, SESSION, sequence), &mut Vec::new());
        if sequence == 3 {
            let commit = Request::Commit { dry_run: false };
            receiver.receive(&bytes_of(&commit, SessionId(78), 9), &mut output);
        }
    }
    assert_eq!(
        reason(&answers(&output)),
        "session 000000000000004e is not open"
    );
    assert_eq!(receiver.system.swaps, core::slice::from_ref(&transfer));
}

#[test]
fn a_new_hello_forgets_an_open_transfer() {
    let mut receiver = receiver();
    let whole = conversation_bytes(&transfer());
    receiver.receive(&whole[..10_000], &mut Vec::new());
    receiver.receive(&[0; crate::frame::MAX_FRAME], &mut Vec::new());
    receiver.receive(
        &bytes_of(&Request::Hello { version: VERSION }, SessionId(5), 0),
        &mut Vec::new(),
    );
    let mut output = Vec::new();
    receiver.receive(
        &bytes_of(&Request::Commit { dry_run: false }, SessionId(5), 1),
        &mut output,
    );
    assert_eq!(
        reason(&answers(&output)),
        "message of kind 7 is out of order"
    );
    assert_eq!(receiver.system.swaps, []);
}

#[test]
fn another_version_is_refused() {
    let mut output = Vec::new();
    receiver().receive(
        &bytes_of(&Request::Hello { version: 9 }, SESSION, 0),
        &mut output,
    );
    assert_eq!(
        reason(&answers(&output)),
        format!("the client speaks version 9, the system {VERSION}")
    );
}

#[test]
fn more_or_less_than_announced_is_refused() {
    for (change, expected) in [
        (
            Request::Begin {
                bytes: 1,
                objects: 2,
                identities: 1,
            },
            "more than the 1 announced",
        ),
        (
            Request::Begin {
                bytes: 20_003,
                objects: 3,
                identities: 1,
            },
            "only 2 of 3 announced have arrived",
        ),
        (
            Request::Begin {
                bytes: 20_003,
                objects: 2,
                identities: 0,
            },
            "more than the 0 announced",
        ),
        (
            Request::Begin {
                bytes: 1 << 40,
                objects: 2,
                identities: 1,
            },
            "transfer of 1099511627776 bytes; most is 33554432",
        ),
    ] {
        let transfer = transfer();
        let mut requests = conversation(&transfer);
        requests[1] = change;
        let mut receiver = receiver();
        let mut reasons = Vec::new();
        for (request, sequence) in requests.iter().zip(0..) {
            let mut output = Vec::new();
            receiver.receive(&bytes_of(request, SESSION, sequence), &mut output);
            reasons.extend(answers(&output).iter().filter_map(|frame| {
                match Answer::parse(frame) {
                    Ok(Answer::Failed { reason }) => Some(String::from(reason)),
                    _ => None,
                }
            }));
        }
        assert_eq!(reasons.first().map(String::as_str), Some(expected));
        assert_eq!(receiver.system.swaps, []);
    }
}

#[test]
fn noise_outside_a_session_gets_no_answer() {
    let mut receiver = receiver();
    let mut output = Vec::new();
    let mut state = 1_u32;
    for _ in 0..100_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        receiver.receive(&[(state >> 24) as u8], &mut output);
    }
    assert_eq!(output, []);
    receiver.receive(&[0; crate::frame::MAX_FRAME], &mut output);
    receiver.receive(&conversation_bytes(&transfer()), &mut output);
    assert_eq!(receiver.system.swaps.len(), 1);
}
