//! The program: reads the command line, runs the command, and ends with its exit code.

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use pw_conform::cli::Cli;
use pw_conform::commands;
use pw_harness::console::{ColorWhen, Console};
use pw_harness::exit::Exit;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    if let Some(exit) = pw_adapter_kit::guard::become_guarded() {
        return exit;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let mut console = Console::new(cli.color);
    let exit = commands::run(&cli.command, &mut console).unwrap_or_else(|error| {
        console.error(&error.to_string());
        Exit::Broken
    });
    let exit = if console.is_whole() { exit } else { Exit::Broken };
    ExitCode::from(exit as u8)
}

/// Prints help, the version, or what is wrong with the command line.
fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Err(lost) if lost.kind() != ErrorKind::BrokenPipe => {
            Console::new(ColorWhen::Auto).error(&format!("failed to write the standard output: {lost}"));
            ExitCode::from(Exit::Broken as u8)
        }
        _ => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Broken as u8)),
    }
}
