//! The commands: each from its flags to an exit code. Knows no details of any.

use clap::CommandFactory;
use pw_abi::Version;
use pw_cases::{files, language};
use pw_harness::console::Console;
use pw_harness::embedded::Catalog;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::record::Counts;
use pw_harness::select::select;
use pw_host::Choices;
use pw_plugin::{check, try_plugin};
use pw_report::choices::Switch;
use pw_report::{coverage, table};

use crate::cli::{AbiArgs, Cli, Command, CoverageArgs, InitCommand, ListArgs, ReportArgs, SchemaName};
use crate::{adapter, explain, fuzz, init, list, run as run_cases, sdk, smoke, soak};

/// Runs the command.
pub fn run(command: &Command, console: &mut Console) -> Result<Exit, HarnessError> {
    let text = match command {
        Command::Run(args) => return run_cases::run(args, console),
        Command::Sdk(args) => return sdk::run(args, console),
        Command::Explain(args) => return explain::run(args, console),
        Command::List(args) => return list_cases(args, console),
        Command::Coverage(args) => return covered(args, console),
        Command::Check(args) => return check::run(args, console),
        Command::Try(args) => return try_plugin::run(args, console),
        Command::Fuzz(args) => return fuzz::run(args, console),
        Command::Soak(args) => return soak::run(args, console),
        Command::Smoke(args) => return smoke::run(args, console),
        Command::Adapter(command) => return adapter::run(command),
        Command::Init(InitCommand::Adapter(args)) => init::adapter(args)?,
        Command::Init(InitCommand::Sdk(args)) => init::sdk(&args.folder)?,
        Command::Abi(args) => abi(args),
        Command::Report(args) => reports(args)?,
        Command::Schema { name, markdown } => schema(*name, *markdown)?,
        Command::Completions { shell } => completions(*shell),
        Command::Man => man(),
    };
    console.print(&text);
    Ok(Exit::Passed)
}

fn list_cases(args: &ListArgs, console: &Console) -> Result<Exit, HarnessError> {
    let selection = select(&args.catalog.open()?, &args.cases)?;
    selection.errors.iter().for_each(|error| console.error(&error.to_string()));
    console.print(&if args.json { list::json(&selection.cases) } else { list::text(&selection.cases) });
    Ok(Exit::of(Counts::default(), !selection.errors.is_empty()))
}

fn covered(args: &CoverageArgs, console: &Console) -> Result<Exit, HarnessError> {
    if let Some(file) = &args.against {
        let text = files::text(file, files::TEXT);
        let text = text.map_err(|error| HarnessError::io("read", file.display(), &error))?;
        console.print(&coverage::against(&text, args.abi));
        return Ok(Exit::Passed);
    }
    let records = pw_report::read(&args.records)?.hosts;
    if args.catalog.sdk.is_some() {
        return Err(HarnessError::new("--sdk: the cases of the SDK kit cite no statement of the specification"));
    }
    let (cases, errors) = args.catalog.open()?.cases();
    errors.iter().for_each(|error| console.error(&error.to_string()));
    console.print(&match args {
        CoverageArgs { json: true, .. } => coverage::json(&cases, &records),
        CoverageArgs { markdown: true, .. } => coverage::markdown(&cases, &records),
        _ => coverage::text(&cases, &records),
    });
    Ok(Exit::of(Counts::default(), !errors.is_empty()))
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
    let (cases, _) = Catalog::new(None)?.written();
    let written = pw_report::write(&args.records, &cases, &switches(), &args.out)?;
    Ok(written.iter().map(|path| format!("wrote {}\n", path.display())).collect())
}

/// The switches of the reference host.
pub fn switches() -> Vec<Switch> {
    let usual = Choices::default();
    let switches = Choices::NAMES.iter().zip(Choices::DOCS);
    switches.map(|(name, doc)| Switch { name, default: usual.get(name).unwrap_or_default(), doc }).collect()
}

fn schema(name: SchemaName, markdown: bool) -> Result<String, HarnessError> {
    let schema = match (name, markdown) {
        (SchemaName::Case, true) => return Ok(language::manual()),
        (_, true) => return Err(HarnessError::new("only the schema `case` has a reference in Markdown")),
        (SchemaName::Case, false) => language::schema(),
        (SchemaName::Protocol, false) => pw_cases::protocol::schema().to_value(),
        (SchemaName::Record, false) => pw_harness::record::schema().to_value(),
    };
    Ok(format!("{schema:#}\n"))
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pw-conform", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The page of the program and of each of its commands, one after the other.
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
