//! Fuzzes one block of a table; what it does is in `keelstone_tests::fuzzing`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| keelstone_tests::fuzzing::block(data));
