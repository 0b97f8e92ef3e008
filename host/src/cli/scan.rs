//! `scan` and `export`: keys in the order of their bytes.
//!
//! Called by the hall; calls the scan of a store that has this order, and sorts the unordered one of
//! a store that has none. In memory, if it sorts: the keys that match, and values up to a bound;
//! values beyond it are read again when it is their turn. With a limit, twice as many keys as the
//! limit.

use std::cmp::Ordering;

use keelstone::{Bounds, Entry, Layout};

use crate::engine::{Engine, View};

use super::args::{Globals, Scan, Store};
use super::exit::Outcome;
use super::open;
use super::output::{Line, Output};

/// Values are kept while sorting until they have this many bytes.
const VALUE_BYTES_KEPT: usize = 64 << 20;

/// Prints what matches.
pub(super) fn scan(args: Scan, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    let range = Range::of(&args);
    let wanted = Wanted {
        values: !args.keys,
        expiry_shown: false,
        reverse: args.reverse,
        limit: args.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
    };
    let db = open::to_read(&args.dir, globals)?;
    print(&*db, &range, &wanted, out)
}

/// Prints everything, with expiries, so that `import` can read it.
pub(super) fn export(args: &Store, globals: &Globals, out: &mut Output<'_>) -> Outcome {
    let wanted = Wanted { values: true, expiry_shown: true, reverse: false, limit: None };
    let db = open::to_read(&args.dir, globals)?;
    print(&*db, &Range::default(), &wanted, out)
}

/// Which keys.
#[derive(Default)]
struct Range {
    /// Stands alone: the arguments refuse it beside the other two.
    prefix: Vec<u8>,
    from: Vec<u8>,
    to: Option<Vec<u8>>,
}

impl Range {
    fn of(args: &Scan) -> Self {
        let bytes = |arg: &Option<super::args::Bytes>| arg.as_ref().map(|bytes| bytes.0.clone());
        Self {
            prefix: bytes(&args.prefix).unwrap_or_default(),
            from: bytes(&args.from).unwrap_or_default(),
            to: bytes(&args.to),
        }
    }

    fn bounds(&self, reverse: bool) -> Bounds {
        let mut bounds = Bounds::default();
        bounds.reverse = reverse;
        if self.prefix.is_empty() {
            bounds.from = Some(self.from.clone()).filter(|from| !from.is_empty());
            bounds.to = self.to.clone();
        } else {
            bounds.prefix = Some(self.prefix.clone());
        }
        bounds
    }

    fn has(&self, key: &[u8]) -> bool {
        key.starts_with(&self.prefix)
            && key >= self.from.as_slice()
            && self.to.as_ref().is_none_or(|to| key < to.as_slice())
    }
}

/// What of them.
struct Wanted {
    values: bool,
    expiry_shown: bool,
    reverse: bool,
    limit: Option<usize>,
}

fn print(db: &dyn Engine, range: &Range, wanted: &Wanted, out: &mut Output<'_>) -> Outcome {
    let snapshot = db.snapshot()?;
    match db.layout()? {
        Layout::Ordered => print_ordered(&*snapshot, range, wanted, out),
        _ => print_sorted(&*snapshot, range, wanted, out),
    }
}

/// Of a store that has the order.
fn print_ordered(
    snapshot: &dyn View,
    range: &Range,
    wanted: &Wanted,
    out: &mut Output<'_>,
) -> Outcome {
    let limit = wanted.limit.unwrap_or(usize::MAX);
    for entry in snapshot.scan_within(&range.bounds(wanted.reverse))?.take(limit) {
        let Entry { key, value, expires_ms } = entry?;
        let value = wanted.values.then_some(value.as_slice());
        out.entry(&Line { key: &key, value, expires_ms, expiry_shown: wanted.expiry_shown })?;
        if out.is_closed() {
            break;
        }
    }
    Ok(())
}

fn print_sorted(
    snapshot: &dyn View,
    range: &Range,
    wanted: &Wanted,
    out: &mut Output<'_>,
) -> Outcome {
    for item in sorted(snapshot, range, wanted)? {
        let read_again;
        let value = match &item.value {
            Some(value) => Some(value.as_slice()),
            None if !wanted.values => None,
            None => {
                // Why: the snapshot holds its time and its entries, so what it scanned it also has.
                let Some(value) = snapshot.get(&item.key)? else { continue };
                read_again = value.value;
                Some(read_again.as_slice())
            }
        };
        let expiry_shown = wanted.expiry_shown;
        out.entry(&Line { key: &item.key, value, expires_ms: item.expires_ms, expiry_shown })?;
        if out.is_closed() {
            break;
        }
    }
    Ok(())
}

/// What matches, in the order of printing.
fn sorted(snapshot: &dyn View, range: &Range, wanted: &Wanted) -> Outcome<Vec<Item>> {
    let limit = wanted.limit.unwrap_or(usize::MAX);
    let mut kept = Kept { items: Vec::new(), limit, value_bytes: 0 };
    if limit > 0 {
        for entry in snapshot.scan()? {
            let entry = entry?;
            if range.has(&entry.key) {
                kept.offer(entry, wanted);
            }
        }
    }
    kept.items.sort_unstable();
    kept.items.truncate(limit);
    Ok(kept.items)
}

/// What was offered, or, if there is a limit, at least the first so many and at most twice as many.
struct Kept {
    items: Vec<Item>,
    limit: usize,
    value_bytes: usize,
}

impl Kept {
    fn offer(&mut self, entry: Entry, wanted: &Wanted) {
        let Entry { key, value, expires_ms } = entry;
        let mut item = Item { key, value: None, expires_ms, reverse: wanted.reverse };
        if wanted.values && self.value_bytes.saturating_add(value.len()) <= VALUE_BYTES_KEPT {
            self.value_bytes += value.len();
            item.value = Some(value);
        }
        self.items.push(item);
        // Why twice: then each key that is offered costs the same on average, whatever the limit.
        if self.items.len() / 2 >= self.limit {
            self.items.select_nth_unstable(self.limit - 1);
            self.items.truncate(self.limit);
            let values = self.items.iter().filter_map(|item| item.value.as_ref());
            self.value_bytes = values.map(Vec::len).sum();
        }
    }
}

/// A key with its value, if that is kept; ordered as it is to be printed.
struct Item {
    key: Vec<u8>,
    value: Option<Vec<u8>>,
    expires_ms: Option<u64>,
    reverse: bool,
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        let ascending = self.key.cmp(&other.key);
        if self.reverse { ascending.reverse() } else { ascending }
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Item {}

#[cfg(test)]
mod tests {
    use keelstone::Entry;

    use super::{Kept, Wanted};

    /// A permutation of 0..100.
    fn shuffled(n: u8) -> u8 {
        (n % 10) * 10 + (n / 10) * 7 % 10
    }

    /// The first so many of 100 keys in any order, whatever the limit, and never many more held.
    #[test]
    fn a_limit_keeps_the_first_keys_and_bounds_what_is_held() {
        for limit in 1..=110 {
            for reverse in [false, true] {
                let wanted =
                    Wanted { values: true, expiry_shown: false, reverse, limit: Some(limit) };
                let mut kept = Kept { items: Vec::new(), limit, value_bytes: 0 };
                for n in 0..100_u8 {
                    let key = vec![shuffled(n)];
                    let value = key.clone();
                    kept.offer(Entry { key, value, expires_ms: None }, &wanted);
                    assert!(kept.items.len() <= 2 * limit);
                    assert_eq!(kept.value_bytes, kept.items.len());
                }
                kept.items.sort_unstable();
                kept.items.truncate(limit);
                let found: Vec<_> = kept.items.iter().map(|item| item.key[0]).collect();
                let mut all: Vec<_> = (0..100).collect();
                if reverse {
                    all.reverse();
                }
                all.truncate(limit);
                assert_eq!(found, all, "limit {limit} reverse {reverse}");
            }
        }
    }
}
