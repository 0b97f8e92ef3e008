//! Bounds: a file that is only appended to, and the maps of the standard library in memory.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::keys::{KEY_BYTES, Key, VALUE_BYTES, number_in};
use crate::peer::{Pair, Peer, Reads, Scanned, Value};

const RECORD_BYTES: usize = KEY_BYTES + VALUE_BYTES;

/// One write of the bare key and value behind the last, and no way back to them.
pub struct Append {
    file: File,
}

impl Append {
    /// Appends to a file in `dir`.
    pub fn open(dir: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(dir.join("records"));
        Self { file: file.expect("a file can be made") }
    }
}

impl Peer for Append {
    fn put(&mut self, key: &Key, value: &Value) {
        let mut record = [0; RECORD_BYTES];
        record[..KEY_BYTES].copy_from_slice(key);
        record[KEY_BYTES..].copy_from_slice(value);
        self.file.write_all(&record).expect("a write");
    }

    fn put_batch(&mut self, pairs: &[Pair]) {
        let mut records = Vec::with_capacity(pairs.len() * RECORD_BYTES);
        for (key, value) in pairs {
            records.extend_from_slice(key);
            records.extend_from_slice(value);
        }
        self.file.write_all(&records).expect("a write");
    }

    fn delete(&mut self, key: &Key) {
        self.file.write_all(key).expect("a write");
    }

    fn get(&self, _: &Key) -> Option<u64> {
        unreachable!("it does not know where anything is")
    }

    fn reads(&self) -> Reads {
        Reads::Nothing
    }

    fn scan_all(&self) -> Scanned {
        unreachable!("it does not know what is dead")
    }

    fn scan_from(&self, _: &Key, _: usize) -> Scanned {
        unreachable!("it has no order of keys")
    }

    fn sync(&mut self) {
        self.file.sync_data().expect("a sync");
    }

    fn compact(&mut self) {}

    fn close(mut self: Box<Self>) {
        self.sync();
    }
}

/// The standard library's hash map.
#[derive(Default)]
pub struct Hashed {
    map: HashMap<Key, Box<Value>>,
}

/// The standard library's ordered map.
#[derive(Default)]
pub struct Sorted {
    map: BTreeMap<Key, Box<Value>>,
}

/// The sum of some values.
fn sum<'a>(values: impl Iterator<Item = &'a Box<Value>>) -> Scanned {
    let mut scanned = Scanned::default();
    values.for_each(|value| scanned.add(number_in(&value[..])));
    scanned
}

impl Peer for Hashed {
    fn put(&mut self, key: &Key, value: &Value) {
        self.map.insert(*key, Box::new(*value));
    }

    fn put_batch(&mut self, pairs: &[Pair]) {
        self.map.extend(pairs.iter().map(|(key, value)| (*key, Box::new(*value))));
    }

    fn delete(&mut self, key: &Key) {
        self.map.remove(key);
    }

    fn get(&self, key: &Key) -> Option<u64> {
        self.map.get(key).map(|value| number_in(&value[..]))
    }

    fn reads(&self) -> Reads {
        Reads::Keys
    }

    fn scan_all(&self) -> Scanned {
        sum(self.map.values())
    }

    fn scan_from(&self, _: &Key, _: usize) -> Scanned {
        unreachable!("it has no order of keys")
    }

    fn sync(&mut self) {}

    fn compact(&mut self) {}

    fn close(self: Box<Self>) {}
}

impl Peer for Sorted {
    fn put(&mut self, key: &Key, value: &Value) {
        self.map.insert(*key, Box::new(*value));
    }

    fn put_batch(&mut self, pairs: &[Pair]) {
        self.map.extend(pairs.iter().map(|(key, value)| (*key, Box::new(*value))));
    }

    fn delete(&mut self, key: &Key) {
        self.map.remove(key);
    }

    fn get(&self, key: &Key) -> Option<u64> {
        self.map.get(key).map(|value| number_in(&value[..]))
    }

    fn scan_all(&self) -> Scanned {
        sum(self.map.values())
    }

    fn scan_from(&self, key: &Key, count: usize) -> Scanned {
        sum(self.map.range(*key..).map(|(_, value)| value).take(count))
    }

    fn sync(&mut self) {}

    fn compact(&mut self) {}

    fn close(self: Box<Self>) {}
}
