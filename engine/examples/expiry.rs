//! Entries that expire, under a clock that the program sets, and a snapshot that keeps its instant.
//!
//! Run it with `cargo run --package keelstone --example expiry`.
#![allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core, reason = "a program with std")]
#![allow(clippy::print_stdout, reason = "it is a program")]

use keelstone::{Clock, Db, Layout, ManualClock, Options, vfs::MemoryDisk};
use std::{error::Error, sync::Arc};

const HOUR_MS: u64 = 3_600_000;

fn main() -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::new(1_700_000_000_000); // milliseconds since 1970
    let mut options = Options::default();
    options.clock = clock.clone();
    options.layout = Some(Layout::Hash); // it counts the bytes that expired; ordered does not
    let db = Db::open(Arc::new(MemoryDisk::new()), options)?;

    let start_ms = clock.now_ms();
    db.put("user", "ada")?; // without a time it stays
    db.put_until("session", "token", start_ms + HOUR_MS)?;
    let value = db.get_with_expiry("session")?.ok_or("the session is there")?;
    println!("session expires_ms={}", start_ms + HOUR_MS);
    assert_eq!(value.expires_ms, Some(start_ms + HOUR_MS));

    let snapshot = db.snapshot()?;
    clock.advance(HOUR_MS - 1);
    assert!(db.contains("session")?);
    clock.advance(1); // its time: from here on it is absent, for everybody at once
    assert_eq!((db.get("session")?, db.len()?, db.scan()?.count()), (None, 1, 1));
    println!("at its time: keys={}", db.len()?);

    // A snapshot is one instant, of the clock too: what had not expired then does not expire in it.
    assert_eq!(snapshot.get("session")?, Some(b"token".to_vec()));
    assert_eq!(snapshot.scan()?.count(), 2);
    println!("in the snapshot: keys={}", snapshot.scan()?.count());

    // For the store time never goes backward: a clock that is set back brings nothing back.
    clock.set(start_ms);
    assert!(!db.contains("session")?);

    // The bytes go with a merge, after the grace and once no snapshot may want them.
    drop(snapshot);
    clock.set(start_ms + 3 * HOUR_MS);
    let before = db.stats()?;
    db.compact()?;
    let after = db.stats()?;
    println!("compact: live_bytes={} -> {}", before.live_bytes, after.live_bytes);
    assert!(after.live_bytes < before.live_bytes);
    assert_eq!((after.keys, after.dead_bytes), (1, 0));
    assert_eq!(db.get("user")?, Some(b"ada".to_vec()));
    Ok(db.close()?)
}
