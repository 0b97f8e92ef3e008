//! Pebble's crash, after `CrashClone` of the strict `MemFS` in `vfs/mem_fs.go`.
//!
//! A file has its bytes of the last sync, and each block of 4096 bytes of the current ones with a chance of `percent`. A
//! directory has its names of the last sync, and each current one with the same chance; a removal before its sync is
//! therefore always undone. At 0 % everything that was not synced is gone: what its randomised tests of the whole store use.

use keelstone::vfs::Image;

use super::{Cache, CachedFile, CrashModel};
use crate::rng::Rng;

/// What survives as a whole.
const BLOCK_BYTES: usize = 4096;

/// The model.
#[derive(Debug)]
pub(super) struct Pebble {
    /// The chance of each block and name that was not synced.
    pub(super) percent: u64,
}

impl CrashModel for Pebble {
    fn name(&self) -> &'static str {
        if self.percent == 0 { "Pebble, 0 %" } else { "Pebble, 50 %" }
    }

    fn state(&self, cache: &Cache, rng: &mut Rng) -> Image {
        let mut names = cache.synced_names.clone();
        for (name, file) in &cache.names {
            if rng.percent(self.percent) {
                names.insert(name.clone(), *file);
            }
        }
        cache.image(&names, |file| self.content(file, rng))
    }
}

impl Pebble {
    fn content(&self, file: &CachedFile, rng: &mut Rng) -> Vec<u8> {
        let mut row = file.synced.clone();
        for (n, block) in file.current.chunks(BLOCK_BYTES).enumerate() {
            if rng.percent(self.percent) {
                super::cache::lay(&mut row, n * BLOCK_BYTES, block);
            }
        }
        row
    }
}
