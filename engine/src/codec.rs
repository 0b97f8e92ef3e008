//! Bytes: little-endian fields, checksums that bind identity, keyed hashes of keys. Pure; uses nothing of the engine.
//!
//! Never panics on bytes from a disk: every read says whether it was there.

use core::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// Reads fields from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `count` bytes, or `None` if there are fewer.
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }
}

/// Writes `bytes` over the part of `buf` that begins at `at`; the part must be there.
#[inline]
pub(crate) fn put(buf: &mut [u8], at: usize, bytes: &[u8]) {
    buf[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The first eight bytes as a number that is ordered as they are; a shorter slice as if zeros followed.
#[inline]
pub(crate) fn word(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    bytes.iter().rev().fold(0, |word, byte| word >> 8 | u64::from(*byte) << 56)
}

/// The identity that a checksum binds: which file of which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId(u64);

impl FileId {
    /// Mixes the store's seed and the file's number.
    pub(crate) fn new(seed: u128, number: u64) -> Self {
        let (high, low) = halves(seed);
        Self(mix(mix(low ^ number).wrapping_add(high)))
    }

    /// CRC-32 of `bytes` that stand at `offset` of this file: the same bytes elsewhere have another one.
    #[inline]
    pub(crate) fn crc(self, offset: u64, bytes: &[u8]) -> u32 {
        let place = mix(self.0 ^ offset.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut hasher = crc32fast::Hasher::new_with_initial(fold(place));
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// CRC-32 of bytes that are bound by what stands around them.
#[inline]
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every input bit changes half of the output bits.
#[inline]
const fn mix(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[expect(clippy::cast_possible_truncation, reason = "both halves are folded in")]
#[inline]
const fn fold(x: u64) -> u32 {
    (x ^ (x >> 32)) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "each half has 64 bits")]
const fn halves(x: u128) -> (u64, u64) {
    ((x >> 64) as u64, x as u64)
}

/// The 128-bit hash of a key, keyed by the store's seed (SipHash-1-3): nobody can choose keys that collide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHasher {
    high: u64,
    low: u64,
}

impl KeyHasher {
    pub(crate) fn new(seed: u128) -> Self {
        let (high, low) = halves(seed);
        // Why: the seed stands in every file, the hash key is one step away from it, so that neither is the other.
        Self { high: mix(high ^ 0x6b65_7973), low: mix(low ^ 0x6861_7368) }
    }

    #[inline]
    pub(crate) fn hash(self, key: &[u8]) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.high, self.low);
        hasher.write(key);
        hasher.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_elsewhere_have_another_checksum() {
        let id = FileId::new(7, 1);
        let bytes = b"some bytes";
        for offset in 1..2000 {
            assert_ne!(id.crc(0, bytes), id.crc(offset, bytes), "offset={offset}");
        }
        for number in 2..2000 {
            assert_ne!(id.crc(0, bytes), FileId::new(7, number).crc(0, bytes), "number={number}");
        }
        assert_ne!(id.crc(0, bytes), FileId::new(8, 1).crc(0, bytes));
    }

    #[test]
    fn a_reader_says_when_bytes_are_missing() {
        let mut reader = Reader::new(&[1, 2, 0, 9]);
        assert_eq!((reader.u8(), reader.u16(), reader.u32()), (Some(1), Some(2), None));
        assert_eq!(reader.take(2), None);
        assert_eq!(reader.take(1), Some(&[9][..]));
        assert!(reader.is_empty());
    }

    #[test]
    fn hashes_depend_on_the_seed() {
        assert_ne!(KeyHasher::new(1).hash(b"k"), KeyHasher::new(2).hash(b"k"));
        assert_eq!(KeyHasher::new(1).hash(b"k"), KeyHasher::new(1).hash(b"k"));
    }
}
