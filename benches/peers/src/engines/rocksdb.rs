//! RocksDB through its C interface: the cache, bloom filters of 10 bits and the size of the memtable
//! set, blocks uncompressed, the rest as it comes. Links the system's library.
#![allow(unsafe_code, reason = "the system's library has no other interface than that of C")]

use std::ffi::{CStr, CString, c_char, c_double, c_int, c_uchar, c_void};
use std::path::{Path, PathBuf};
use std::ptr;
use std::slice;

use crate::keys::{Key, number_in};
use crate::peer::{CACHE_BYTES, MEMTABLE_BYTES, Pair, Peer, Scanned, Value};

/// Something of the library's that only it knows the inside of.
type Handle = *mut c_void;
type Text = *const c_char;
/// Where the library puts an error.
type Fault = *mut *mut c_char;

// The part of rocksdb/c.h that is used here; every pointer to a struct is a `Handle`.
#[link(name = "rocksdb")]
unsafe extern "C" {
    fn rocksdb_open(options: Handle, name: Text, error: Fault) -> Handle;
    fn rocksdb_close(db: Handle);
    fn rocksdb_put(
        db: Handle,
        options: Handle,
        key: Text,
        key_len: usize,
        value: Text,
        value_len: usize,
        error: Fault,
    );
    fn rocksdb_delete(db: Handle, options: Handle, key: Text, key_len: usize, error: Fault);
    fn rocksdb_write(db: Handle, options: Handle, batch: Handle, error: Fault);
    fn rocksdb_get_pinned(
        db: Handle,
        options: Handle,
        key: Text,
        key_len: usize,
        error: Fault,
    ) -> Handle;
    fn rocksdb_pinnableslice_value(pinned: Handle, value_len: *mut usize) -> Text;
    fn rocksdb_pinnableslice_destroy(pinned: Handle);
    fn rocksdb_compact_range(db: Handle, from: Text, from_len: usize, to: Text, to_len: usize);
    fn rocksdb_flush(db: Handle, options: Handle, error: Fault);
    fn rocksdb_flush_wal(db: Handle, sync: c_uchar, error: Fault);
    fn rocksdb_flushoptions_create() -> Handle;
    fn rocksdb_flushoptions_destroy(options: Handle);
    fn rocksdb_create_iterator(db: Handle, options: Handle) -> Handle;
    fn rocksdb_iter_destroy(iterator: Handle);
    fn rocksdb_iter_valid(iterator: Handle) -> c_uchar;
    fn rocksdb_iter_seek_to_first(iterator: Handle);
    fn rocksdb_iter_seek(iterator: Handle, key: Text, key_len: usize);
    fn rocksdb_iter_next(iterator: Handle);
    fn rocksdb_iter_value(iterator: Handle, value_len: *mut usize) -> Text;
    fn rocksdb_iter_get_error(iterator: Handle, error: Fault);
    fn rocksdb_writebatch_create() -> Handle;
    fn rocksdb_writebatch_destroy(batch: Handle);
    fn rocksdb_writebatch_clear(batch: Handle);
    fn rocksdb_writebatch_put(
        batch: Handle,
        key: Text,
        key_len: usize,
        value: Text,
        value_len: usize,
    );
    fn rocksdb_options_create() -> Handle;
    fn rocksdb_options_destroy(options: Handle);
    fn rocksdb_options_set_create_if_missing(options: Handle, yes: c_uchar);
    fn rocksdb_options_set_write_buffer_size(options: Handle, bytes: usize);
    fn rocksdb_options_set_compression(options: Handle, kind: c_int);
    fn rocksdb_options_set_block_based_table_factory(options: Handle, tables: Handle);
    fn rocksdb_block_based_options_create() -> Handle;
    fn rocksdb_block_based_options_destroy(tables: Handle);
    fn rocksdb_block_based_options_set_block_cache(tables: Handle, cache: Handle);
    fn rocksdb_block_based_options_set_filter_policy(tables: Handle, filter: Handle);
    fn rocksdb_filterpolicy_create_bloom(bits_per_key: c_double) -> Handle;
    fn rocksdb_cache_create_lru(bytes: usize) -> Handle;
    fn rocksdb_cache_destroy(cache: Handle);
    fn rocksdb_readoptions_create() -> Handle;
    fn rocksdb_readoptions_destroy(options: Handle);
    fn rocksdb_writeoptions_create() -> Handle;
    fn rocksdb_writeoptions_destroy(options: Handle);
    fn rocksdb_envoptions_create() -> Handle;
    fn rocksdb_envoptions_destroy(options: Handle);
    fn rocksdb_sstfilewriter_create(env: Handle, options: Handle) -> Handle;
    fn rocksdb_sstfilewriter_open(table: Handle, name: Text, error: Fault);
    fn rocksdb_sstfilewriter_put(
        table: Handle,
        key: Text,
        key_len: usize,
        value: Text,
        value_len: usize,
        error: Fault,
    );
    fn rocksdb_sstfilewriter_finish(table: Handle, error: Fault);
    fn rocksdb_sstfilewriter_destroy(table: Handle);
    fn rocksdb_ingestexternalfileoptions_create() -> Handle;
    fn rocksdb_ingestexternalfileoptions_set_move_files(options: Handle, yes: c_uchar);
    fn rocksdb_ingestexternalfileoptions_destroy(options: Handle);
    fn rocksdb_ingest_external_file(
        db: Handle,
        names: *const Text,
        count: usize,
        options: Handle,
        error: Fault,
    );
}

/// An open store.
pub struct RocksDb {
    // Invariant: all of these are open until `drop`, and only this value has them.
    db: Handle,
    options: Handle,
    tables: Handle,
    cache: Handle,
    reads: Handle,
    writes: Handle,
    batch: Handle,
    dir: PathBuf,
}

/// Calls the library with room for an error.
fn checked<T>(call: impl FnOnce(Fault) -> T) -> T {
    let mut error = ptr::null_mut();
    let result = call(&raw mut error);
    if !error.is_null() {
        // SAFETY: the library gives an error as a string that ends with a zero.
        panic!("RocksDB refuses: {:?}", unsafe { CStr::from_ptr(error) });
    }
    result
}

fn start(bytes: &[u8]) -> Text {
    bytes.as_ptr().cast()
}

fn text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_encoded_bytes()).expect("a path has no zeros")
}

impl RocksDb {
    /// Opens or creates the store in `dir`.
    pub fn open(dir: &Path) -> Self {
        let name = text(dir);
        // SAFETY: handles go only to the calls that they are made for, and all of them live until
        // `drop`, but for the filter, which then belongs to `tables`; `name` outlives the call that
        // reads it.
        unsafe {
            let (options, tables) =
                (rocksdb_options_create(), rocksdb_block_based_options_create());
            let cache = rocksdb_cache_create_lru(CACHE_BYTES);
            rocksdb_block_based_options_set_block_cache(tables, cache);
            let filter = rocksdb_filterpolicy_create_bloom(10.0);
            rocksdb_block_based_options_set_filter_policy(tables, filter);
            rocksdb_options_set_create_if_missing(options, 1);
            rocksdb_options_set_write_buffer_size(options, MEMTABLE_BYTES);
            rocksdb_options_set_compression(options, 0);
            rocksdb_options_set_block_based_table_factory(options, tables);
            Self {
                db: checked(|error| rocksdb_open(options, name.as_ptr(), error)),
                options,
                tables,
                cache,
                reads: rocksdb_readoptions_create(),
                writes: rocksdb_writeoptions_create(),
                batch: rocksdb_writebatch_create(),
                dir: dir.to_owned(),
            }
        }
    }

    fn scan(&self, from: Option<&Key>, count: usize) -> Scanned {
        let mut scanned = Scanned::default();
        // SAFETY: the iterator is used and destroyed while the store is open; a value is read
        // before the iterator moves.
        unsafe {
            let pairs = rocksdb_create_iterator(self.db, self.reads);
            match from {
                Some(key) => rocksdb_iter_seek(pairs, start(key), key.len()),
                None => rocksdb_iter_seek_to_first(pairs),
            }
            for _ in 0..count {
                if rocksdb_iter_valid(pairs) == 0 {
                    break;
                }
                let mut len = 0;
                let value = rocksdb_iter_value(pairs, &raw mut len);
                scanned.add(number_in(slice::from_raw_parts(value.cast(), len)));
                rocksdb_iter_next(pairs);
            }
            checked(|error| rocksdb_iter_get_error(pairs, error));
            rocksdb_iter_destroy(pairs);
        }
        scanned
    }
}

impl Drop for RocksDb {
    fn drop(&mut self) {
        // SAFETY: the store goes first, then what it used; nothing is used afterwards.
        unsafe {
            rocksdb_close(self.db);
            rocksdb_options_destroy(self.options);
            rocksdb_block_based_options_destroy(self.tables);
            rocksdb_cache_destroy(self.cache);
            rocksdb_readoptions_destroy(self.reads);
            rocksdb_writeoptions_destroy(self.writes);
            rocksdb_writebatch_destroy(self.batch);
        }
    }
}

impl Peer for RocksDb {
    fn put(&mut self, key: &Key, value: &Value) {
        // SAFETY: the store is open, and it copies the bytes.
        checked(|error| unsafe {
            let (k, v) = (start(key), start(value));
            rocksdb_put(self.db, self.writes, k, key.len(), v, value.len(), error);
        });
    }

    fn put_batch(&mut self, pairs: &[Pair]) {
        // SAFETY: the store is open, and the batch copies the bytes.
        unsafe {
            rocksdb_writebatch_clear(self.batch);
            for (key, value) in pairs {
                let (k, v) = (start(key), start(value));
                rocksdb_writebatch_put(self.batch, k, key.len(), v, value.len());
            }
            checked(|error| rocksdb_write(self.db, self.writes, self.batch, error));
        }
    }

    fn bulk(&mut self, pairs: &mut dyn Iterator<Item = Pair>) {
        let name = text(&self.dir.join("bulk.sst"));
        // SAFETY: the store is open, the table copies the bytes, `name` outlives the calls that read
        // it, and what was made here is not used after it was destroyed.
        unsafe {
            let env = rocksdb_envoptions_create();
            let table = rocksdb_sstfilewriter_create(env, self.options);
            checked(|error| rocksdb_sstfilewriter_open(table, name.as_ptr(), error));
            for (key, value) in pairs {
                let (k, v) = (start(&key), start(&value));
                checked(|error| {
                    rocksdb_sstfilewriter_put(table, k, key.len(), v, value.len(), error);
                });
            }
            checked(|error| rocksdb_sstfilewriter_finish(table, error));
            rocksdb_sstfilewriter_destroy(table);
            rocksdb_envoptions_destroy(env);
            let options = rocksdb_ingestexternalfileoptions_create();
            rocksdb_ingestexternalfileoptions_set_move_files(options, 1);
            let names = [name.as_ptr()];
            checked(|error| {
                rocksdb_ingest_external_file(self.db, names.as_ptr(), 1, options, error);
            });
            rocksdb_ingestexternalfileoptions_destroy(options);
        }
    }

    fn delete(&mut self, key: &Key) {
        // SAFETY: the store is open, and it copies the bytes.
        checked(|error| unsafe {
            rocksdb_delete(self.db, self.writes, start(key), key.len(), error);
        });
    }

    fn get(&self, key: &Key) -> Option<u64> {
        let mut len = 0;
        // SAFETY: the store is open; the value is read before the slice that pins it is let go.
        unsafe {
            let pinned = checked(|error| {
                rocksdb_get_pinned(self.db, self.reads, start(key), key.len(), error)
            });
            if pinned.is_null() {
                return None;
            }
            let value = rocksdb_pinnableslice_value(pinned, &raw mut len);
            let number = number_in(slice::from_raw_parts(value.cast(), len));
            rocksdb_pinnableslice_destroy(pinned);
            Some(number)
        }
    }

    fn scan_all(&self) -> Scanned {
        self.scan(None, usize::MAX)
    }

    fn scan_from(&self, key: &Key, count: usize) -> Scanned {
        self.scan(Some(key), count)
    }

    fn sync(&mut self) {
        // SAFETY: the store is open.
        checked(|error| unsafe { rocksdb_flush_wal(self.db, 1, error) });
    }

    fn compact(&mut self) {
        // SAFETY: the store is open; a flush waits unless told otherwise; no start and no end means
        // everything, and the call returns when it is compacted.
        unsafe {
            let options = rocksdb_flushoptions_create();
            checked(|error| rocksdb_flush(self.db, options, error));
            rocksdb_flushoptions_destroy(options);
            rocksdb_compact_range(self.db, ptr::null(), 0, ptr::null(), 0);
        }
    }

    fn close(mut self: Box<Self>) {
        self.sync();
    }
}
