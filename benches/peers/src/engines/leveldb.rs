//! LevelDB through its C interface: the cache, bloom filters of 10 bits and the size of the
//! memtable set, blocks uncompressed, the rest as it comes. Links the system's library.
#![allow(unsafe_code, reason = "the store has no other interface for Rust than that of C")]

use std::ffi::{CStr, CString, c_char, c_int, c_uchar, c_void};
use std::path::Path;
use std::ptr;
use std::slice;

use crate::keys::{Key, number_in};
use crate::peer::{CACHE_BYTES, MEMTABLE_BYTES, Pair, Peer, Scanned, Value};

/// Something of the library's that only it knows the inside of.
type Handle = *mut c_void;

// The part of leveldb/c.h that is used here; every pointer to a struct is a `Handle`.
#[link(name = "leveldb")]
unsafe extern "C" {
    fn leveldb_open(options: Handle, name: *const c_char, error: *mut *mut c_char) -> Handle;
    fn leveldb_close(db: Handle);
    fn leveldb_put(
        db: Handle,
        options: Handle,
        key: *const c_char,
        key_len: usize,
        value: *const c_char,
        value_len: usize,
        error: *mut *mut c_char,
    );
    fn leveldb_delete(
        db: Handle,
        options: Handle,
        key: *const c_char,
        key_len: usize,
        error: *mut *mut c_char,
    );
    fn leveldb_write(db: Handle, options: Handle, batch: Handle, error: *mut *mut c_char);
    fn leveldb_get(
        db: Handle,
        options: Handle,
        key: *const c_char,
        key_len: usize,
        value_len: *mut usize,
        error: *mut *mut c_char,
    ) -> *mut c_char;
    fn leveldb_compact_range(
        db: Handle,
        from: *const c_char,
        from_len: usize,
        to: *const c_char,
        to_len: usize,
    );
    fn leveldb_create_iterator(db: Handle, options: Handle) -> Handle;
    fn leveldb_iter_destroy(iterator: Handle);
    fn leveldb_iter_valid(iterator: Handle) -> c_uchar;
    fn leveldb_iter_seek_to_first(iterator: Handle);
    fn leveldb_iter_seek(iterator: Handle, key: *const c_char, key_len: usize);
    fn leveldb_iter_next(iterator: Handle);
    fn leveldb_iter_value(iterator: Handle, value_len: *mut usize) -> *const c_char;
    fn leveldb_iter_get_error(iterator: Handle, error: *mut *mut c_char);
    fn leveldb_writebatch_create() -> Handle;
    fn leveldb_writebatch_destroy(batch: Handle);
    fn leveldb_writebatch_clear(batch: Handle);
    fn leveldb_writebatch_put(
        batch: Handle,
        key: *const c_char,
        key_len: usize,
        value: *const c_char,
        value_len: usize,
    );
    fn leveldb_options_create() -> Handle;
    fn leveldb_options_destroy(options: Handle);
    fn leveldb_options_set_create_if_missing(options: Handle, yes: c_uchar);
    fn leveldb_options_set_write_buffer_size(options: Handle, bytes: usize);
    fn leveldb_options_set_cache(options: Handle, cache: Handle);
    fn leveldb_options_set_filter_policy(options: Handle, filter: Handle);
    fn leveldb_options_set_compression(options: Handle, kind: c_int);
    fn leveldb_filterpolicy_create_bloom(bits_per_key: c_int) -> Handle;
    fn leveldb_filterpolicy_destroy(filter: Handle);
    fn leveldb_cache_create_lru(bytes: usize) -> Handle;
    fn leveldb_cache_destroy(cache: Handle);
    fn leveldb_readoptions_create() -> Handle;
    fn leveldb_readoptions_destroy(options: Handle);
    fn leveldb_writeoptions_create() -> Handle;
    fn leveldb_writeoptions_destroy(options: Handle);
    fn leveldb_writeoptions_set_sync(options: Handle, yes: c_uchar);
    fn leveldb_free(piece: *mut c_void);
}

/// An open store.
pub struct LevelDb {
    // Invariant: all of these are open until `drop`, and only this value has them.
    db: Handle,
    options: Handle,
    cache: Handle,
    filter: Handle,
    reads: Handle,
    writes: Handle,
    synced: Handle,
    batch: Handle,
}

/// Calls the library with room for an error.
fn checked<T>(call: impl FnOnce(*mut *mut c_char) -> T) -> T {
    let mut error = ptr::null_mut();
    let result = call(&raw mut error);
    if !error.is_null() {
        // SAFETY: the library gives an error as a string that ends with a zero.
        panic!("LevelDB refuses: {:?}", unsafe { CStr::from_ptr(error) });
    }
    result
}

fn start(bytes: &[u8]) -> *const c_char {
    bytes.as_ptr().cast()
}

impl LevelDb {
    /// Opens or creates the store in `dir`.
    pub fn open(dir: &Path) -> Self {
        let name = CString::new(dir.as_os_str().as_encoded_bytes()).expect("a path has no zeros");
        // SAFETY: handles go only to the calls that they are made for, and all of them live until
        // `drop`; `name` outlives the call that reads it.
        unsafe {
            let options = leveldb_options_create();
            let cache = leveldb_cache_create_lru(CACHE_BYTES);
            let filter = leveldb_filterpolicy_create_bloom(10);
            leveldb_options_set_create_if_missing(options, 1);
            leveldb_options_set_write_buffer_size(options, MEMTABLE_BYTES);
            leveldb_options_set_cache(options, cache);
            leveldb_options_set_filter_policy(options, filter);
            leveldb_options_set_compression(options, 0);
            let synced = leveldb_writeoptions_create();
            leveldb_writeoptions_set_sync(synced, 1);
            Self {
                db: checked(|error| leveldb_open(options, name.as_ptr(), error)),
                options,
                cache,
                filter,
                reads: leveldb_readoptions_create(),
                writes: leveldb_writeoptions_create(),
                synced,
                batch: leveldb_writebatch_create(),
            }
        }
    }

    fn scan(&self, from: Option<&Key>, count: usize) -> Scanned {
        let mut scanned = Scanned::default();
        // SAFETY: the iterator is used and destroyed while the store is open; a value is read
        // before the iterator moves.
        unsafe {
            let pairs = leveldb_create_iterator(self.db, self.reads);
            match from {
                Some(key) => leveldb_iter_seek(pairs, start(key), key.len()),
                None => leveldb_iter_seek_to_first(pairs),
            }
            for _ in 0..count {
                if leveldb_iter_valid(pairs) == 0 {
                    break;
                }
                let mut len = 0;
                let value = leveldb_iter_value(pairs, &raw mut len);
                scanned.add(number_in(slice::from_raw_parts(value.cast(), len)));
                leveldb_iter_next(pairs);
            }
            checked(|error| leveldb_iter_get_error(pairs, error));
            leveldb_iter_destroy(pairs);
        }
        scanned
    }
}

impl Drop for LevelDb {
    fn drop(&mut self) {
        // SAFETY: the store goes first, then what it used; nothing is used afterwards.
        unsafe {
            leveldb_close(self.db);
            leveldb_options_destroy(self.options);
            leveldb_cache_destroy(self.cache);
            leveldb_filterpolicy_destroy(self.filter);
            leveldb_readoptions_destroy(self.reads);
            leveldb_writeoptions_destroy(self.writes);
            leveldb_writeoptions_destroy(self.synced);
            leveldb_writebatch_destroy(self.batch);
        }
    }
}

impl Peer for LevelDb {
    fn put(&mut self, key: &Key, value: &Value) {
        // SAFETY: the store is open, and it copies the bytes.
        checked(|error| unsafe {
            let (k, v) = (start(key), start(value));
            leveldb_put(self.db, self.writes, k, key.len(), v, value.len(), error);
        });
    }

    fn put_batch(&mut self, pairs: &[Pair]) {
        // SAFETY: the store is open, and the batch copies the bytes.
        unsafe {
            leveldb_writebatch_clear(self.batch);
            for (key, value) in pairs {
                let (k, v) = (start(key), start(value));
                leveldb_writebatch_put(self.batch, k, key.len(), v, value.len());
            }
            checked(|error| leveldb_write(self.db, self.writes, self.batch, error));
        }
    }

    fn delete(&mut self, key: &Key) {
        // SAFETY: the store is open, and it copies the bytes.
        checked(|error| unsafe {
            leveldb_delete(self.db, self.writes, start(key), key.len(), error);
        });
    }

    fn get(&self, key: &Key) -> Option<u64> {
        let mut len = 0;
        // SAFETY: the store is open; what it gives are `len` bytes of its heap, which are read
        // before they go back.
        unsafe {
            let value = checked(|error| {
                leveldb_get(self.db, self.reads, start(key), key.len(), &raw mut len, error)
            });
            if value.is_null() {
                return None;
            }
            let number = number_in(slice::from_raw_parts(value.cast(), len));
            leveldb_free(value.cast());
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
        // SAFETY: the store is open. An empty batch is a record in the log, synced with all before.
        unsafe {
            leveldb_writebatch_clear(self.batch);
            checked(|error| leveldb_write(self.db, self.synced, self.batch, error));
        }
    }

    fn compact(&mut self) {
        // SAFETY: the store is open; no start and no end means everything.
        unsafe { leveldb_compact_range(self.db, ptr::null(), 0, ptr::null(), 0) }
    }

    fn close(mut self: Box<Self>) {
        self.sync();
    }
}
