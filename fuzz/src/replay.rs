//! A target as a program without libFuzzer: it runs files, such as finds, on any toolchain.

use std::process::ExitCode;

/// What a target does with an input.
pub type Oracle = fn(&[u8]);

/// Runs the files that the program's arguments name; a find is a panic, as under libFuzzer.
pub fn replay(oracle: Oracle) -> ExitCode {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        eprintln!("give it files to run; to look for new ones, use `cargo fuzz run`");
        return ExitCode::from(2);
    }
    for file in files {
        match std::fs::read(&file) {
            Ok(bytes) => oracle(&bytes),
            Err(error) => {
                eprintln!("failed to read {}: {error}", file.display());
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}
