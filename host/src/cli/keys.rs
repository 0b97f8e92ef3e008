//! `put`, `get`, `delete`: single keys.
//!
//! Called by the hall; calls the engine.

use std::collections::BTreeSet;

use keelstone::{Batch, Write};

use super::args::{Delete, Get, Globals, Put};
use super::exit::{Failure, Outcome};
use super::open;
use super::output::Output;

/// Sets a key; creates the store if there is none.
pub(super) fn put(args: Put, globals: &Globals) -> Outcome {
    let expires_ms = args.ttl.map(|ttl_ms| expiry(ttl_ms, globals)).transpose()?;
    let db = open::or_create(&args.dir, globals)?;
    let mut batch = Batch::new();
    batch.push(Write::Put { key: args.key.0, value: args.value.0, expires_ms });
    db.write(&batch, open::durability(globals))?;
    open::finish(&*db, globals)
}

fn expiry(ttl_ms: u64, globals: &Globals) -> Outcome<u64> {
    let now_ms = open::clock(globals).now_ms();
    now_ms.checked_add(ttl_ms).ok_or_else(|| Failure::Usage("--ttl: too long".into()))
}

/// Prints the value of a key.
pub(super) fn get(args: &Get, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    let db = open::to_read(&args.dir, globals)?;
    let found = db.get(&args.key.0)?.ok_or(Failure::Absent)?;
    out.value(&args.key.0, &found.value, found.expires_ms)
}

/// Deletes keys, all or none; afterwards says whether one was absent.
pub(super) fn delete(args: Delete, globals: &Globals) -> Outcome {
    let db = open::to_write(&args.dir, globals)?;
    let mut batch = Batch::new();
    let mut absent = false;
    if let (Some(from), Some(to)) = (args.from, args.to) {
        batch.delete_range(from.0, to.0);
    }
    for key in args.keys.into_iter().map(|key| key.0).collect::<BTreeSet<_>>() {
        if db.get(&key)?.is_some() {
            batch.delete(key);
        } else {
            absent = true;
        }
    }
    if !batch.is_empty() {
        db.write(&batch, open::durability(globals))?;
    }
    open::finish(&*db, globals)?;
    if absent { Err(Failure::Absent) } else { Ok(()) }
}
