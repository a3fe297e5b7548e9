//! See [`pw_fuzz_targets::case_text`].
#![cfg_attr(fuzzing, no_main)]

pw_fuzz_targets::target!(pw_fuzz_targets::case_text);
