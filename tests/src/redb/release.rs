//! The two releases under one face. Their types differ, their calls do not, so a macro writes both.
//!
//! Called by the exploration; calls redb. Errors of redb become texts: whoever calls only counts and prints them.

use super::program::{Change, Content, TABLES};
use super::storage::Storage;

/// A release of redb.
pub trait Release {
    /// What a report calls it.
    const NAME: &'static str;
    /// An open database.
    type Database;

    /// Opens what is in the file, or begins a database in an empty one.
    fn open(storage: Storage) -> Result<Self::Database, String>;
    /// Commits some changes, durable on return.
    fn commit(db: &Self::Database, changes: &[Change]) -> Result<(), String>;
    /// Reads every table, and checks each against its own count.
    fn read(db: &Self::Database) -> Result<Content, String>;
}

/// The newest release.
pub struct Newest;

/// The last release of its line with the two published bugs.
pub struct WithBug;

macro_rules! release {
    ($release:ident, $redb:ident, $name:literal) => {
        impl Release for $release {
            const NAME: &'static str = $name;
            type Database = ::$redb::Database;

            fn open(storage: Storage) -> Result<Self::Database, String> {
                let db = ::$redb::Database::builder().create_with_backend(storage);
                db.map_err(|error| format!("open: {error}"))
            }

            fn commit(db: &Self::Database, changes: &[Change]) -> Result<(), String> {
                use ::$redb::{Durability, TableDefinition, WriteTransaction};
                let apply = |txn: &WriteTransaction| -> Result<(), ::$redb::Error> {
                    for change in changes {
                        match change {
                            Change::Put(table, key, value) => {
                                let table = TableDefinition::<u64, &[u8]>::new(TABLES[*table]);
                                txn.open_table(table)?.insert(key, value.as_slice())?;
                            }
                            Change::Remove(table, key) => {
                                let table = TableDefinition::<u64, &[u8]>::new(TABLES[*table]);
                                txn.open_table(table)?.remove(key)?;
                            }
                        }
                    }
                    Ok(())
                };
                let commit = || -> Result<(), ::$redb::Error> {
                    let mut txn = db.begin_write()?;
                    txn.set_durability(Durability::Immediate)?;
                    apply(&txn)?;
                    Ok(txn.commit()?)
                };
                commit().map_err(|error| format!("commit: {error}"))
            }

            fn read(db: &Self::Database) -> Result<Content, String> {
                use ::$redb::{
                    ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
                    TableError,
                };
                let read = || -> Result<(Content, u64), ::$redb::Error> {
                    let (mut content, mut counted) = (Content::new(), 0);
                    let txn = db.begin_read()?;
                    for (n, name) in TABLES.into_iter().enumerate() {
                        let table = match txn.open_table(TableDefinition::<u64, &[u8]>::new(name)) {
                            Err(TableError::TableDoesNotExist(_)) => continue,
                            table => table?,
                        };
                        counted += table.len()?;
                        for entry in table.iter()? {
                            let (key, value) = entry?;
                            content.insert((n, key.value()), value.value().to_vec());
                        }
                    }
                    Ok((content, counted))
                };
                let (content, counted) = read().map_err(|error| format!("read: {error}"))?;
                if content.len() as u64 != counted {
                    return Err(format!("{} keys are there, {counted} counted", content.len()));
                }
                Ok(content)
            }
        }
    };
}

release!(Newest, redb, "redb 4.5.0");
release!(WithBug, redb_with_bug, "redb 3.1.3");
