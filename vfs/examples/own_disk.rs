//! A disk of one's own: one folder of another disk, checked by the suite that every backend runs.
//!
//! Run it with `cargo run --package keelstone-vfs --example own_disk`.
#![allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core, reason = "a program with std")]
#![allow(clippy::print_stdout, reason = "it is a program")]

use keelstone_vfs::{Access, Capabilities, FaultDisk, File, Kind, Lock, MemoryDisk, PowerCut};
use keelstone_vfs::{Result, SyncMode, Vfs, contract};
use std::{error::Error, sync::Arc};

/// A folder of the disk `V` as a disk: several stores can live on one disk.
struct Folder<V> {
    disk: V,
    name: String,
}

impl<V: Vfs> Folder<V> {
    /// Makes the folder below the root if it is missing; its own name is durable on return.
    fn new(disk: V, name: &str) -> Result<Self> {
        match disk.create_dir(name) {
            Err(error) if error.kind != Kind::Exists => return Err(error),
            _ => disk.sync_dir("")?,
        }
        Ok(Self { disk, name: name.to_owned() })
    }

    /// The name below. A bad name stays bad behind the prefix, so that the disk below refuses it.
    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    /// As `at`, but here the root `""` is a directory like any other.
    fn dir(&self, dir: &str) -> String {
        if dir.is_empty() { self.name.clone() } else { self.at(dir) }
    }
}

impl<V: Vfs> Vfs for Folder<V> {
    fn capabilities(&self) -> Capabilities {
        self.disk.capabilities()
    }
    fn open(&self, name: &str, access: Access) -> Result<Box<dyn File>> {
        self.disk.open(&self.at(name), access)
    }
    fn create(&self, name: &str) -> Result<Box<dyn File>> {
        self.disk.create(&self.at(name))
    }
    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.disk.list(&self.dir(dir))
    }
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.disk.rename(&self.at(from), &self.at(to))
    }
    fn remove(&self, name: &str) -> Result<()> {
        self.disk.remove(&self.at(name))
    }
    fn create_dir(&self, name: &str) -> Result<()> {
        self.disk.create_dir(&self.at(name))
    }
    fn sync_dir(&self, dir: &str) -> Result<()> {
        self.disk.sync_dir(&self.dir(dir))
    }
    fn lock(&self, name: &str, access: Access) -> Result<Box<dyn Lock>> {
        self.disk.lock(&self.at(name), access)
    }
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    // Names and bytes: the suite panics with the promise that is broken.
    contract::run(&|| Arc::new(Folder::new(MemoryDisk::new(), "store").expect("a folder")));
    println!("cases={}", contract::LIVE.iter().map(|cases| cases.len()).sum::<usize>());

    // Durability: what was synced through the folder is there after a power cut, and nothing else.
    let below = FaultDisk::new();
    let disk = Folder::new(below.clone(), "store")?;
    let file = disk.create("a")?;
    file.write_at(b"synced", 0)?;
    file.sync(SyncMode::All)?;
    disk.sync_dir("")?;
    file.write_at(b"forgot", 0)?;
    disk.create("b")?;
    assert_eq!(disk.list("")?, ["a", "b"]);

    let after = Folder::new(below.power_cut(&PowerCut::Lost), "store")?;
    assert_eq!(after.list("")?, ["a"]);
    let mut bytes = [0; 6];
    assert_eq!(after.open("a", Access::Read)?.read_at(&mut bytes, 0)?, 6);
    assert_eq!(&bytes, b"synced");
    println!("after a power cut: {:?}", after.list("")?);
    Ok(())
}
