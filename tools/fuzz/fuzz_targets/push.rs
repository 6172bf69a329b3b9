//! The system's side of a push: nothing that is not a whole, right transfer may reach a swap.
#![no_main]

use libfuzzer_sys::fuzz_target;
use push_protocol::{Receiver, System, Transfer};

struct Nobody;

impl System for Nobody {
    type Buffer = Vec<u8>;

    fn buffer(&mut self, length: usize) -> Option<Vec<u8>> {
        Some(vec![0; length])
    }

    fn components(&mut self) -> String {
        "[]".into()
    }

    fn swap(&mut self, transfer: Transfer) -> String {
        format!("{}", transfer.objects.len())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut receiver = Receiver::new(Nobody);
    let mut answers = Vec::new();
    // In pieces, as a serial port gives them.
    for piece in bytes.chunks(14) {
        receiver.receive(piece, &mut answers);
    }
});
