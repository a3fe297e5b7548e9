//! The command `run`: from the words of the command line to records and an exit code.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pw_cases::known::Ledger;
use pw_cases::protocol::Host;
use signal_hook::consts::SIGINT;

use crate::adapter::Adapter;
use crate::adapter::connect::Connection;
use crate::cli::{HostArgs, RunArgs};
use crate::commands::Exit;
use crate::console::Console;
use crate::embedded::{self, Catalog};
use crate::error::HarnessError;
use crate::invocation::Invocation;
use crate::plan::{Job, plan};
use crate::pool::{self, Progress};
use crate::record::{CutShort, Header, Program, Record};
use crate::recorder::{Output, Recorder};
use crate::running::Running;
use crate::select::{Selection, select};
use crate::verdict::weigh;

/// Runs cases.
pub fn run(args: &RunArgs, console: &mut Console) -> Result<Exit, HarnessError> {
    let begun = Instant::now();
    let catalog = Catalog::new(args.catalog.catalog.as_deref())?;
    let selection = select(&catalog, &args.cases)?;
    selection.errors.iter().for_each(|error| console.error(&error.to_string()));
    let mut jobs = plan(&selection.cases, args.abi);
    jobs.retain(|job| args.level.is_none_or(|level| job.case.level == level));
    if let Some(file) = &args.failed
        && !keep_failed(&mut jobs, file)?
    {
        console.tell(&format!("nothing failed in {}", file.display()));
        return Ok(Exit::Passed);
    }
    args.shard.iter().for_each(|shard| shard.keep(&mut jobs));
    if jobs.is_empty() {
        return nothing(&selection, args);
    }
    if args.report.is_some() && args.report == args.junit {
        return Err(HarnessError::new("--report and --junit name the same file"));
    }
    let report = args.report.as_deref().map(Output::create).transpose()?;
    let junit = args.junit.as_deref().map(Output::create).transpose()?;
    let connection = Connection::new(&args.host)?;
    let interrupted = interrupts()?;
    let adapters = open(&connection, args.jobs.map_or(connection.jobs(), usize::from).min(jobs.len()))?;
    let host = adapters[0].host().clone();
    let ledger = ledger(&args.host, &host, &catalog)?;
    let unknown = unknown(&ledger, &selection);
    unknown.iter().for_each(|error| console.error(error));

    let invocation = Invocation::new(&args.host, &args.catalog);
    let header = header(&args.host.host, &host, &selection, jobs.len());
    let recorder = Recorder::begin(&header, report)?;
    let mut running = Running::new(console, args.verbosity(), header, recorder);
    (running.junit, running.max_fail) = (junit, args.max_fail);
    pool::run(&jobs, adapters, &|| connection.open(), &interrupted, |progress| {
        match progress {
            Progress::Done(index, attempt, took) => {
                let case = weigh(jobs[index], &attempt, &ledger, &invocation);
                return running.add(case, &attempt, took);
            }
            Progress::Over => {
                if interrupted.load(Ordering::Relaxed) && !running.is_done() {
                    running.cut_short = Some(CutShort::Interrupted);
                }
                running.end(begun.elapsed());
            }
        }
        ControlFlow::Continue(())
    });
    let (score, cut_short) = (running.summary.required(), running.cut_short);
    let exit = Exit::of(running.counts()?, !selection.errors.is_empty() || !unknown.is_empty());
    match (exit, args.require_coverage) {
        _ if cut_short == Some(CutShort::Interrupted) => Ok(Exit::Interrupted),
        (Exit::Passed | Exit::Failed, Some(percent)) if cut_short.is_some() || !score.covers(percent) => {
            let (run, all) = (score.run, score.all);
            let message = format!("{run} of {all} required cases were run, less than --require-coverage {percent}");
            console.error(&message);
            Ok(Exit::Failed)
        }
        _ => Ok(exit),
    }
}

/// Keeps the jobs that failed in the record. The answer is whether any did.
fn keep_failed(jobs: &mut Vec<Job<'_>>, file: &Path) -> Result<bool, HarnessError> {
    let record = Record::read(file)?;
    let failed = record.cases.iter().filter(|case| case.verdict.is_bad());
    let failed: BTreeSet<(&str, &str)> = failed.map(|case| (case.id.as_str(), case.abi.as_str())).collect();
    jobs.retain(|job| failed.contains(&(job.case.id.as_str(), job.version.name())));
    match failed.first() {
        Some((id, abi)) if jobs.is_empty() => Err(HarnessError::new(format!(
            "`{id}` (ABI v{abi}), which failed in {}, is not among these cases, nor is any other that failed: \
             name their files or folders",
            file.display()
        ))),
        first => Ok(first.is_some()),
    }
}

/// A flag that Ctrl-C sets; the second Ctrl-C ends the program.
fn interrupts() -> Result<Arc<AtomicBool>, HarnessError> {
    let flag = Arc::new(AtomicBool::new(false));
    let code = i32::from(Exit::Interrupted as u8);
    signal_hook::flag::register_conditional_shutdown(SIGINT, code, Arc::clone(&flag))
        .and_then(|_| signal_hook::flag::register(SIGINT, Arc::clone(&flag)))
        .map_err(|error| HarnessError::io("listen to", "Ctrl-C", &error))?;
    Ok(flag)
}

/// No case is left: its files could not be read, or it does not run for the version, or has another level.
fn nothing(selection: &Selection, args: &RunArgs) -> Result<Exit, HarnessError> {
    let Some(first) = selection.cases.first() else {
        let none = || HarnessError::new("there are no cases to run");
        return if selection.errors.is_empty() { Err(none()) } else { Ok(Exit::Broken) };
    };
    let id = &first.case.id;
    Err(HarnessError::new(match (args.abi, args.level) {
        (Some(abi), Some(level)) => format!("none of these cases, such as `{id}`, is {level} and runs for ABI v{abi}"),
        (Some(abi), None) => format!("none of these cases, such as `{id}`, runs for ABI v{abi}"),
        (None, Some(level)) => format!("none of these cases, such as `{id}`, is {level}"),
        (None, None) => "there are fewer cases than parts, and none for this one".to_owned(),
    }))
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
