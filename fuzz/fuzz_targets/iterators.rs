//! Fuzzes operations on memtables, tables and walks; what it does is in `keelstone_tests::fuzzing`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| keelstone_tests::fuzzing::iterators(data));
