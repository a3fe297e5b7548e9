//! See [`pw_fuzz_targets::isolation`].
#![cfg_attr(fuzzing, no_main)]

pw_fuzz_targets::target!(pw_fuzz_targets::isolation);
