//! Runs the commands of golden scripts against a store.
//!
//! Called by the runner of scripts; calls the engine's public face. A command that succeeds without an answer prints
//! nothing; an error of the engine is an answer. A command that is spelled wrong is an error of the script.

mod reads;
mod writes;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use keelstone::lab::Bug;
use keelstone::{
    Clock, Db, Durability, Event, Layout, ManualClock, Observer, OpenMode, Options, SyncEvery,
};
use keelstone_host::engine::{Engine, Entries, View, Work};
use keelstone_host::sandbox::SandboxDb;

use crate::disk::{Disk, DiskKind, sandbox};
use crate::shape::Shape;

/// What a command prints, or what is wrong with it.
pub(super) type Output = Result<Vec<String>, String>;

/// What a run of a script changes in every store it opens, without changing any answer.
#[derive(Clone, Copy, Debug)]
pub struct Twist {
    /// All keys have one place in the index.
    pub equal_hashes: bool,
    /// A mistake is switched on.
    pub bug: Option<Bug>,
    /// The layout of new stores.
    pub layout: Layout,
}

impl Twist {
    /// The hash layout, nothing else.
    pub const HASH: Self = Self { equal_hashes: false, bug: None, layout: Layout::Hash };
    /// The ordered layout, nothing else.
    pub const ORDERED: Self = Self { layout: Layout::Ordered, ..Self::HASH };

    /// How a script's stores are opened where it says nothing else.
    fn shape(self) -> Shape {
        let Self { equal_hashes, bug, layout } = self;
        // Why the memtable: sealed after each write, so that a short script meets flushes and compactions.
        let memtable_bytes = 1024;
        Shape { equal_hashes, bug, layout, memtable_bytes, ..Shape::TINY }
    }
}

/// Remembers the names of what it is told.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Observer for Ear {
    fn event(&self, event: &Event) {
        let text = format!("{event:?}");
        let name = text.split([' ', '(']).next().unwrap_or_default().to_lowercase();
        self.0.lock().expect("nobody panics here").push(name);
    }
}

/// A running script: disks, the open store, and what it has in hand.
pub struct Session {
    kind: DiskKind,
    twist: Twist,
    disks: BTreeMap<String, Disk>,
    disk: String,
    clock: Arc<ManualClock>,
    ear: Arc<Ear>,
    db: Option<Box<dyn Engine>>,
    /// The same store as `db`, if it runs inside the sandbox.
    inside: Option<SandboxDb>,
    durability: Durability,
    snapshots: BTreeMap<String, Box<dyn View>>,
    scans: BTreeMap<String, Entries>,
    job: Option<Box<dyn Work>>,
}

/// An answer on one line.
fn line(text: impl Into<String>) -> Output {
    Ok(vec![text.into()])
}

/// Nothing for success, the error otherwise.
fn done(command: &str, result: Result<(), impl core::fmt::Display>) -> Output {
    Ok(result.err().map(|error| format!("{command} → error: {error}")).into_iter().collect())
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

fn flag(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{text} is neither on nor off")),
    }
}

impl Session {
    /// A session with an empty disk called `main` and time 0.
    #[must_use]
    pub fn new(kind: DiskKind, twist: Twist) -> Self {
        Self {
            kind,
            twist,
            disks: BTreeMap::from([("main".to_owned(), Disk::new(kind))]),
            disk: "main".to_owned(),
            clock: ManualClock::new(0),
            ear: Arc::default(),
            db: None,
            inside: None,
            durability: Durability::Durable,
            snapshots: BTreeMap::new(),
            scans: BTreeMap::new(),
            job: None,
        }
    }

    /// Runs one command and returns the lines it prints.
    pub fn command(&mut self, text: &str) -> Output {
        let mut words = text.split_whitespace();
        let verb = words.next().ok_or("an empty command")?;
        let args: Vec<&str> = words.collect();
        match verb {
            "open" => self.open(&args),
            "close" => self.close(),
            "kill" => self.kill(),
            "use" => self.switch(&args),
            "lock-again" => self.lock_again(),
            "time" => self.time(&args),
            "advance" => {
                self.clock.advance(number(args.first().ok_or("how far?")?)?);
                Ok(Vec::new())
            }
            "events" => self.events(),
            _ => match self.write_command(verb, &args) {
                Some(output) => output,
                None => self.read_command(verb, &args),
            },
        }
    }

    fn db(&self) -> Result<&dyn Engine, String> {
        self.db.as_deref().ok_or_else(|| "no store is open".to_owned())
    }

    fn current(&mut self) -> Disk {
        let kind = self.kind;
        self.disks.entry(self.disk.clone()).or_insert_with(|| Disk::new(kind)).clone()
    }

    fn options(&self, args: &[&str]) -> Result<Options, String> {
        let shape = self.twist.shape();
        let mut options = shape.observed(&self.clock, Arc::clone(&self.ear) as Arc<dyn Observer>);
        for arg in args {
            let (name, value) = arg.split_once('=').ok_or_else(|| format!("{arg} has no ="))?;
            set(&mut options, name, value)?;
        }
        Ok(options)
    }

    fn open(&mut self, args: &[&str]) -> Output {
        let options = self.options(args)?;
        self.release()?;
        self.durability = options.durability;
        let vfs = self.current().vfs();
        let opened = if self.kind == DiskKind::Sandbox {
            sandbox().open(vfs, &options).map(|db| {
                self.inside = Some(db.clone());
                Box::new(db) as Box<dyn Engine>
            })
        } else {
            Db::open(vfs, options).map(|db| Box::new(db) as Box<dyn Engine>).map_err(Into::into)
        };
        match opened {
            Ok(db) => self.db = Some(db),
            Err(error) => return line(format!("open → error: {error}")),
        }
        Ok(Vec::new())
    }

    fn release(&mut self) -> Result<(), String> {
        self.hear()?;
        self.inside = None;
        self.snapshots.clear();
        self.scans.clear();
        self.job = None;
        self.db = None;
        Ok(())
    }

    /// Fetches what a store inside the sandbox has to tell.
    fn hear(&self) -> Result<(), String> {
        let Some(db) = &self.inside else { return Ok(()) };
        let told = db.events().map_err(|error| error.to_string())?;
        let mut heard = self.ear.0.lock().expect("nobody panics here");
        heard.extend(told.into_iter().map(|(name, _)| name.to_lowercase()));
        Ok(())
    }

    /// Closes and keeps the handle, so that a script can show what a closed store says.
    fn close(&mut self) -> Output {
        done("close", self.db()?.close())
    }

    fn kill(&mut self) -> Output {
        self.release()?;
        Ok(Vec::new())
    }

    fn switch(&mut self, args: &[&str]) -> Output {
        self.release()?;
        self.disk = (*args.first().ok_or("which disk?")?).to_owned();
        Ok(Vec::new())
    }

    /// Opens the same disk once more while the store is open.
    fn lock_again(&mut self) -> Output {
        let options = self.options(&[])?;
        let vfs = self.current().vfs();
        let opened = if self.kind == DiskKind::Sandbox {
            sandbox().open(vfs, &options).map(drop)
        } else {
            Db::open(vfs, options).map(drop).map_err(Into::into)
        };
        match opened {
            Ok(()) => line("lock-again → opened"),
            Err(error) => line(format!("lock-again → error: {error}")),
        }
    }

    fn time(&self, args: &[&str]) -> Output {
        if let Some(ms) = args.first() {
            self.clock.set(number(ms)?);
            return Ok(Vec::new());
        }
        line(format!("time → {}", self.clock.now_ms()))
    }

    fn events(&self) -> Output {
        self.hear()?;
        let names = std::mem::take(&mut *self.ear.0.lock().expect("nobody panics here"));
        line(format!("events → {}", names.join(" ")))
    }
}

/// Sets one option from its text.
fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    let size = || number(value).map(crate::index);
    match name {
        "mode" => {
            options.mode = match value {
                "create" => OpenMode::Create,
                "existing" => OpenMode::Existing,
                "read-only" => OpenMode::ReadOnly,
                _ => return Err(format!("no mode {value}")),
            }
        }
        "layout" => {
            options.layout = Some(match value {
                "hash" => Layout::Hash,
                "ordered" => Layout::Ordered,
                _ => return Err(format!("no layout {value}")),
            });
        }
        "durability" => {
            options.durability = match value {
                "durable" => Durability::Durable,
                "buffered" => Durability::Buffered,
                _ => return Err(format!("no durability {value}")),
            }
        }
        "segment" => options.segment_bytes = number(value)?,
        "shards" => options.index_shards = size()?,
        "value-max" => options.value_bytes_max = size()?,
        "budget" => options.memory_budget = size()?,
        "reserve" => options.reserve_bytes = number(value)?,
        "grace" => options.expiry_grace_ms = number(value)?,
        "dead" => {
            options.merge_dead_percent = value.parse().map_err(|_| "dead is a percentage")?;
        }
        "inline" => options.inline_work = flag(value)?,
        "sync-writes" => {
            options.sync_every = SyncEvery { writes: number(value)?, ..options.sync_every };
        }
        "sync-bytes" => {
            options.sync_every = SyncEvery { bytes: number(value)?, ..options.sync_every };
        }
        "sync-millis" => {
            options.sync_every = SyncEvery { millis: number(value)?, ..options.sync_every };
        }
        _ => return Err(format!("no option {name}")),
    }
    Ok(())
}
