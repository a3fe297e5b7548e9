//! See [`pw_fuzz_targets::property_path`].
#![cfg_attr(fuzzing, no_main)]

pw_fuzz_targets::target!(pw_fuzz_targets::property_path);
