//! Beginning a store of this layout, or reading one that exists: which tables there are, and the logs into a memtable.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use keelstone_vfs::Access;
use keelstone_vfs::lock::{Mutex, RwLock};

use super::bulk::Loading;
use super::jobs::Jobs;
use super::level::Tables;
use super::memtable::{Memtable, MemtableWriter};
use super::snapshot::Snapshots;
use super::stats::Counters;
use super::table::{BlockCache, TableCache, TableOptions};
use super::version::Version;
use super::write::{Hand, insert};
use super::{LAYOUT, Sealed, Store, View};
use crate::codec::KeyHasher;
use crate::error::{Damage, Error, Invalid, Result};
use crate::event::Event;
use crate::journal::{Disk, Journal, LogFile, OpRef, check_orphans, open_files, read_tails};
use crate::log::{FrameReader, corrupt};
use crate::manifest::{self, Loaded};
use crate::options::{OpenMode, Options};
use crate::order::KeyOrder;
use crate::record::{EntryKind, FrameKind};

/// Eighths of the memory budget: for blocks, and for what is kept of open tables. The rest is for memtables.
const BLOCKS_EIGHTHS: usize = 5;
const TABLES_EIGHTHS: usize = 1;

/// The order that the options ask for.
pub(super) fn order_of(options: &Options) -> KeyOrder {
    options.comparator.as_ref().map_or(KeyOrder::Bytewise, |own| KeyOrder::Custom(Arc::clone(own)))
}

/// How tables are built.
pub(super) fn table_options(options: &Options) -> TableOptions {
    TableOptions {
        block_bytes: options.block_bytes,
        filter_bits_per_key: options.filter_bits_per_key,
        prefix_bytes: options.prefix_bytes,
        lz4: options.lz4,
        ..TableOptions::default()
    }
}

impl Store {
    /// Creates a store in an empty directory.
    pub(crate) fn create(journal: Journal) -> Result<Arc<Self>> {
        let store = Self::assemble(journal, Version::default())?;
        let mut state = manifest::State::new(LAYOUT);
        state.order = store.order.name().as_bytes().to_vec();
        store.journal.begin(state)?;
        Ok(store)
    }

    /// Opens the store that `loaded` describes.
    pub(crate) fn open(journal: Journal, loaded: Loaded) -> Result<Arc<Self>> {
        let order = order_of(&journal.options);
        if loaded.state.order != order.name().as_bytes() {
            return Err(Error::Invalid(Invalid::Comparator));
        }
        let version = Version::new(&order, &loaded.state, &Version::default());
        let store = Self::assemble(journal, version)?;
        let read_only = store.journal.options.mode == OpenMode::ReadOnly;
        let access = if read_only { Access::Read } else { Access::Write };
        let (vfs, switches) = (Arc::clone(&store.journal.vfs), store.journal.switches);
        let disk = Disk { vfs: &*vfs, seed: store.journal.seed, access, switches, ranges: true };
        let plan = read_tails(disk, &loaded.state)?;
        check_orphans(disk, &loaded)?;
        store.check_tables()?;
        let logs = open_files(disk, &loaded, &plan)?;
        let scanned = logs.len() as u64;
        store.replay(&logs, loaded.state.flushed_seq, disk.checks())?;
        store.visible_seq.store(plan.next_seq - 1, Ordering::Release);
        store.hand.lock().logs.clone_from(&logs);
        if read_only {
            store.journal.look_on(&loaded, &plan);
        } else {
            store.journal.take_over(loaded, &plan, &logs)?;
        }
        store.journal.counters.recoveries.store(1, Ordering::Relaxed);
        let (keys, sequence) = (store.entries(), store.journal.sequence());
        store.journal.event(&Event::Recovered { keys, sequence, scanned, hinted: 0 });
        Ok(store)
    }

    fn assemble(journal: Journal, version: Version) -> Result<Arc<Self>> {
        let options = &journal.options;
        let order = order_of(options);
        if !(1..=255).contains(&order.name().len()) {
            return Err(Error::Invalid(Invalid::Option("comparator")));
        }
        let hasher = KeyHasher::new(journal.seed);
        let (memtable, writer) = Memtable::new(order.clone(), options.memtable_bytes, 0)?;
        let table_options = table_options(options);
        let budget = options.memory_budget;
        let tables = Tables {
            vfs: Arc::clone(&journal.vfs),
            seed: journal.seed,
            order: order.clone(),
            hasher,
            cache: TableCache::new(options.open_tables, budget / 8 * TABLES_EIGHTHS),
            blocks: Arc::new(BlockCache::new(budget / 8 * BLOCKS_EIGHTHS)),
        };
        let view = View { memtable, sealed: Vec::new(), version: Arc::new(version) };
        Ok(Arc::new(Self {
            order,
            hasher,
            table_options,
            hand: Mutex::new(Hand::new(writer, Vec::new())),
            view: RwLock::new(Arc::new(view)),
            visible_seq: AtomicU64::new(0),
            snapshots: Snapshots::default(),
            jobs: Mutex::new(Jobs::default()),
            flushing: Mutex::new(()),
            compacting: Mutex::new(()),
            removing: Mutex::new(()),
            loading: Loading::default(),
            tables: Arc::new(tables),
            counters: Counters::default(),
            journal,
        }))
    }

    /// Every table that the manifest names must be there; its length is looked at, its blocks are read when needed.
    fn check_tables(&self) -> Result<()> {
        let view = self.view();
        if let Err(number) = view.version.check(&self.order) {
            let name = crate::error::FileName::Table(number);
            return Err(corrupt(name, 0, 0, Damage::Key));
        }
        for file in view.version.tables() {
            let name = crate::error::FileName::Table(file.meta.number);
            let opened = self.journal.vfs.open(&alloc::format!("{name}"), Access::Read);
            let len = match opened {
                Ok(open) => open.len()?,
                Err(error) if error.kind == keelstone_vfs::Kind::NotFound => {
                    return Err(corrupt(name, 0, file.meta.len, Damage::Missing));
                }
                Err(error) => return Err(error.into()),
            };
            if len < file.meta.len {
                return Err(corrupt(name, len, file.meta.len - len, Damage::Short));
            }
        }
        Ok(())
    }

    /// Puts what the logs hold behind `flushed` into memtables.
    fn replay(&self, logs: &[Arc<LogFile>], flushed: u64, check: bool) -> Result<()> {
        let mut hand = self.hand.lock();
        for log in logs {
            let mut reader = FrameReader::new(&*log.file, log.id, log.end()).check(check);
            while let Some((header, entries)) = reader.next_whole(log.name)? {
                if header.stamp.kind == FrameKind::Footer {
                    continue;
                }
                for (seq, entry) in (header.stamp.seq..).zip(entries) {
                    if entry.kind == EntryKind::Plain {
                        let bytes = u64::from(entry.len);
                        return Err(corrupt(log.name, entry.offset, bytes, Damage::Kind));
                    }
                    log.add_entries(1, u64::from(entry.len));
                    if seq > flushed {
                        let (kind, key, value) = (entry.kind, entry.key, entry.value);
                        let expires_ms = entry.expires_ms.unwrap_or(0);
                        let op = OpRef { kind, key, value, expires_ms };
                        insert(&mut hand.memtable, self, seq, &op)?;
                    }
                }
            }
            if hand.memtable.table().bytes() >= self.journal.options.memtable_bytes {
                self.seal_replayed(&mut hand, log.last_seq())?;
            }
        }
        Ok(())
    }

    /// While logs are replayed there is no log to be rotated: the memtable alone makes room for another.
    fn seal_replayed(&self, hand: &mut Hand, last_seq: u64) -> Result<()> {
        let next: MemtableWriter = self.new_memtable(hand)?;
        let old = Arc::clone(hand.memtable.table());
        hand.memtable = next;
        let memtable = Arc::clone(hand.memtable.table());
        let sealed = Arc::new(Sealed { memtable: old, last_seq });
        self.show(|view| {
            let mut list = alloc::vec![sealed];
            list.extend(view.sealed.iter().cloned());
            View { memtable, sealed: list, version: Arc::clone(&view.version) }
        });
        Ok(())
    }

    /// Versions of keys in all tables and memtables: at least as many as there are keys.
    fn entries(&self) -> u64 {
        let view = self.view();
        let tables: u64 = view.version.tables().map(|file| file.meta.entries).sum();
        let sealed: usize = view.sealed.iter().map(|sealed| sealed.memtable.len()).sum();
        tables + (sealed + view.memtable.len()) as u64
    }
}
