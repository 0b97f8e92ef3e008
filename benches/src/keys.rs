//! Keys, values and orders, the same in every run. Pure.

/// Bytes of a key in most benchmarks.
pub const KEY_BYTES: usize = 16;
/// Bytes of a value in most benchmarks.
pub const VALUE_BYTES: usize = 100;
/// Numbers from here on are those of keys that no store holds.
pub const ABSENT: u64 = 1 << 40;

/// A key.
pub type Key = [u8; KEY_BYTES];

/// Key number `number`: keys of different numbers differ and look random.
#[must_use]
pub fn key(number: u64) -> Key {
    let mut key = [0; KEY_BYTES];
    key[..8].copy_from_slice(&mix(number).to_le_bytes());
    key[8..].copy_from_slice(&mix(!number).to_le_bytes());
    key
}

/// The value of key `number`: its number, then bytes that are always the same.
#[must_use]
pub fn value(number: u64) -> [u8; VALUE_BYTES] {
    let mut value = [0x5a; VALUE_BYTES];
    value[..8].copy_from_slice(&number.to_le_bytes());
    value
}

/// The number that a value begins with.
///
/// # Panics
/// If it is shorter than a number: then it is not one of ours.
#[must_use]
pub fn number_in(value: &[u8]) -> u64 {
    u64::from_le_bytes(*value.first_chunk().expect("a value begins with its number"))
}

/// The numbers below `count` in a random order, the same every time.
#[must_use]
pub fn shuffled(count: u64) -> Vec<u64> {
    let mut order: Vec<u64> = (0..count).collect();
    order.sort_unstable_by_key(|number| mix(number ^ 0x6f72_6465_7200));
    order
}

/// The finalizer of SplitMix64: a bijection that changes half of the output bits with every input
/// bit.
const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
