//! The ten lines of the README: a store in a folder of its own, and what one does with it.
#![allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core, reason = "a program with std")]
#![allow(clippy::print_stdout, reason = "it is a program")]

use keelstone::{Batch, Db, Durability, Options, vfs::NativeDisk};
use std::{error::Error, path::Path, sync::Arc};

fn main() -> Result<(), Box<dyn Error>> {
    let disk = NativeDisk::create(Path::new("first-store"))?;
    let db = Db::open(Arc::new(disk), Options::default())?;
    db.put("dune", "Frank Herbert")?; // durable when it returns
    let mut batch = Batch::new();
    batch.put("emma", "Jane Austen").delete("dune");
    db.write(&batch, Durability::Buffered)?; // all of it or nothing, durable after the sync
    db.sync()?;
    assert_eq!(db.get("emma")?, Some(b"Jane Austen".to_vec()));
    for entry in db.scan()? {
        println!("{}", String::from_utf8(entry?.key)?);
    }
    Ok(db.close()?)
}
