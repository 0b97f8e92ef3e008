//! Fuzzes a small store with changed files; what it does is in `keelstone_tests::fuzzing`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| keelstone_tests::fuzzing::crash_image(data));
