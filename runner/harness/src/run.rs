//! A run: from a selection of cases to records and an exit code.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pw_abi::Version;
use pw_cases::case::Level;
use pw_cases::known::{ExpectedFailures, Known};
use pw_cases::protocol::Host;

use crate::connection::Connection;
use crate::console::Console;
use crate::embedded::Catalog;
use crate::error::HarnessError;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::invocation::{Invocation, PROGRAM};
use crate::junit::Evidence;
use crate::plan::{Job, Shard, plan};
use crate::pool::{self, Progress};
use crate::record::{CutShort, Header, Program, Record};
use crate::recorder::{Output, Recorder};
use crate::running::{Running, Verbosity};
use crate::select::{Selection, select};
use crate::survey::Survey;
use crate::weigh::weigh;

/// What is run, where, and what is kept of it.
#[derive(Debug)]
pub struct Options {
    /// The catalog.
    pub catalog: Catalog,
    /// Case files, folders of them, or parts of ids; none means the whole catalog.
    pub cases: Vec<String>,
    /// The one version of the ABI to run for.
    pub abi: Option<Version>,
    /// The one level of cases to run.
    pub level: Option<Level>,
    /// A record; only what failed in it is run.
    pub failed: Option<PathBuf>,
    /// The part of the cases to run.
    pub shard: Option<Shard>,
    /// The number of failures after which the run ends.
    pub max_fail: Option<usize>,
    /// The percentage of required cases that has to be run.
    pub require_coverage: Option<u8>,
    /// How much is shown.
    pub verbosity: Verbosity,
    /// The number of adapters that run side by side; none means as the connection says.
    pub jobs: Option<usize>,
    /// Where the record is written.
    pub report: Option<PathBuf>,
    /// Where the JUnit report is written.
    pub junit: Option<PathBuf>,
    /// Where entries for what failed are written; a new file.
    pub draft_known: Option<PathBuf>,
    /// A file with the expected failures of the host; none means that of the catalog.
    pub known: Option<PathBuf>,
    /// The host as it was named on the command line, for the record.
    pub host: String,
    /// How to say in a message that something is to be run again.
    pub invocation: Invocation,
}

/// Runs cases. The host is started only once it is known that there is something to run, and that the files can be written.
///
/// # Errors
///
/// The options, a file, an adapter or the harness failed. What the host does wrong is not an error.
pub fn run(
    options: &Options,
    connect: impl FnOnce() -> Result<Connection, HarnessError>,
    console: &mut Console,
) -> Result<Exit, HarnessError> {
    let begun = Instant::now();
    let selection = select(&options.catalog, &options.cases)?;
    selection.errors.iter().for_each(|error| console.error(&error.to_string()));
    let mut jobs = plan(&selection.cases, options.abi);
    jobs.retain(|job| options.level.is_none_or(|level| job.case.level == level));
    if let Some(file) = &options.failed
        && !keep_failed(&mut jobs, file)?
    {
        console.status(&format!("nothing failed in {}", file.display()));
        return Ok(Exit::Passed);
    }
    options.shard.iter().for_each(|shard| shard.keep(&mut jobs));
    if jobs.is_empty() {
        return nothing(&selection, options);
    }
    let report = options.report.as_deref().map(Output::create).transpose()?;
    let junit = options.junit.as_deref().map(Output::create).transpose()?;
    let draft = options.draft_known.as_deref().map(new_file).transpose()?;
    apart(report.as_ref(), junit.as_ref(), options, &selection)?;
    let connection = connect()?;
    let interrupt = Interrupt::listen()?;
    let mut adapter = connection.open()?;
    let host = adapter.host().clone();
    let versions: BTreeSet<Version> = jobs.iter().map(|job| job.version).collect();
    let survey = Survey::of(adapter.as_mut(), &versions.into_iter().collect::<Vec<_>>())?;
    if options.verbosity != Verbosity::Quiet {
        let lines = survey.text(&host.name, options.verbosity == Verbosity::Verbose);
        lines.iter().for_each(|line| console.status(line));
    }
    let count = options.jobs.unwrap_or(connection.jobs).min(jobs.len());
    let connection = connection.surveyed(survey.clone());
    // The first adapter has been asked by probes that know nothing of the survey.
    drop(adapter);
    let adapters = (0..count).map(|_| connection.open()).collect::<Result<_, _>>()?;
    let failures = expected_failures(options.known.as_deref(), &host, &options.catalog)?;
    let unknown = unknown(&failures, &selection);
    if !unknown.is_empty() {
        unknown.iter().for_each(|error| console.error(error));
        return Ok(Exit::Broken);
    }
    let stale = stale_lacks(&failures, &host, &survey);
    stale.iter().for_each(|message| console.error(message));
    let mut header = header(&options.host, &host, &selection, &survey, jobs.len());
    let part = !selection.others.is_empty() || jobs.len() < plan(&selection.cases, None).len();
    header.sdk = options.catalog.sdk().map(|sdk| sdk.judged(part));
    let recorder = Recorder::begin(&header, report)?;
    let mut running = Running::new(console, options.verbosity, header, recorder);
    (running.junit, running.draft, running.max_fail) = (junit, draft, options.max_fail);
    running.summary.sdk = options.catalog.sdk().map(|sdk| sdk.plugins.clone());
    pool::run(&jobs, adapters, &|| connection.open(), &survey, &interrupt, |progress| {
        match progress {
            Progress::Done(index, attempt, took) => {
                let case = weigh(jobs[index], &attempt, &failures, &options.invocation);
                let evidence = Evidence::new(jobs[index], &survey, &case, &attempt, took);
                return running.add(case, evidence);
            }
            Progress::Over => {
                if interrupt.came() && !running.is_done() {
                    running.cut_short = Some(CutShort::Interrupted);
                }
                running.end(begun.elapsed());
            }
        }
        ControlFlow::Continue(())
    });
    let (score, cut_short) = (running.summary.required(), running.cut_short);
    let counts = running.counts()?;
    let exit = Exit::of(counts, !selection.errors.is_empty());
    if exit == Exit::Passed && cut_short.is_none() && counts.skip == jobs.len() {
        console.error("no case was run: all were skipped; -v shows the reasons (--require-coverage 0 allows that)");
        return Ok(if options.require_coverage == Some(0) { Exit::Passed } else { Exit::Broken });
    }
    match (exit, options.require_coverage) {
        _ if cut_short == Some(CutShort::Interrupted) => Ok(Exit::Interrupted),
        (Exit::Passed, _) if !stale.is_empty() => Ok(Exit::Failed),
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

/// A file that is not there yet, so that no draft that was filled in is lost.
fn new_file(path: &Path) -> Result<Output, HarnessError> {
    match path.exists() {
        true => Err(HarnessError::new(format!("--draft-known {}: it is there: name a new file", path.display()))),
        false => Output::create(path),
    }
}

/// No output is the other one, nor a file that is read: the names of one file may differ.
fn apart(
    report: Option<&Output>,
    junit: Option<&Output>,
    options: &Options,
    selection: &Selection,
) -> Result<(), HarnessError> {
    if let (Some(report), Some(junit)) = (report, junit)
        && report.is(junit.path())
    {
        return Err(HarnessError::new("--report and --junit name the same file"));
    }
    let cases = selection.cases.iter().map(|selected| Path::new(&selected.case.file));
    let inputs: Vec<&Path> = cases.chain(options.known.as_deref()).collect();
    for (flag, output) in [("--report", report), ("--junit", junit)] {
        let Some(output) = output else { continue };
        if let Some(input) = inputs.iter().find(|input| output.is(input)) {
            return Err(HarnessError::new(format!("{flag} would overwrite {}, which is read", input.display())));
        }
    }
    Ok(())
}

/// No case is left: its files could not be read, or it does not run for the version, or has another level.
fn nothing(selection: &Selection, options: &Options) -> Result<Exit, HarnessError> {
    let Some(first) = selection.cases.first() else {
        let none = || HarnessError::new("there are no cases to run");
        return if selection.errors.is_empty() { Err(none()) } else { Ok(Exit::Broken) };
    };
    let id = &first.case.id;
    Err(HarnessError::new(match (options.abi, options.level) {
        (Some(abi), Some(level)) => format!("none of these cases, such as `{id}`, is {level} and runs for ABI v{abi}"),
        (Some(abi), None) => format!("none of these cases, such as `{id}`, runs for ABI v{abi}"),
        (None, Some(level)) => format!("none of these cases, such as `{id}`, is {level}"),
        (None, None) => "there are fewer cases than shards, and none for this one".to_owned(),
    }))
}

/// The expected failures of a host: those of a file, or those that the catalog has for it.
///
/// # Errors
///
/// The file cannot be read, or is wrong.
pub fn expected_failures(
    file: Option<&Path>,
    host: &Host,
    catalog: &Catalog,
) -> Result<ExpectedFailures, HarnessError> {
    let failures = file.map_or_else(|| catalog.expected_failures(&host.name), |file| catalog.read_known(file))?;
    let sdk = catalog.sdk().map_or("", |sdk| sdk.program.name.as_str());
    Ok(failures.with_faults(catalog.faults(&host.name)?, sdk).of_host(&host.name, &host.version))
}

/// Entries of expected failures that match no case; unknown while a part of the catalog cannot be read.
fn unknown(failures: &ExpectedFailures, selection: &Selection) -> Vec<String> {
    if !selection.catalog_is_whole {
        return Vec::new();
    }
    let cases: Vec<_> = selection.cases.iter().map(|selected| &selected.case).chain(&selection.others).collect();
    failures.check(&cases).iter().map(ToString::to_string).collect()
}

/// What expected failures say that a host lacks, and it does not.
fn stale_lacks(failures: &ExpectedFailures, host: &Host, survey: &Survey) -> Vec<String> {
    let is_asked = |version: &Version| {
        host.abi.iter().any(|name| name == version.name())
            && survey.refusal(*version).is_none()
            && survey.knows(*version)
    };
    let stale = |version: Version| {
        let place = |line: usize| format!("{}:{line}", failures.file());
        let message = move |(known, function): (&Known, &str)| {
            let place = place(known.line);
            format!("{place}: {} has {function} of ABI v{version} now: remove it from `lacks`", host.name)
        };
        failures.stale_lacks(version, survey.lacks(version)).into_iter().map(message).collect::<Vec<_>>()
    };
    Version::ALL.into_iter().filter(is_asked).flat_map(stale).collect()
}

fn header(adapter: &str, host: &Host, selection: &Selection, survey: &Survey, planned: usize) -> Header {
    Header {
        suite: Program { name: PROGRAM.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        host: Program { name: host.name.clone(), version: host.version.clone() },
        adapter: adapter.to_owned(),
        sdk: None,
        catalog: selection.catalog(),
        planned,
        lacks: survey
            .rows()
            .map(|(version, lacks)| (version.name().to_owned(), lacks.iter().map(|name| (*name).to_owned()).collect()))
            .collect(),
        refuses: survey.refused().map(|(version, reason)| (version.name().to_owned(), reason.to_owned())).collect(),
        started: crate::timestamp::now(),
    }
}
