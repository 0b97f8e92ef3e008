//! SQLite's crash, after the list of writes in `src/test6.c`.
//!
//! Each write since the last sync of its file is there, or left out, or random bytes stand in its place: three, three
//! and two times in eight. A change of length is there or left out. Later writes are there without earlier ones. Names are
//! created, renamed and removed for good at once.
//!
//! What differs: the original trashes the whole sectors that the write touches, with synced bytes beside it that SQLite
//! saves elsewhere first. That breaks the assumption of "powersafe overwrite", which a log with several records in a
//! sector needs and Keelstone states; so the random bytes keep to the range of the write.

use keelstone::vfs::Image;

use super::{Cache, CachedFile, Change, CrashModel};
use crate::rng::Rng;

/// The model.
#[derive(Debug)]
pub(super) struct Sqlite;

impl CrashModel for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn state(&self, cache: &Cache, rng: &mut Rng) -> Image {
        cache.image(&cache.names, |file| content(file, rng))
    }
}

fn content(file: &CachedFile, rng: &mut Rng) -> Vec<u8> {
    let mut row = file.synced.clone();
    for change in &file.pending {
        match (change, rng.below(8)) {
            (Change::Write(at, bytes), 6 | 7) => {
                super::cache::lay(&mut row, *at, &garbage(bytes.len(), rng));
            }
            (_, dice) if dice % 2 == 0 => change.apply(&mut row),
            _ => {}
        }
    }
    row
}

/// So many random bytes.
pub(super) fn garbage(len: usize, rng: &mut Rng) -> Vec<u8> {
    (0..len).map(|_| rng.bits().to_le_bytes()[0]).collect()
}
