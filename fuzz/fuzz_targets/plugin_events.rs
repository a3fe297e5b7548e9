//! See [`pw_fuzz_targets::plugin_events`].
#![cfg_attr(fuzzing, no_main)]

pw_fuzz_targets::target!(pw_fuzz_targets::plugin_events);
