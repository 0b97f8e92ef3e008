//! The limits that the format and the interface share. Used by every room; uses nothing.

/// The longest key, in bytes; the shortest has one byte.
pub const KEY_BYTES_MAX: usize = 65_535;
/// The longest value that any store can be configured to take, in bytes.
pub const VALUE_BYTES_LIMIT: usize = 1 << 30;
/// The longest value that a store takes unless it is configured otherwise, in bytes.
pub const VALUE_BYTES_DEFAULT: usize = 64 << 20;
/// The most bytes that one frame, and so one batch, may have.
pub const FRAME_BYTES_MAX: usize = 0x7fff_ffff;
/// The most bytes a file may have: offsets in the index have 32 bits.
pub const FILE_BYTES_MAX: u64 = u32::MAX as u64;
/// No store counts that far, neither files nor writes: what is computed from numbers up to it does not overflow.
pub(crate) const NUMBER_MAX: u64 = 1 << 62;
/// The most bytes that one step of background work reads or writes, unless a single entry is longer.
pub const STEP_BYTES: usize = 1 << 20;
