//! What the CPU must have. Long mode was checked before Rust could run; SSE2 comes with it.

use core::{
    arch::{asm, x86_64::__cpuid},
    fmt,
};

/// A CPU feature that the system needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Pages that cannot be executed.
    NoExecute,
    /// A local interrupt controller.
    Apic,
    /// A time-stamp counter.
    TimestampCounter,
    /// The instructions that save SSE state.
    FxSave,
    /// Page attributes, for uncached device memory.
    PageAttributes,
}

/// (feature, CPUID leaf, bit of EDX): AMD manual, volume 3, appendix E.
const NEEDED: [(Feature, u32, u32); 5] = [
    (Feature::TimestampCounter, 1, 4),
    (Feature::Apic, 1, 9),
    (Feature::PageAttributes, 1, 16),
    (Feature::FxSave, 1, 24),
    (Feature::NoExecute, 0x8000_0001, 20),
];

/// Extended feature enable register.
const EFER: u32 = 0xC000_0080;
/// EFER: no-execute enable.
const NO_EXECUTE_ENABLE: u32 = 1 << 11;
/// CR0: write protect, which makes read-only pages read-only for the kernel, too.
const WRITE_PROTECT: u64 = 1 << 16;

/// Checks that everything needed is there.
///
/// # Errors
///
/// Names the first feature that is missing.
pub(crate) fn check() -> Result<(), Feature> {
    for (feature, leaf, bit) in NEEDED {
        if __cpuid(leaf).edx & (1 << bit) == 0 {
            return Err(feature);
        }
    }
    Ok(())
}

/// Switches on what W^X rests on: no-execute pages, and write protection in ring 0. Only after
/// [`check`].
pub(crate) fn enable_protection() {
    // SAFETY: the bit exists, as was checked; no page table in use has a no-execute bit yet.
    unsafe {
        asm!(
            "rdmsr",
            "or eax, {bit}",
            "wrmsr",
            bit = const NO_EXECUTE_ENABLE,
            in("ecx") EFER,
            out("eax") _,
            out("edx") _,
            options(nostack),
        );
    };
    // SAFETY: every page mapped so far is writable.
    unsafe {
        asm!(
            "mov {value}, cr0",
            "or {value}, {bit}",
            "mov cr0, {value}",
            value = out(reg) _,
            bit = const WRITE_PROTECT,
            options(nostack),
        );
    };
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoExecute => "no-execute pages (NX)",
            Self::Apic => "a local interrupt controller (APIC)",
            Self::TimestampCounter => "a time-stamp counter (TSC)",
            Self::FxSave => "FXSAVE",
            Self::PageAttributes => "page attributes (PAT)",
        })
    }
}

impl core::error::Error for Feature {}
