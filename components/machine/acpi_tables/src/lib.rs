//! What the firmware's ACPI tables say.
#![no_std]
