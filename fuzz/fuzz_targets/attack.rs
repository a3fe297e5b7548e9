//! See [`pw_fuzz_targets::attack`].
#![cfg_attr(fuzzing, no_main)]

#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

#[cfg(fuzzing)]
pw_fuzz_targets::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pw_fuzz_targets::attack(bytes));

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    pw_fuzz_targets::campaign()
}
