//! Counters of known rate.

use core::fmt;

use x86_64::instructions::port::Port;

/// A counter whose rate is known.
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
/// It has 16 bits.
const PIT_MASK: u32 = 0xFFFF;
const PIT_CHANNEL_0: u16 = 0x40;
const PIT_CHANNEL_2: u16 = 0x42;
const PIT_COMMAND: u16 = 0x43;
/// Channel 2, low byte then high byte, mode 0: counts down from the count and on below 0.
const PIT_COUNT_DOWN: u8 = 0b1011_0000;
/// Channel 0, low byte then high byte, mode 2: an interrupt each time that the count has gone round.
const PIT_RATE: u8 = 0b0011_0100;
/// Channel 2: hold the count for reading.
const PIT_LATCH: u8 = 0b1000_0000;
/// The port with the gate of channel 2.
const PIT_GATE: u16 = 0x61;
const GATE_ON: u8 = 1;
const SPEAKER_ON: u8 = 2;

/// Lets the interval timer interrupt as rarely as it can: every 65,536 counts, 18.2 times a second.
pub(crate) fn start_interval_timer() {
    output(PIT_COMMAND, PIT_RATE);
    output(PIT_CHANNEL_0, 0);
    output(PIT_CHANNEL_0, 0);
}

impl Reference {
    /// Makes the counter count.
    pub(crate) fn start(self) {
        if self == Self::IntervalTimer {
            let gate = input(PIT_GATE) & !SPEAKER_ON;
            output(PIT_GATE, gate | GATE_ON);
            output(PIT_COMMAND, PIT_COUNT_DOWN);
            output(PIT_CHANNEL_2, 0xFF);
            output(PIT_CHANNEL_2, 0xFF);
        }
    }

    /// The count now; it only has meaning for [`Reference::elapsed`].
    pub(crate) fn read(self) -> u32 {
        match self {
            Self::PowerManagement(port) => read_pm(port) & PM_MASK,
            Self::IntervalTimer => {
                output(PIT_COMMAND, PIT_LATCH);
                let low = input(PIT_CHANNEL_2);
                let high = input(PIT_CHANNEL_2);
                u32::from(u16::from_le_bytes([low, high]))
            }
        }
    }

    /// Ticks from one count to a later one, if the counter did not go all the way round.
    pub(crate) fn elapsed(self, first: u32, last: u32) -> u64 {
        u64::from(match self {
            Self::PowerManagement(_) => last.wrapping_sub(first) & PM_MASK,
            Self::IntervalTimer => first.wrapping_sub(last) & PIT_MASK,
        })
    }

    /// Ticks a second.
    pub(crate) fn hz(self) -> u64 {
        match self {
            Self::PowerManagement(_) => PM_HZ,
            Self::IntervalTimer => PIT_HZ,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_goes_on_past_the_end() {
        assert_eq!(Reference::PowerManagement(0).elapsed(0x00FF_FFFE, 3), 5);
        assert_eq!(Reference::IntervalTimer.elapsed(3, 0xFFFE), 5);
    }
}
