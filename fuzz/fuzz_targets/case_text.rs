//! See [`pw_fuzz::case_text`].
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| pw_fuzz::case_text(text));
