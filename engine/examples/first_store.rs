//! The ten lines of the README: a store in a folder of its own, and what one does with it.
#![allow(clippy::std_instead_of_alloc, clippy::std_instead_of_core, reason = "a program with std")]
#![allow(clippy::print_stdout, reason = "it is a program")]

use keelstone::{Batch, Db, Durability, Options, vfs::NativeDisk};
fn main() -> keelstone::Result<()> {
    let disk = NativeDisk::create("first-store".as_ref())?;
    let db = Db::open(std::sync::Arc::new(disk), Options::default())?;
    db.put("dune", "Frank Herbert")?; // durable when it returns
    db.write(Batch::new().put("emma", "Jane Austen").delete("dune"), Durability::Buffered)?; // whole
    db.sync()?; // durable now
    println!("{}", String::from_utf8_lossy(&db.get("emma")?.unwrap_or_default()));
    db.close()
}
