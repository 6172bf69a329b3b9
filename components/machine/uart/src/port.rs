//! A port.

use core::{fmt, hint};

use apic::{ApicError, Route};
use cpu::IrqMutex;
use interrupts::{Registration, TrapFrame, TrapHandler, VectorError};
use uart_16550::{
    BaudRate, Config, InitError, Uart16550,
    backend::PioBackend,
    spec::registers::{FifoTriggerLevel, IER},
};

use crate::early::Early;

/// How often a sender that has interrupts off looks for room before it gives up: the other side
/// does not read, and the CPU must not hang for it.
const PATIENCE: u32 = 1_000_000;
/// Bytes taken from the port before they are handed on.
const PIECE: usize = 64;
/// Bytes that the port buffers for sending.
const BUFFER: usize = 16;

/// What gets the bytes that a port receives.
pub type Receiver = fn(&[u8]);

/// A serial port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// The console.
    Com1,
    /// The push channel.
    Com2,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Com1 => "COM1",
            Self::Com2 => "COM2",
        })
    }
}

/// What a port has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortStatistics {
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes that nobody received, or that the other side did not take.
    pub lost: u64,
}

struct State {
    /// None when the port is not there.
    device: Option<Uart16550<PioBackend>>,
    /// What makes interrupts arrive.
    line: Option<(Registration, Route)>,
    receiver: Option<Receiver>,
    early: Early,
    statistics: PortStatistics,
}

impl State {
    const fn new() -> Self {
        Self {
            device: None,
            line: None,
            receiver: None,
            early: Early::new(),
            statistics: PortStatistics {
                received: 0,
                sent: 0,
                lost: 0,
            },
        }
    }
}

#[used]
static COM1: IrqMutex<State> = IrqMutex::new(State::new());
#[used]
static COM2: IrqMutex<State> = IrqMutex::new(State::new());

impl Port {
    const fn state(self) -> &'static IrqMutex<State> {
        match self {
            Self::Com1 => &COM1,
            Self::Com2 => &COM2,
        }
    }

    /// I/O base and legacy interrupt, as they have been on every PC.
    const fn resources(self) -> (u16, u8) {
        match self {
            Self::Com1 => (0x3F8, 4),
            Self::Com2 => (0x2F8, 3),
        }
    }

    const fn handler(self) -> TrapHandler {
        match self {
            Self::Com1 => com1_interrupt,
            Self::Com2 => com2_interrupt,
        }
    }
}

/// Why a port does not work.
#[derive(Debug)]
pub(crate) enum PortError {
    /// There is no port at its address, or it cannot be set up.
    Device(InitError),
    /// Its address is no place for a port.
    Address,
    /// There is no vector for it.
    Vector(VectorError),
    /// Its interrupt does not arrive.
    Line(ApicError),
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(InitError::DeviceNotPresent) => f.write_str("not there"),
            Self::Device(error) => write!(f, "cannot be set up: {error:?}"),
            Self::Address => f.write_str("bad address"),
            Self::Vector(error) => error.fmt(f),
            Self::Line(error) => error.fmt(f),
        }
    }
}

/// Sets the port up and lets its interrupts arrive.
pub(crate) fn start(port: Port) -> Result<(), PortError> {
    let (base, irq) = port.resources();
    // SAFETY: the eight ports from the base on are the serial port's, or nobody's; this component
    // alone uses them from here on.
    let device = unsafe { Uart16550::new_port(base) };
    let mut device = device.map_err(|_| PortError::Address)?;
    let config = Config {
        baud_rate: BaudRate::Baud115200,
        fifo_trigger_level: Some(FifoTriggerLevel::Fourteen),
        ..Config::DEFAULT
    };
    device.init(config).map_err(PortError::Device)?;
    let registration = interrupts::allocate(port.handler()).map_err(PortError::Vector)?;
    let route = apic::route(irq, registration.vector()).map_err(PortError::Line)?;
    device.enable_interrupts(IER::DATA_READY);
    let mut state = port.state().lock();
    state.device = Some(device);
    state.line = Some((registration, route));
    Ok(())
}

/// Whether the port is there.
#[must_use]
pub fn is_present(port: Port) -> bool {
    port.state().lock().device.is_some()
}

/// What the port has done.
#[must_use]
pub fn statistics(port: Port) -> PortStatistics {
    port.state().lock().statistics
}

/// Writes all of `bytes`, waiting for the port. May be called from an interrupt handler; then, or
/// with interrupts off, it gives up when the other side does not read.
pub fn write(port: Port, bytes: &[u8]) {
    for piece in bytes.chunks(BUFFER) {
        write_piece(port, piece);
    }
}

fn write_piece(port: Port, mut piece: &[u8]) {
    let mut looks = 0;
    while !piece.is_empty() {
        let mut state = port.state().lock();
        let Some(device) = &mut state.device else {
            return;
        };
        let sent = device.send_bytes(piece);
        state.statistics.sent += sent as u64;
        piece = piece.get(sent..).unwrap_or(&[]);
        if sent > 0 {
            continue;
        }
        looks += 1;
        if looks > PATIENCE && !can_wait() {
            state.statistics.lost += piece.len() as u64;
            return;
        }
        drop(state);
        hint::spin_loop();
    }
}

/// Whether others can run while the caller waits.
fn can_wait() -> bool {
    cpu::preemption_enabled() && cpu::interrupts_enabled()
}

/// Names what gets the bytes that a port receives, in the interrupt handler, one by one or several
/// at once. What has arrived before is handed over at once.
pub fn register_receiver(port: Port, receive: Receiver) {
    // With interrupts off, so that nothing overtakes what was kept.
    let _in_order = cpu::InterruptsOff::new();
    let kept = {
        let mut state = port.state().lock();
        state.receiver = Some(receive);
        state.early.take()
    };
    if !kept.as_slice().is_empty() {
        receive(kept.as_slice());
    }
}

fn com1_interrupt(_: &mut TrapFrame) {
    receive(Port::Com1);
}

fn com2_interrupt(_: &mut TrapFrame) {
    receive(Port::Com2);
}

/// Empties the port's buffer: its interrupt is an edge, and rises again only then.
fn receive(port: Port) {
    loop {
        let mut bytes = [0; PIECE];
        let (received, receiver) = take(port, &mut bytes);
        if received.is_empty() {
            return;
        }
        if let Some(receiver) = receiver {
            receiver(received);
        }
    }
}

/// Takes what the port has received, and keeps it if there is no receiver.
fn take(port: Port, bytes: &mut [u8; PIECE]) -> (&[u8], Option<Receiver>) {
    let mut state = port.state().lock();
    let Some(device) = &mut state.device else {
        return (&[], None);
    };
    let count = device.receive_bytes(bytes);
    let received = bytes.get(..count).unwrap_or(&[]);
    state.statistics.received += count as u64;
    let receiver = state.receiver;
    if receiver.is_none() {
        let lost = state.early.keep(received);
        state.statistics.lost += lost as u64;
    }
    (received, receiver)
}
