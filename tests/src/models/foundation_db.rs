//! FoundationDB's crash, after `AsyncFileNonDurable` of `fdbrpc`.
//!
//! One file in ten keeps everything. The others drop, or drop and corrupt: of each write each page of 4096 bytes is whole,
//! dropped, or corrupted; in a corrupted page each sector of 512 bytes is whole (1 in 4), dropped, or has a bad part: its end,
//! its beginning, or all of it, where nothing was written or random bytes were. A change of length happens or does not.
//! A file that was never synced does not exist; renames and removals last at once.
//!
//! What differs: a name lasts once the directory was synced too. The original has one call for both, and counts on no
//! empty file.

use keelstone::vfs::Image;

use super::cache::lay;
use super::sqlite::garbage;
use super::{Cache, CachedFile, Change, CrashModel};
use crate::rng::Rng;

/// What is whole, dropped or corrupted.
const PAGE_BYTES: usize = 4096;
/// What is whole, dropped or bad in part in a corrupted page.
const SECTOR_BYTES: usize = 512;

/// The model.
#[derive(Debug)]
pub(super) struct FoundationDb;

impl CrashModel for FoundationDb {
    fn name(&self) -> &'static str {
        "FoundationDB"
    }

    fn state(&self, cache: &Cache, rng: &mut Rng) -> Image {
        let mut names = cache.names.clone();
        names.retain(|name, file| {
            cache.file(*file).was_synced || cache.synced_names.get(name) == Some(file)
        });
        cache.image(&names, |file| content(file, rng))
    }
}

fn content(file: &CachedFile, rng: &mut Rng) -> Vec<u8> {
    if rng.percent(10) {
        return file.current.clone();
    }
    let corrupts = rng.percent(50);
    let mut row = file.synced.clone();
    for change in &file.pending {
        match change {
            Change::Length(_) if rng.percent(50) => change.apply(&mut row),
            Change::Length(_) => {}
            Change::Write(at, bytes) => {
                for (at, page) in pieces(*at, bytes, PAGE_BYTES) {
                    lay_page(&mut row, at, page, corrupts, rng);
                }
            }
        }
    }
    row
}

fn lay_page(row: &mut Vec<u8>, at: usize, page: &[u8], corrupts: bool, rng: &mut Rng) {
    match rng.below(2 + u64::from(corrupts)) {
        0 => lay(row, at, page),
        1 => {}
        _ => {
            pieces(at, page, SECTOR_BYTES).for_each(|(at, sector)| lay_sector(row, at, sector, rng))
        }
    }
}

fn lay_sector(row: &mut Vec<u8>, at: usize, sector: &[u8], rng: &mut Rng) {
    if rng.percent(25) {
        return lay(row, at, sector);
    }
    if rng.percent(33) {
        return;
    }
    let cut = rng.index(sector.len());
    let (bad, is_garbage) = match rng.below(3) {
        0 => (cut..sector.len(), rng.percent(50)),
        1 => (0..cut, rng.percent(50)),
        _ => (0..sector.len(), true),
    };
    lay(row, at, &sector[..bad.start]);
    if is_garbage {
        lay(row, at + bad.start, &garbage(bad.len(), rng));
    }
    lay(row, at + bad.end, &sector[bad.end..]);
}

/// A write cut where a multiple of `size` lies in the file, each piece with its place.
fn pieces(at: usize, bytes: &[u8], size: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let first = bytes.len().min(size - at % size);
    let (head, tail) = bytes.split_at(first);
    let tail = tail.chunks(size).enumerate().map(move |(n, piece)| (at + first + n * size, piece));
    std::iter::once((at, head)).chain(tail)
}
