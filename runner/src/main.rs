//! The program: reads the command line, does what it says, and exits by what came out.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use pw_conform::cli::Cli;
use pw_conform::commands;
use pw_harness::console::Console;
use pw_harness::exit::Exit;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    #[cfg(unix)]
    if let Some(exit) = pw_adapter_kit::guard::become_guarded() {
        return exit;
    }
    let cli = Cli::parse();
    let mut console = Console::new(cli.color);
    let exit = commands::run(&cli.command, &mut console).unwrap_or_else(|error| {
        console.error(&error.to_string());
        Exit::Broken
    });
    let exit = if console.is_whole() { exit } else { Exit::Broken };
    ExitCode::from(exit as u8)
}
