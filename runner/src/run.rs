//! The command `run`: from the words of the command line to records and an exit code.

use std::ops::ControlFlow;
use std::time::Instant;

use pw_cases::known::Ledger;
use pw_cases::protocol::Host;

use crate::adapter::Adapter;
use crate::adapter::connect::Connection;
use crate::cli::{HostArgs, RunArgs};
use crate::commands::Exit;
use crate::console::Console;
use crate::embedded::{self, Catalog};
use crate::error::HarnessError;
use crate::invocation::Invocation;
use crate::plan::plan;
use crate::pool;
use crate::record::{Counts, Header, Program, Record};
use crate::recorder::{Output, Recorder};
use crate::report::junit;
use crate::select::{Selection, select};
use crate::verdict::weigh;

/// Runs cases.
pub fn run(args: &RunArgs, console: &mut Console) -> Result<Exit, HarnessError> {
    let begun = Instant::now();
    let catalog = Catalog::new(args.catalog.catalog.as_deref())?;
    let selection = select(&catalog, &args.cases)?;
    selection.errors.iter().for_each(|error| console.error(&error.to_string()));
    let mut jobs = plan(&selection.cases, args.abi);
    args.shard.iter().for_each(|shard| shard.keep(&mut jobs));
    if jobs.is_empty() {
        return nothing(&selection, args);
    }
    if args.report.is_some() && args.report == args.junit {
        return Err(HarnessError::new("--report and --junit name the same file"));
    }
    let report = args.report.as_deref().map(Output::create).transpose()?;
    let mut junit_file = args.junit.as_deref().map(Output::create).transpose()?;
    let connection = Connection::new(&args.host)?;
    let adapters = open(&connection, args.jobs.map_or(connection.jobs(), usize::from).min(jobs.len()))?;
    let host = adapters[0].host().clone();
    let ledger = ledger(&args.host, &host, &catalog)?;
    let unknown = unknown(&ledger, &selection);
    unknown.iter().for_each(|error| console.error(error));

    let invocation = Invocation::new(&args.host, &args.catalog);
    let header = header(&args.host.host, &host, &selection, jobs.len());
    let mut recorder = Recorder::begin(&header, report)?;
    let mut cases = Vec::new();
    let mut trouble = None;
    pool::run(&jobs, adapters, &|| connection.open(), |index, attempt| {
        let case = weigh(jobs[index], &attempt, &ledger, &invocation);
        console.case(&case);
        console.progress(index + 1, jobs.len(), &case.id);
        cases.push(case.clone());
        match recorder.add(case) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                trouble = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    console.summary(&header, Counts::of(&cases), begun.elapsed());
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    let footer = recorder.end()?;
    let counts = footer.counts;
    if let Some(file) = &mut junit_file {
        file.write(&junit::render(&Record { header, cases, footer })?)?;
    }
    let input_is_bad = !selection.errors.is_empty() || !unknown.is_empty();
    Ok(Exit::of(counts, input_is_bad))
}

/// No case is left: its files could not be read, or it does not run for the version.
fn nothing(selection: &Selection, args: &RunArgs) -> Result<Exit, HarnessError> {
    match args.abi {
        None if args.shard.is_some() && !selection.cases.is_empty() => {
            Err(HarnessError::new("there are fewer cases than parts, and none for this one"))
        }
        Some(only) if !selection.cases.is_empty() => {
            let id = &selection.cases[0].case.id;
            Err(HarnessError::new(format!("none of these cases, such as `{id}`, runs for ABI v{only}")))
        }
        _ if selection.errors.is_empty() => Err(HarnessError::new("there are no cases to run")),
        _ => Ok(Exit::Broken),
    }
}

fn open(connection: &Connection, count: usize) -> Result<Vec<Box<dyn Adapter>>, HarnessError> {
    (0..count).map(|_| connection.open()).collect()
}

/// The ledger that somebody names, or the catalog's of the host.
pub fn ledger(args: &HostArgs, host: &Host, catalog: &Catalog) -> Result<Ledger, HarnessError> {
    args.known.as_deref().map_or_else(|| catalog.ledger(&host.name), embedded::ledger)
}

/// Entries of the ledger that are about no case; nobody knows while a part of the catalog cannot be read.
fn unknown(ledger: &Ledger, selection: &Selection) -> Vec<String> {
    if !selection.catalog_is_whole {
        return Vec::new();
    }
    let cases: Vec<_> = selection.cases.iter().map(|selected| &selected.case).chain(&selection.others).collect();
    ledger.check(&cases).iter().map(ToString::to_string).collect()
}

fn header(adapter: &str, host: &Host, selection: &Selection, planned: usize) -> Header {
    Header {
        suite: Program { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        host: Program { name: host.name.clone(), version: host.version.clone() },
        adapter: adapter.to_owned(),
        catalog: selection.catalog(),
        planned,
        started: crate::timestamp::now(),
    }
}
