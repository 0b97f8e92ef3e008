//! Fuzzes a whole table; what it does is in `keelstone_tests::fuzzing`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| keelstone_tests::fuzzing::table(data));
