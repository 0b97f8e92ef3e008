//! Blocks and tables of the ordered layout, of bytes from anywhere.
//!
//! The first byte says whether checksums are made right, as for the other files; then what stands
//! behind them is read.

use keelstone::probe;
use keelstone::vfs::MemoryDisk;

/// The name of the table that the doors read.
const NAME: &str = "000001.table";
/// Text that is asked for at once: so that a dump has many pages.
const PAGE_BYTES: usize = 300;

/// One block: its payload, or with its trailer.
pub fn block(data: &[u8]) {
    let Some((mode, bytes)) = data.split_first() else { return };
    let _whatever_it_counts = probe::block(bytes, mode & 1 == 1);
}

/// A whole table, read in every way and shown as text.
///
/// # Panics
/// If a table that is said to be sound is not, or its text depends on the pages.
pub fn table(data: &[u8]) {
    let Some((mode, bytes)) = data.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if mode & 1 == 1 {
        probe::seal_table(&mut bytes);
    }
    let _whatever_it_counts = probe::table(&bytes);
    dump(&bytes);
}

/// Shows the table page by page, but no more than so many pages: keys that share their beginnings
/// make long texts of short files.
fn dump(bytes: &[u8]) {
    let disk = MemoryDisk::from_image(&[(NAME.to_owned(), bytes.to_vec())].into());
    let Ok(mut dump) = keelstone::Dump::open(&disk, NAME) else { return };
    let mut text = String::new();
    for _ in 0..2000 {
        text.clear();
        if !dump.page(PAGE_BYTES, &mut text).expect("a disk in memory and a patient reader") {
            return;
        }
        assert!(!text.is_empty(), "a page goes on");
    }
}
