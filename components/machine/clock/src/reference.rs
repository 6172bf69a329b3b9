//! Clocks of known rate.

use core::fmt;

use x86_64::instructions::port::Port;

/// Counts of a reference after which it is taken to stand still.
const PATIENCE: u32 = 1_000_000;

/// A clock whose rate is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// The ACPI power management timer at an I/O port.
    PowerManagement(u16),
    /// Channel 2 of the legacy interval timer.
    IntervalTimer,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PowerManagement(_) => "ACPI timer",
            Self::IntervalTimer => "PIT",
        })
    }
}

/// Rate of the power management timer (ACPI 6.5, section 4.8.3.3).
const PM_HZ: u64 = 3_579_545;
/// It has at least 24 bits.
const PM_MASK: u32 = 0x00FF_FFFF;

/// Rate of the interval timer (Intel 8254 in a PC).
const PIT_HZ: u64 = 1_193_182;
const PIT_CHANNEL_2: u16 = 0x42;
const PIT_COMMAND: u16 = 0x43;
/// Channel 2, low byte then high byte, mode 0: the output rises when the count has run down.
const PIT_ONE_SHOT: u8 = 0b1011_0000;
/// The port with the gate and the output of channel 2.
const PIT_GATE: u16 = 0x61;
const GATE_ON: u8 = 1;
const SPEAKER_ON: u8 = 2;
const OUTPUT: u8 = 1 << 5;

impl Reference {
    /// Waits for about `ns`; answers with how long it really was, or none if the clock stands.
    /// `begin` is called when the time begins.
    pub(crate) fn wait(self, ns: u64, begin: impl FnOnce()) -> Option<u64> {
        match self {
            Self::PowerManagement(port) => wait_pm(port, ns, begin),
            Self::IntervalTimer => wait_pit(ns, begin),
        }
    }
}

fn wait_pm(port: u16, ns: u64, begin: impl FnOnce()) -> Option<u64> {
    let wanted = ns * PM_HZ / 1_000_000_000;
    // Begin at an edge, so that the error is one tick at the end only.
    let edge = read_pm(port);
    let first = (0..PATIENCE)
        .map(|_| read_pm(port))
        .find(|now| *now != edge)?;
    begin();
    let elapsed = |now: u32| u64::from(now.wrapping_sub(first) & PM_MASK);
    let ticks = (0..PATIENCE)
        .map(|_| elapsed(read_pm(port)))
        .find(|ticks| *ticks >= wanted)?;
    Some(ticks * 1_000_000_000 / PM_HZ)
}

fn wait_pit(ns: u64, begin: impl FnOnce()) -> Option<u64> {
    let count = u16::try_from(ns * PIT_HZ / 1_000_000_000).unwrap_or(u16::MAX);
    let gate = input(PIT_GATE) & !SPEAKER_ON;
    output(PIT_GATE, gate & !GATE_ON);
    output(PIT_COMMAND, PIT_ONE_SHOT);
    let [low, high] = count.to_le_bytes();
    output(PIT_CHANNEL_2, low);
    output(PIT_CHANNEL_2, high);
    output(PIT_GATE, gate | GATE_ON);
    begin();
    (0..PATIENCE).find(|_| input(PIT_GATE) & OUTPUT != 0)?;
    Some(u64::from(count) * 1_000_000_000 / PIT_HZ)
}

fn read_pm(port: u16) -> u32 {
    // SAFETY: the ACPI tables name the port as that of a counter, which reading does not change.
    unsafe { Port::<u32>::new(port).read() }
}

fn input(port: u16) -> u8 {
    // SAFETY: the ports used here belong to the interval timer, which nothing else uses.
    unsafe { Port::new(port).read() }
}

fn output(port: u16, value: u8) {
    // SAFETY: as above; channel 2 is connected to nothing but the speaker, which stays off.
    unsafe { Port::new(port).write(value) };
}
