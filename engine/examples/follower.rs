//! A second store that follows the first by its log, and what to do when the log was merged away.
//!
//! Run it with `cargo run --package keelstone --example follower`.
#![allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core, reason = "a program with std")]
#![allow(clippy::print_stdout, reason = "it is a program")]

use keelstone::vfs::{MemoryDisk, Vfs};
use keelstone::{Batch, Db, Durability, Error, Options};
use std::{collections::BTreeMap, sync::Arc};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let leader = Db::open(Arc::new(MemoryDisk::new()), Options::default())?;
    let follower = Db::open(Arc::new(MemoryDisk::new()), Options::default())?;

    leader.put("dune", "Frank Herbert")?;
    leader.put_until("draft", "nobody", u64::MAX - 1)?;
    println!("follower: applied {}", catch_up(&leader, &follower)?);
    leader.delete("draft")?;
    leader.put("emma", "Jane Austen")?;
    println!("follower: applied {}", catch_up(&leader, &follower)?);
    assert_eq!(content(&follower)?, content(&leader)?);

    // A merge keeps what is alive and not its history. Who has followed so far does not miss it.
    leader.compact()?;
    assert_eq!(catch_up(&leader, &follower)?, 0);
    leader.put("ulysses", "James Joyce")?;
    assert_eq!(catch_up(&leader, &follower)?, 1);

    // A newcomer wants the log from its first write on: it begins with a backup instead.
    let newcomer = Db::open(Arc::new(MemoryDisk::new()), Options::default())?;
    let error = catch_up(&leader, &newcomer).err().ok_or("the log should not reach back")?;
    println!("newcomer: {error}");
    assert_eq!(error, Error::MergedAway { oldest: 5 });
    newcomer.close()?;

    let disk: Arc<dyn Vfs> = Arc::new(MemoryDisk::new());
    leader.backup(&disk, Options::default().seed)?;
    leader.put("walden", "Henry David Thoreau")?;
    let newcomer = Db::open(disk, Options::default())?;
    println!("newcomer: a backup up to sequence {}", newcomer.sequence());
    println!("newcomer: applied {}", catch_up(&leader, &newcomer)?);
    assert_eq!(newcomer.sequence(), leader.sequence());
    assert_eq!(content(&newcomer)?, content(&leader)?);

    newcomer.close()?;
    follower.close()?;
    Ok(leader.close()?)
}

/// Applies what the follower lacks, and says how many writes that were.
///
/// Nobody else writes to the follower, so its sequence is the leader's: it is its place in the log,
/// and after a crash of the follower too. The log also holds writes that are not durable yet. They
/// must wait: if a power cut took them from the leader, the follower would be ahead of it.
fn catch_up(leader: &Db, follower: &Db) -> keelstone::Result<usize> {
    let durable = leader.durable_sequence();
    let (mut batch, mut count) = (Batch::new(), 0);
    for entry in leader.log_from(follower.sequence() + 1)? {
        let entry = entry?;
        if entry.sequence > durable {
            break;
        }
        batch.clear();
        batch.push(entry.write);
        follower.write(&batch, Durability::Buffered)?;
        count += 1;
    }
    follower.sync()?;
    Ok(count)
}

fn content(db: &Db) -> keelstone::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    db.scan()?.map(|entry| entry.map(|entry| (entry.key, entry.value))).collect()
}
