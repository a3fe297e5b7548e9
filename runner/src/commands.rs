//! The commands: each from its flags to an exit code. Knows no details of any.

use std::path::PathBuf;

use clap::CommandFactory;
use pw_abi::Version;

use crate::cli::{AbiArgs, AdapterCommand, Cli, Command, CoverageArgs, ListArgs, ReportArgs};
use crate::console::Console;
use crate::embedded::Catalog;
use crate::error::HarnessError;
use crate::record::Counts;
use crate::select::select;
use crate::{check, coverage, explain, fuzz, list, plugins, report, run as run_cases, soak, table, try_plugin};

/// How the program exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing failed.
    Passed = 0,
    /// A case failed, or is stale; a module has errors; a promise of the soak does not hold.
    Failed = 1,
    /// The harness or its input failed.
    Broken = 2,
    /// Somebody interrupted it, which shells report by this code.
    Interrupted = 130,
}

impl Exit {
    /// The exit that these counts mean.
    pub fn of(counts: Counts, input_is_bad: bool) -> Exit {
        match counts {
            _ if input_is_bad || counts.error > 0 => Exit::Broken,
            _ if counts.fail + counts.stale > 0 => Exit::Failed,
            _ => Exit::Passed,
        }
    }
}

/// Does what the command line says.
pub fn run(command: &Command, console: &mut Console) -> Result<Exit, HarnessError> {
    let text = match command {
        Command::Run(args) => return run_cases::run(args, console),
        Command::Explain(args) => return explain::run(args, console),
        Command::List(args) => return list_cases(args, console),
        Command::Coverage(args) => return covered(args, console),
        Command::Plugins(args) => return plugins::run(args, console),
        Command::Check(args) => return check::run(args, console),
        Command::Fuzz(args) => return fuzz::run(args, console),
        Command::Soak(args) => return soak::run(args, console),
        Command::Adapter(AdapterCommand::Envoy { envoy }) => return envoy_adapter(envoy.clone()),
        Command::Try(args) => try_plugin::run(args)?,
        Command::Abi(args) => abi(args),
        Command::Report(args) => reports(args)?,
        Command::Completions { shell } => completions(*shell),
        Command::Man => man(),
    };
    console.print(&text);
    Ok(Exit::Passed)
}

fn list_cases(args: &ListArgs, console: &Console) -> Result<Exit, HarnessError> {
    let selection = select(&Catalog::new(args.catalog.catalog.as_deref())?, &args.cases)?;
    selection.errors.iter().for_each(|error| console.error(&error.to_string()));
    console.print(&if args.json { list::json(&selection.cases) } else { list::text(&selection.cases) });
    Ok(Exit::of(Counts::default(), !selection.errors.is_empty()))
}

fn covered(args: &CoverageArgs, console: &Console) -> Result<Exit, HarnessError> {
    let records = report::read(&args.records)?;
    let (cases, errors) = Catalog::new(args.catalog.catalog.as_deref())?.written();
    errors.iter().for_each(|error| console.error(&error.to_string()));
    console.print(&match args {
        CoverageArgs { json: true, .. } => coverage::json(&cases, &records),
        CoverageArgs { markdown: true, .. } => coverage::markdown(&cases, &records),
        _ => coverage::text(&cases, &records),
    });
    Ok(Exit::of(Counts::default(), !errors.is_empty()))
}

#[cfg(unix)]
fn envoy_adapter(envoy: Option<PathBuf>) -> Result<Exit, HarnessError> {
    pw_adapter_envoy::program::run(envoy).map(|()| Exit::Passed).map_err(HarnessError::new)
}

#[cfg(not(unix))]
fn envoy_adapter(_: Option<PathBuf>) -> Result<Exit, HarnessError> {
    Err(HarnessError::new("the adapter for Envoy needs a Unix"))
}

fn abi(args: &AbiArgs) -> String {
    let version = args.abi.unwrap_or(Version::V0_2_1);
    match args {
        AbiArgs { markdown: true, .. } => table::markdown(),
        AbiArgs { json: true, .. } => table::json(version),
        _ => table::text(version),
    }
}

fn reports(args: &ReportArgs) -> Result<String, HarnessError> {
    let written = report::write(&args.records, &args.out)?;
    Ok(written.iter().map(|path| format!("wrote {}\n", path.display())).collect())
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pw-conform", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The page of the program and of each of its commands, one behind the other.
fn man() -> String {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned().map(|command| {
        let name = format!("pw-conform-{}", command.get_name());
        command.name(name)
    });
    let pages = std::iter::once(program.clone()).chain(commands).map(|command| {
        let mut bytes = Vec::new();
        // Writing to memory does not fail.
        let _ = clap_mangen::Man::new(command).render(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    pages.collect()
}
