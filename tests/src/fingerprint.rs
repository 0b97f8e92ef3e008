//! A number for an image, so that a state that was judged is known again.
//!
//! Promise: 128 bits over every name and byte. Two different images with one number would hide one of a run's states;
//! among a million that is as likely as nothing.

use keelstone::vfs::Image;

/// A number that stands for the bytes of an image.
#[must_use]
pub fn fingerprint(image: &Image) -> u128 {
    let mut hash = Fingerprint(0x6c62_272e_07bb_0142, 0x62b8_2175_6295_c58d);
    for (name, bytes) in image {
        hash.add(name.as_bytes());
        hash.add(bytes);
    }
    u128::from(hash.0) << 64 | u128::from(hash.1)
}

/// Two multiplicative hashes, eight bytes at a time.
struct Fingerprint(u64, u64);

impl Fingerprint {
    fn add(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
    }

    const fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        self.1 = (self.1.rotate_left(31) ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
    }
}
