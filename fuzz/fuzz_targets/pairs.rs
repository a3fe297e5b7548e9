//! See [`pw_fuzz::pairs`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pw_fuzz::pairs(bytes));
