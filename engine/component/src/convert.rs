//! Values and errors of the engine as those of the contract, and back. The one place of it.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use keelstone::Clock;

use crate::bindings::exports::keelstone::store::store as wit;
use crate::clock::HostClock;
use crate::events::Events;

/// The engine's options, and where its events go.
pub(crate) fn options(
    from: &wit::Options,
) -> Result<(keelstone::Options, Option<Arc<Events>>), wit::Error> {
    let mut options = keelstone::Options::with_seed(seed(from.seed));
    options.mode = match from.mode {
        wit::OpenMode::Create => keelstone::OpenMode::Create,
        wit::OpenMode::Existing => keelstone::OpenMode::Existing,
        wit::OpenMode::ReadOnly => keelstone::OpenMode::ReadOnly,
    };
    options.layout = from.layout.map(|layout| match layout {
        wit::Layout::Hash => keelstone::Layout::Hash,
        wit::Layout::Ordered => keelstone::Layout::Ordered,
    });
    options.durability = durability(from.durability);
    let (writes, bytes, millis) = from.sync_every;
    options.sync_every = keelstone::SyncEvery { writes, bytes, millis };
    let size = |value: u64, name| {
        let invalid = keelstone::Error::Invalid(keelstone::Invalid::Option(name));
        usize::try_from(value).map_err(|_| error(invalid))
    };
    if let Some(bytes) = from.value_bytes_max {
        options.value_bytes_max = size(bytes, "value_bytes_max")?;
    }
    if let Some(bytes) = from.memory_budget {
        options.memory_budget = size(bytes, "memory_budget")?;
    }
    if let Some(bytes) = from.memtable_bytes {
        options.memtable_bytes = size(bytes, "memtable_bytes")?;
    }
    if let Some(memtables) = from.flush_memtables {
        options.flush_memtables = size(u64::from(memtables), "flush_memtables")?;
    }
    if let Some(shards) = from.index_shards {
        options.index_shards = size(u64::from(shards), "index_shards")?;
    }
    options.segment_bytes = from.segment_bytes.unwrap_or(options.segment_bytes);
    options.merge_dead_percent = from.merge_dead_percent.unwrap_or(options.merge_dead_percent);
    options.expiry_grace_ms = from.expiry_grace_ms.unwrap_or(options.expiry_grace_ms);
    options.reserve_bytes = from.reserve_bytes.unwrap_or(options.reserve_bytes);
    options.inline_work = from.inline_work.unwrap_or(options.inline_work);
    options.clock = Arc::new(HostClock) as Arc<dyn Clock>;
    let events = from.events.then(Arc::<Events>::default);
    options.observer = events.clone().map(|events| events as Arc<dyn keelstone::Observer>);
    Ok((options, events))
}

/// 128 bits from their halves.
pub(crate) fn seed((high, low): wit::Seed) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// The engine's word for a durability.
pub(crate) const fn durability(from: wit::Durability) -> keelstone::Durability {
    match from {
        wit::Durability::Durable => keelstone::Durability::Durable,
        wit::Durability::Buffered => keelstone::Durability::Buffered,
    }
}

/// The engine's bounds of a scan.
pub(crate) fn bounds(from: wit::Bounds) -> keelstone::Bounds {
    let mut bounds = keelstone::Bounds::default();
    (bounds.from, bounds.to) = (from.lower, from.upper);
    (bounds.prefix, bounds.reverse) = (from.prefix, from.reverse);
    bounds
}

/// What a store can do.
pub(crate) fn health(from: keelstone::Health) -> wit::Health {
    match from {
        keelstone::Health::Healthy => wit::Health::Healthy,
        keelstone::Health::OutOfSpace => wit::Health::OutOfSpace,
        keelstone::Health::Closed => wit::Health::Closed,
        // Why: what this contract has no word for is at least not writable.
        _ => wit::Health::ReadOnly,
    }
}

/// Counts by name.
pub(crate) fn stats(from: &keelstone::Stats) -> Vec<(String, u64)> {
    from.fields().into_iter().map(|(name, count)| (String::from(name), count)).collect()
}

/// What a verification found.
pub(crate) fn verify_report(report: keelstone::VerifyReport) -> wit::VerifyReport {
    let keelstone::VerifyReport { files, records, bytes, torn, corrupt, order_unchecked, .. } = report;
    let torn = torn.into_iter().map(|t| wit::Torn {
        file: t.file.to_string(),
        offset: t.offset,
        bytes: t.bytes,
    });
    let torn = torn.collect();
    let corrupt = corrupt.into_iter().map(corruption).collect();
    wit::VerifyReport { files, records, bytes, torn, corrupt, order_unchecked }
}

/// What a repair did.
pub(crate) fn repair_report(report: keelstone::RepairReport) -> wit::RepairReport {
    let keelstone::RepairReport { kept, lost, .. } = report;
    let lost = lost.into_iter().map(|loss| corruption(loss.corruption)).collect();
    wit::RepairReport { kept, lost }
}

fn corruption(from: keelstone::Corruption) -> wit::Corruption {
    let keelstone::Corruption { file, offset, bytes, what } = from;
    wit::Corruption { file: file.to_string(), offset, bytes, what: String::from(what.word()) }
}

/// An error of the engine as the host sees it.
pub(crate) fn error(from: keelstone::Error) -> wit::Error {
    use keelstone::Error as E;
    let none = (0, 0);
    let (kind, reason, numbers) = match from {
        E::Storage(error) => {
            let os = u64::from(error.os.unsigned_abs());
            (wit::ErrorKind::Storage, error.kind.word(), (os, 0))
        }
        E::Corrupt(place) => {
            (wit::ErrorKind::Corrupt, place.what.word(), (place.offset, place.bytes))
        }
        E::Invalid(invalid) => {
            let (bytes, max) = invalid.sizes();
            (wit::ErrorKind::Invalid, invalid.word(), (bytes as u64, max as u64))
        }
        E::OutOfSpace => (wit::ErrorKind::OutOfSpace, "", none),
        E::ReadOnly { after_failed_sync } => {
            let reason = if after_failed_sync { "after-failed-sync" } else { "" };
            (wit::ErrorKind::ReadOnly, reason, none)
        }
        E::Locked => (wit::ErrorKind::Locked, "", none),
        E::Closed => (wit::ErrorKind::Closed, "", none),
        E::NoStore => (wit::ErrorKind::NoStore, "", none),
        E::Version { format, supported } => {
            (wit::ErrorKind::Version, "", (u64::from(format), u64::from(supported)))
        }
        E::MergedAway { oldest } => (wit::ErrorKind::MergedAway, "", (oldest, 0)),
        E::OutOfMemory => (wit::ErrorKind::OutOfMemory, "", none),
        // Why: `Unsupported`, and what the engine learns before the contract does.
        _ => (wit::ErrorKind::Unsupported, "", none),
    };
    let subject = match from {
        E::Storage(error) => String::from(error.op.name()),
        E::Corrupt(place) => place.file.to_string(),
        E::Invalid(keelstone::Invalid::Option(name)) | E::Unsupported(name) => String::from(name),
        _ => String::new(),
    };
    let message = from.to_string();
    wit::Error { kind, message, reason: String::from(reason), subject, numbers }
}

/// Memory that could not be had.
pub(crate) fn out_of_memory() -> wit::Error {
    error(keelstone::Error::OutOfMemory)
}
