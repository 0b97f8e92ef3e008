//! Cuts the power at every step of a store's life, opens it again, and looks for what was promised.
//!
//! The fault disk records a run; at each step of it the power fails in every systematic way: what
//! was not synced is lost, kept, or torn at each byte, file by file and name by name.
//! Run it with `cargo run --release --package keelstone --example survive_a_power_cut`.
#![allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core, reason = "a program with std")]
#![allow(clippy::print_stdout, reason = "it is a program")]

use keelstone::vfs::{FaultDisk, Vfs};
use keelstone::{Batch, Db, Durability, Options};
use std::{error::Error, sync::Arc};

/// The program moves money, each time all of it or nothing; the accounts always hold this much.
const MONEY: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let disk = FaultDisk::recording();
    let db = Db::open(Arc::new(disk.clone()), options())?;
    for moved in 1..=5 {
        let mut batch = Batch::new();
        batch.put("from", (MONEY - moved).to_be_bytes()).put("to", moved.to_be_bytes());
        db.write(&batch, Durability::Durable)?;
        disk.mark(moved); // into the recording: so far it was acknowledged as durable
    }
    db.close()?;

    let trace = disk.trace();
    let (mut cuts, mut ahead) = (0, 0);
    for step in 0..=trace.len() {
        let acknowledged = trace.marks_before(step).last().unwrap_or(0);
        for (cut, left) in trace.disk_at(step, 0).power_cuts() {
            let moved = reopen(left).map_err(|error| format!("step {step}, {cut}: {error}"))?;
            assert!(moved >= acknowledged, "step {step}, {cut}: lost, {moved} < {acknowledged}");
            ahead += u64::from(moved > acknowledged);
            cuts += 1;
        }
    }
    println!("steps={} power_cuts={cuts} lost=0", trace.len());
    println!("more than was acknowledged={ahead}"); // whole on the disk, and not yet confirmed
    assert!(cuts > 1000 && ahead > 0);
    Ok(())
}

/// Opens what the power cut left, checks that it is whole and can be used, and says how far it is.
fn reopen(left: FaultDisk) -> Result<u64, Box<dyn Error>> {
    let vfs: Arc<dyn Vfs> = Arc::new(left);
    let db = Db::open(Arc::clone(&vfs), options())?;
    let moved = match (number(&db, "from")?, number(&db, "to")?) {
        (None, None) => 0, // before the first move
        (Some(from), Some(to)) if from + to == MONEY => to,
        torn => return Err(format!("half of a batch: {torn:?}").into()),
    };
    db.put("after", "the cut")?;
    db.close()?;
    let report = keelstone::verify(&vfs)?;
    if report.is_sound() { Ok(moved) } else { Err(format!("{report:?}").into()) }
}

fn number(db: &Db, key: &str) -> Result<Option<u64>, Box<dyn Error>> {
    let Some(bytes) = db.get(key)? else { return Ok(None) };
    Ok(Some(u64::from_be_bytes(bytes.as_slice().try_into()?)))
}

/// A seed of its own makes every run the same; a small index and no reserve make it quick.
fn options() -> Options {
    let mut options = Options::with_seed(7);
    (options.index_shards, options.reserve_bytes) = (8, 0);
    options
}
