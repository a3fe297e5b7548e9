//! One case in full: what it checks, what it does, what was seen, what was expected, what other hosts do.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use pw_abi::Version;
use pw_cases::adapter::{Adapter, Sink};
use pw_cases::case::Case;
use pw_cases::narrate;
use pw_cases::protocol::Host;
use pw_cases::statements;
use pw_cases::transcript::{Event, Transcript};

use crate::cli::ExplainArgs;
use crate::connect::{connection, invocation};
use pw_harness::attempt::{Attempt, attempt, transcript_text};
use pw_harness::console::Console;
use pw_harness::embedded;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::plan::Job;
use pw_harness::record::{self, Counts, Program};
use pw_harness::run::expected_failures;
use pw_harness::select::select_one;
use pw_harness::survey::Survey;
use pw_harness::weigh::{expected_failure, weigh};

/// Runs one case and shows it.
pub fn run(args: &ExplainArgs, console: &Console) -> Result<Exit, HarnessError> {
    let catalog = args.catalog.open()?;
    let selected = select_one(&catalog, &args.case)?;
    let case = &selected.case;
    if let Some(version) = args.abi.filter(|version| !case.versions.contains(version)) {
        return Err(HarnessError::new(format!("`{}` does not run for ABI v{version}; {}", case.id, versions(case))));
    }
    let connection = connection(&args.host)?;
    let mut adapter = connection.open()?;
    let host = adapter.host().clone();
    let version = args.abi.unwrap_or_else(|| latest(case, &host));
    console.print(&about(case, version));
    let survey = Survey::of(adapter.as_mut(), &[version])?;
    let mut adapter = connection.surveyed(survey.clone()).open()?;
    let job = Job { case, target: &selected.target, version };
    let failures = expected_failures(args.host.known.as_deref(), &host, &catalog)?;
    let attempt = attempt(job, adapter.as_mut(), &survey);
    let invocation = invocation(&args.host, &args.catalog);
    let line = weigh(job, &attempt, &failures, &invocation);
    let transcript = match &attempt {
        Attempt::Judged(transcript, _) if case.has_modules_only() => {
            let calls = calls(job, adapter.as_mut());
            Some(transcript_text(job, &survey, &with_calls(transcript, &calls)))
        }
        Attempt::Judged(transcript, _) => Some(transcript_text(job, &survey, transcript)),
        _ => None,
    };
    console.print(&render_outcome(&line, transcript.as_deref(), &host));
    if let Some(known) = expected_failure(job, &attempt, &failures) {
        console.print(&format!("expected failure  {}:{}\n", failures.file(), known.line));
    }
    console.print(&elsewhere(&line, &host));
    console.print(&format!("{}\n", invocation.explain(job.target, job.version)));
    Ok(Exit::of(Counts::of([&line]), false))
}

/// The callbacks and calls of a case's plugins, which do not report them as the probe does. Only hosts in the adapter's process see them.
fn calls(job: Job<'_>, adapter: &mut dyn Adapter) -> Vec<Event> {
    let Ok(lowered) = job.case.lower(job.version) else { return Vec::new() };
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let sink: Sink = Arc::new(move |event| seen.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone()));
    // It was run before: what fails now, was said then.
    let _ = adapter.trace(&job.case.id, job.version, &lowered.scenario, &sink);
    std::mem::take(&mut *events.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A transcript with these callbacks and calls, each before what else was seen of its step.
fn with_calls(transcript: &Transcript, calls: &[Event]) -> Transcript {
    let is_call =
        |event: &&Event| matches!(event, Event::Callback { .. } | Event::Returned { .. } | Event::Call { .. });
    let mut calls = calls.split(|event| matches!(event, Event::Step { .. }));
    let mut next = || calls.next().unwrap_or_default().iter().filter(is_call).cloned().collect::<Vec<_>>();
    let mut events = next();
    for event in &transcript.events {
        events.push(event.clone());
        if matches!(event, Event::Step { .. }) {
            events.extend(next());
        }
    }
    Transcript { events }
}

/// The latest version of the case that the host implements, else the case's latest.
fn latest(case: &Case, host: &Host) -> Version {
    let implemented = |version: &&Version| host.abi.iter().any(|name| name == version.name());
    let latest = case.versions.iter().rev().find(implemented).or(case.versions.last());
    latest.copied().unwrap_or(Version::V0_2_1)
}

fn versions(case: &Case) -> String {
    let versions: Vec<&str> = case.versions.iter().map(|version| version.name()).collect();
    format!("it is for {}", versions.join(", "))
}

/// What a case is, without running it.
fn about(case: &Case, version: Version) -> String {
    let mut text = format!("{}: {}\n\n", case.id, case.title);
    let _ = writeln!(text, "file      {}\nlevel     {}\nversions  {}", case.file, case.level, &versions(case)[10..]);
    let optional = [("why", &case.why), ("question", &case.question)];
    for (name, value) in optional {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:8}  {}", value.trim().replace('\n', "\n          "));
        }
    }
    let cited: Vec<_> = case.statements.iter().filter_map(|id| statements::find(id)).collect();
    if !cited.is_empty() {
        text += "\nstatements\n";
    }
    for one in &cited {
        let _ = writeln!(text, "  {}\n    {}\n    {}", one.id, one.says, one.url(version));
    }
    let mut clauses = case.clauses.iter().filter(|clause| cited.iter().all(|one| one.clause != **clause)).peekable();
    if clauses.peek().is_some() {
        text += "\nclauses\n";
    }
    for clause in clauses {
        let _ = writeln!(text, "  {clause}{}", doc(clause).map_or(String::new(), |doc| format!("\n    {doc}")));
        let _ = writeln!(text, "    {}", pw_abi::clause_url(clause, version));
    }
    if let Ok(lowered) = case.lower(version) {
        let words: String = narrate::script(case, &lowered).lines().map(|line| format!("  {line}\n")).collect();
        let _ = writeln!(text, "\nin words, for ABI v{version}\n{}", words.trim_end());
    }
    let _ = writeln!(text, "\nscript\n{}", numbered(&case.source));
    for (plugin, module) in case.module_texts() {
        let _ = writeln!(text, "module of {plugin}\n{}", numbered(module));
    }
    text
}

/// What the table says of a clause.
fn doc(clause: &str) -> Option<&'static str> {
    let name = clause.split('/').next().unwrap_or_default();
    let functions = || pw_abi::SECTIONS.iter().flat_map(|section| section.host);
    let callbacks = || pw_abi::SECTIONS.iter().flat_map(|section| section.guest);
    let function = functions().find(|row| row.is_called(name)).map(|row| row.doc);
    function.or_else(|| callbacks().find(|row| row.name == name).map(|row| row.doc))
}

fn numbered(source: &str) -> String {
    let width = source.lines().count().to_string().len();
    let line = |(index, line): (usize, &str)| format!("  {:width$} │ {line}", index + 1).trim_end().to_owned() + "\n";
    source.lines().enumerate().map(line).collect()
}

/// What was seen when it was run.
fn render_outcome(line: &record::Case, transcript: Option<&str>, host: &Host) -> String {
    let mut text = String::new();
    if let Some(transcript) = transcript {
        let transcript: String = transcript.lines().map(|line| format!("  {line}\n")).collect();
        let _ = writeln!(text, "transcript on {} {}, ABI v{}\n{transcript}", host.name, host.version, line.abi);
    }
    let reason = line.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let _ = writeln!(text, "{}{reason}", line.verdict);
    if let Some(link) = &line.link {
        let _ = writeln!(text, "  {link}");
    }
    if let Some(answer) = &line.answer {
        let _ = writeln!(text, "  answer {answer}");
    }
    for finding in &line.findings {
        let place = if finding.line == 0 { line.file.clone() } else { format!("{}:{}", line.file, finding.line) };
        let (about, expected, actual) = (finding.about(), &finding.expected, &finding.actual);
        let _ = writeln!(text, "  {place}: {about}\n    expected {expected}\n    actual   {actual}");
    }
    text + "\n"
}

/// What other hosts did with the case when they were last run, by the committed records.
fn elsewhere(line: &record::Case, host: &Host) -> String {
    let mut text = String::new();
    let outcomes = embedded::outcomes(&line.id, &line.abi);
    for (Program { name, version }, case) in outcomes.into_iter().filter(|(other, _)| other.name != host.name) {
        let words = case.reason.as_ref().or(case.answer.as_ref()).map_or(String::new(), |words| format!(": {words}"));
        let _ = writeln!(text, "on {name} {version}  {}{words}", case.verdict);
    }
    if text.is_empty() { text } else { text + "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_is_explained_by_the_table() {
        let rows = [
            ("proxy_log/OK", true),
            ("proxy_on_request_headers", true),
            ("wasi_snapshot_preview1.fd_write/BADF", true),
            ("#http-fields", false),
        ];
        for (clause, found) in rows {
            assert_eq!(doc(clause).is_some(), found, "{clause}");
        }
    }

    #[test]
    fn lines_are_numbered_as_messages_number_them() {
        assert_eq!(numbered("a\n\nb\n"), "  1 │ a\n  2 │\n  3 │ b\n");
    }
}
