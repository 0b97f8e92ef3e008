//! Values and errors of the contract as those of the engine, and back. The one place of it.

use keelstone::vfs::{self, Kind, Op};
use keelstone::{
    Corruption, Damage, Durability, Error, FileName, Health, Invalid, Layout, Loss, OpenMode,
    Options, RepairReport, Torn, VerifyReport,
};

use crate::wasi_fs::bindings::exports::keelstone::store::store as wit;

/// The options as the component takes them.
pub(super) fn options(from: &Options) -> wit::Options {
    let bytes = |size: usize| Some(size as u64);
    wit::Options {
        mode: match from.mode {
            OpenMode::Create => wit::OpenMode::Create,
            OpenMode::Existing => wit::OpenMode::Existing,
            OpenMode::ReadOnly => wit::OpenMode::ReadOnly,
        },
        layout: from.layout.map(|layout| match layout {
            Layout::Ordered => wit::Layout::Ordered,
            _ => wit::Layout::Hash,
        }),
        seed: seed(from.seed),
        durability: durability(from.durability),
        sync_every: (from.sync_every.writes, from.sync_every.bytes, from.sync_every.millis),
        value_bytes_max: bytes(from.value_bytes_max),
        segment_bytes: Some(from.segment_bytes),
        merge_dead_percent: Some(from.merge_dead_percent),
        expiry_grace_ms: Some(from.expiry_grace_ms),
        reserve_bytes: Some(from.reserve_bytes),
        memory_budget: bytes(from.memory_budget),
        memtable_bytes: bytes(from.memtable_bytes),
        // Why: more than that is refused by the component, as natively.
        flush_memtables: Some(u32::try_from(from.flush_memtables).unwrap_or(u32::MAX)),
        index_shards: Some(u32::try_from(from.index_shards).unwrap_or(u32::MAX)),
        inline_work: Some(from.inline_work),
        events: from.observer.is_some(),
    }
}

/// The halves of a seed.
#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
pub(super) const fn seed(seed: u128) -> wit::Seed {
    ((seed >> 64) as u64, seed as u64)
}

/// The contract's word for a durability.
pub(super) const fn durability(from: Durability) -> wit::Durability {
    match from {
        Durability::Durable => wit::Durability::Durable,
        Durability::Buffered => wit::Durability::Buffered,
    }
}

/// What a store can do.
pub(super) const fn health(from: wit::Health) -> Health {
    match from {
        wit::Health::Healthy => Health::Healthy,
        wit::Health::OutOfSpace => Health::OutOfSpace,
        wit::Health::ReadOnly => Health::ReadOnly,
        wit::Health::Closed => Health::Closed,
    }
}

/// The layout of a store.
pub(super) const fn layout(from: wit::Layout) -> Layout {
    match from {
        wit::Layout::Hash => Layout::Hash,
        wit::Layout::Ordered => Layout::Ordered,
    }
}

/// What a verification found.
pub(super) fn verify_report(from: wit::VerifyReport) -> VerifyReport {
    let mut report = VerifyReport::default();
    (report.files, report.records, report.bytes) = (from.files, from.records, from.bytes);
    let torn = |torn: wit::Torn| {
        Some(Torn { file: file(&torn.file)?, offset: torn.offset, bytes: torn.bytes })
    };
    report.torn = from.torn.into_iter().filter_map(torn).collect();
    report.corrupt = from.corrupt.iter().map(corruption).collect();
    report.order_unchecked = from.order_unchecked;
    report
}

/// What a repair did.
pub(super) fn repair_report(from: wit::RepairReport) -> RepairReport {
    let mut report = RepairReport::default();
    report.kept = from.kept;
    report.lost = from.lost.iter().map(|place| Loss { corruption: corruption(place) }).collect();
    report
}

fn file(name: &str) -> Option<FileName> {
    FileName::parse(name)
}

fn damage(word: &str) -> Damage {
    Damage::ALL.into_iter().find(|damage| damage.word() == word).unwrap_or(Damage::Key)
}

fn corruption(from: &wit::Corruption) -> Corruption {
    let file = file(&from.file).unwrap_or(FileName::Current);
    Corruption { file, offset: from.offset, bytes: from.bytes, what: damage(&from.what) }
}

/// An error of the component as the engine's own.
pub(super) fn error(from: &wit::Error) -> Error {
    let (first, second) = from.numbers;
    match from.kind {
        wit::ErrorKind::Storage => {
            let op = Op::ALL.into_iter().find(|op| op.name() == from.subject);
            let kind = Kind::ALL.into_iter().find(|kind| kind.word() == from.reason);
            let os = i32::try_from(first).unwrap_or(0);
            let (op, kind) = (op.unwrap_or(Op::Read), kind.unwrap_or(Kind::Io));
            Error::Storage(vfs::Error::with_os(op, kind, os))
        }
        wit::ErrorKind::Corrupt => Error::Corrupt(Corruption {
            file: file(&from.subject).unwrap_or(FileName::Current),
            offset: first,
            bytes: second,
            what: damage(&from.reason),
        }),
        wit::ErrorKind::Invalid => Error::Invalid(invalid(from)),
        wit::ErrorKind::Unsupported => Error::Unsupported(known(&from.subject)),
        wit::ErrorKind::OutOfSpace => Error::OutOfSpace,
        wit::ErrorKind::ReadOnly => {
            Error::ReadOnly { after_failed_sync: from.reason == "after-failed-sync" }
        }
        wit::ErrorKind::Locked => Error::Locked,
        wit::ErrorKind::Closed => Error::Closed,
        wit::ErrorKind::NoStore => Error::NoStore,
        wit::ErrorKind::Version => {
            let number = |number| u16::try_from(number).unwrap_or(u16::MAX);
            Error::Version { format: number(first), supported: number(second) }
        }
        wit::ErrorKind::MergedAway => Error::MergedAway { oldest: first },
        wit::ErrorKind::OutOfMemory => Error::OutOfMemory,
    }
}

fn invalid(from: &wit::Error) -> Invalid {
    let size = |number| usize::try_from(number).unwrap_or(usize::MAX);
    let (bytes, max) = (size(from.numbers.0), size(from.numbers.1));
    match from.reason.as_str() {
        "empty-key" => Invalid::EmptyKey,
        "key-too-long" => Invalid::KeyTooLong { bytes, max },
        "value-too-long" => Invalid::ValueTooLong { bytes, max },
        "batch-too-large" => Invalid::BatchTooLarge { bytes, max },
        "layout" => Invalid::Layout,
        "not-empty" => Invalid::NotEmpty,
        "comparator" => Invalid::Comparator,
        "range" => Invalid::Range,
        "unsorted" => Invalid::Unsorted,
        _ => Invalid::Option(known(&from.subject)),
    }
}

/// The engine's errors hold texts of the program; a text that this build does not know is told
/// without its detail.
fn known(text: &str) -> &'static str {
    const KNOWN: [&str; 21] = [
        "bytes",
        "value_bytes_max",
        "memory_budget",
        "segment_bytes",
        "merge_dead_percent",
        "index_shards",
        "more than 65,536 files",
        "more file numbers",
        "more switches",
        "the layout of this store",
        "edit out of order",
        "memtable_bytes",
        "flush_memtables",
        "table_bytes",
        "level_bytes",
        "block_bytes",
        "filter_bits_per_key",
        "open_tables",
        "comparator",
        "range deletes in the hash layout",
        "scans in order in the hash layout",
    ];
    KNOWN.into_iter().find(|known| *known == text).unwrap_or("by the component")
}
