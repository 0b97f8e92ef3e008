//! Bytes as a list of operations, done to a store in memory with tiny segments and to the model.

use keelstone::{Durability, SyncEvery, Write};

use super::Bytes;
use crate::disk::Disk;
use crate::mirror::{Mirror, START_MS};
use crate::model::{delete, put, put_until};
use crate::op::{Op, value};
use crate::shape::Shape;

/// More operations than this teach nothing new.
const OPS_MAX: usize = 300;

/// The first four bytes are the shape of the store, the rest are its operations.
///
/// # Panics
/// If store and model disagree.
pub fn operations(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let shape = shape(&mut bytes);
    let mut mirror = Mirror::new(Disk::memory(), shape).unwrap_or_else(|error| panic!("{error}"));
    let mut now_ms = START_MS;
    for id in 0..OPS_MAX as u64 {
        if bytes.is_empty() {
            break;
        }
        let op = op(&mut bytes, id, &mut now_ms);
        mirror.step(&op).unwrap_or_else(|error| panic!("operation {id}, {op:?}: {error}"));
    }
    mirror.end().unwrap_or_else(|error| panic!("at the end: {error}"));
}

fn shape(bytes: &mut Bytes<'_>) -> Shape {
    let (flags, sync, grace, dead) = (bytes.byte(), bytes.byte(), bytes.byte(), bytes.byte());
    let every = u64::from(sync >> 2) + 1;
    Shape {
        segment_bytes: [1024, 1500, 2048, 4096][usize::from(flags & 3)],
        shards: if flags & 4 == 0 { 8 } else { 16 },
        inline_work: flags & 8 != 0,
        durability: if flags & 16 == 0 { Durability::Buffered } else { Durability::Durable },
        equal_hashes: flags & 32 != 0,
        reserve_bytes: if flags & 64 == 0 { 0 } else { 4096 },
        sync_every: match sync & 3 {
            0 => SyncEvery::NEVER,
            1 => SyncEvery { writes: every, ..SyncEvery::NEVER },
            2 => SyncEvery { bytes: every * 20, ..SyncEvery::NEVER },
            _ => SyncEvery { millis: every, ..SyncEvery::NEVER },
        },
        grace_ms: u64::from(grace) * 4,
        dead_percent: 1 + dead % 100,
        ..Shape::TINY
    }
}

fn key(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let n = bytes.byte();
    match n {
        0..=199 => vec![b'k', n % 24],
        200..=229 => vec![b'x'; usize::from(n % 8) + 1],
        _ => vec![n; 1 + usize::from(bytes.byte()) * 4],
    }
}

fn write(bytes: &mut Bytes<'_>, id: u64, now_ms: u64) -> Write {
    let (what, key) = (bytes.byte(), key(bytes));
    let len = match what >> 5 {
        0 => 0,
        1 => 900,
        n => usize::from(n) * 20,
    };
    match what % 8 {
        0 | 1 => delete(key),
        2 => put_until(key, value(id, len), now_ms.saturating_add(u64::from(bytes.byte()))),
        3 => put_until(key, value(id, len), [0, 1, now_ms, u64::MAX][bytes.index(4)]),
        _ => put(key, value(id, len)),
    }
}

fn op(bytes: &mut Bytes<'_>, id: u64, now_ms: &mut u64) -> Op {
    match bytes.byte() % 48 {
        0..=15 => {
            let writes = vec![write(bytes, id, *now_ms)];
            Op::Write { writes, durable: false }
        }
        16 => Op::Write { writes: vec![write(bytes, id, *now_ms)], durable: true },
        17..=20 => {
            let (count, durable) = (bytes.byte() % 7, bytes.byte() & 1 == 1);
            let writes = (0..u64::from(count)).map(|n| write(bytes, id * 7 + n, *now_ms)).collect();
            Op::Write { writes, durable }
        }
        21 | 22 => Op::Remove(key(bytes)),
        23 | 24 => Op::Get(key(bytes)),
        25 => Op::Scan,
        26 => Op::Snapshot,
        27 => Op::ReadSnapshot(bytes.index(4)),
        28 => Op::DropSnapshot(bytes.index(4)),
        29 => Op::BeginScan,
        30 => Op::EndScan(bytes.index(4)),
        31 => Op::Sync,
        32 => Op::Compact,
        33..=36 => Op::Work,
        37 => Op::TakeJob,
        38 | 39 => Op::StepJob,
        40 => Op::GiveJob,
        41 | 42 => {
            let ms = u64::from(bytes.byte()) * 3;
            *now_ms += ms;
            Op::Advance(ms)
        }
        43 => Op::Reopen,
        44 => Op::Kill,
        45 => Op::LogFrom(u64::from(bytes.byte())),
        46 => [Op::Verify, Op::Backup][bytes.index(2)].clone(),
        _ => Op::ReadOnly,
    }
}
