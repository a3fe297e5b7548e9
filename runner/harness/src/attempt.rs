//! One case for one version through an adapter: lowered, run, read back, judged.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pw_abi::Function;
use pw_cases::adapter::{Adapter, Outcome};
use pw_cases::case::{Case, Level};
use pw_cases::judge::{Judgement, judge};
use pw_cases::lower::Lowered;
use pw_cases::narrate::Narrated;
use pw_cases::needs::needs;
use pw_cases::protocol::Host;
use pw_cases::report::decode;
use pw_cases::scenario::{Guest, Scenario};
use pw_cases::script;
use pw_cases::transcript::{Event, Transcript};
use wasmparser::{FuncType, Import, Parser, Payload, TypeRef, ValType};

use crate::error::HarnessError;
use crate::plan::Job;
use crate::record::NOT_IMPLEMENTED;
use crate::survey::Survey;

/// The outcome of an attempt.
#[derive(Clone, Debug)]
pub enum Attempt {
    /// The case was run, and its transcript judged.
    Judged(Transcript, Judgement),
    /// The host lacks functions that the case is about.
    Lacks(Vec<&'static str>),
    /// The case cannot be run on this host, for this reason.
    Skipped(String),
    /// The harness failed.
    Failed(HarnessError),
    /// The harness failed, and the adapter with it: it must not be used again.
    Panicked(HarnessError),
}

/// Attempts a job on a host that lacks the functions of a survey.
pub fn attempt(job: Job<'_>, adapter: &mut dyn Adapter, survey: &Survey) -> Attempt {
    let case = &*as_run(job, survey);
    let lowered = match case.lower(job.version) {
        Ok(lowered) => lowered,
        Err(complaint) => {
            let (file, line) = (&case.file, complaint.line);
            return Attempt::Failed(HarnessError::new(format!("{file}:{line}: {}", complaint.message)));
        }
    };
    if let Some(reason) = lacking(job, &lowered.scenario, adapter.host()) {
        return Attempt::Skipped(reason);
    }
    if survey.refusal(job.version).is_some() && !case.accepts_refusal() && !cites_loading(case) {
        let Host { name, version, .. } = adapter.host();
        return Attempt::Skipped(format!("{name} {version} starts no plugin of ABI v{}", job.version));
    }
    if let Some(attempt) = lacking_functions(job, &lowered.scenario, survey, adapter.host()) {
        return attempt;
    }
    let run = || adapter.run(&case.id, job.version, &lowered.scenario);
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(Outcome::Ran(transcript))) => {
            let wrong = missing_steps(&lowered.scenario, &transcript);
            if let Some(missing) = wrong.or_else(|| unknown_plugin(&lowered.scenario, &transcript)) {
                return Attempt::Failed(HarnessError::new(format!("the adapter of {} {missing}", adapter.host().name)));
            }
            let transcript = decode(transcript, &lowered.scenario);
            let judgement = judge(case, &lowered, &transcript);
            Attempt::Judged(transcript, judgement)
        }
        Ok(Ok(Outcome::Skipped(reason))) => Attempt::Skipped(reason),
        Ok(Err(error)) => Attempt::Failed(HarnessError::new(error)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Attempt::Panicked(HarnessError::new(format!("{} panicked: {text}", adapter.host().name)))
        }
    }
}

/// The case without what the host lacks, if it is one that calls every function.
pub fn as_run<'a>(job: Job<'a>, survey: &Survey) -> Cow<'a, Case> {
    let lacks = survey.lacks(job.version);
    match job.case.every_function && !lacks.is_empty() {
        true => Cow::Owned(job.case.without_calls(lacks)),
        false => Cow::Borrowed(job.case),
    }
}

/// A transcript with what the world did in each step.
pub fn transcript_text(job: Job<'_>, survey: &Survey, transcript: &Transcript) -> String {
    match as_run(job, survey).lower(job.version) {
        Ok(Lowered { scenario, .. }) => Narrated { transcript, scenario: &scenario }.to_string(),
        // It was run, so that it can be lowered; the events say most of it anyway.
        Err(_) => transcript.to_string(),
    }
}

/// The functions that a probe calls, or that a module imports.
fn functions(guest: &Guest) -> Vec<&'static Function> {
    let wasm = match guest {
        Guest::Probe(script) => return script.functions(),
        Guest::Module(wasm) => wasm,
        Guest::Shaped(shape, _) => &shape.wasm,
    };
    let mut types: Vec<FuncType> = Vec::new();
    let mut functions = Vec::new();
    // Of a module that cannot be read, what comes before the place counts: the host has to say what is wrong with it.
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        match payload {
            Payload::TypeSection(section) => types.extend(section.into_iter_err_on_gc_types().map_while(Result::ok)),
            Payload::ImportSection(imports) => {
                functions
                    .extend(imports.into_imports().map_while(Result::ok).filter_map(|import| row(&import, &types)));
            }
            _ => {}
        }
    }
    functions
}

/// The function that is imported as the table declares it.
fn row(import: &Import<'_>, types: &[FuncType]) -> Option<&'static Function> {
    let TypeRef::Func(index) = import.ty else { return None };
    let found = types.get(index as usize)?;
    let row = script::functions().find(|row| row.module == import.module && row.name == import.name)?;
    let names = |types: &[ValType]| types.iter().map(ValType::to_string).collect::<Vec<_>>();
    let params: Vec<String> = row.lanes().map(|(_, lane)| lane.name().to_owned()).collect();
    let results: Vec<String> = row.result().map(|lane| lane.name().to_owned()).into_iter().collect();
    (names(found.params()) == params && names(found.results()) == results).then_some(row)
}

/// What there is instead of a run if the host lacks functions that the plugins of a scenario use.
fn lacking_functions(job: Job<'_>, scenario: &Scenario, survey: &Survey, host: &Host) -> Option<Attempt> {
    if job.case.accepts_refusal() {
        return None;
    }
    let (lacks, with_results) = (survey.lacks(job.version), survey.with_results(job.version));
    // The probe is made for the host; another module imports functions as the table declares them.
    let is_lacking = |guest: &Guest, row: &Function| {
        lacks.contains(&row.name) || guest.script().is_none() && with_results.contains(&row.name)
    };
    let uses = scenario.plugins.iter().flat_map(|plugin| {
        functions(&plugin.guest).into_iter().filter(|row| is_lacking(&plugin.guest, row)).collect::<Vec<_>>()
    });
    let (cited, used): (Vec<_>, Vec<_>) = uses.partition(|row| job.case.cites(row));
    let names = |rows: Vec<&'static Function>| {
        let mut names: Vec<&'static str> = rows.into_iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let (cited, used) = (names(cited), names(used));
    match (cited.is_empty(), used.is_empty()) {
        (true, true) => None,
        (false, _) if job.case.level != Level::Unspecified => Some(Attempt::Lacks(cited)),
        _ => {
            let needs = [cited, used].concat().join(", ");
            Some(Attempt::Skipped(format!("{} {} lacks {needs}", host.name, host.version)))
        }
    }
}

/// Whether the case checks that a host starts plugins of a version that it has.
fn cites_loading(case: &Case) -> bool {
    case.statements.contains(&"integration/marker_supports")
}

/// The steps that a transcript lacks: without them no expectation of a step would be judged.
fn missing_steps(scenario: &Scenario, transcript: &Transcript) -> Option<String> {
    let ends_early = |event: &Event| matches!(event, Event::Refused { .. } | Event::Died { .. });
    if transcript.events.iter().any(ends_early) {
        return None;
    }
    let reported = transcript.events.iter().filter_map(|event| match event {
        Event::Step { index } => Some(*index),
        _ => None,
    });
    let reported: Vec<u32> = reported.collect();
    let count = scenario.steps.len();
    let is_whole = reported.iter().map(|index| *index as usize).eq(0..count);
    (!is_whole).then(|| {
        format!(
            "reports the steps {reported:?} of {count}: an event `step` has to come before what is seen of each step"
        )
    })
}

/// A plugin of a transcript that the scenario does not have.
fn unknown_plugin(scenario: &Scenario, transcript: &Transcript) -> Option<String> {
    let names: Vec<&str> = scenario.plugins.iter().map(|plugin| plugin.settings.name.as_str()).collect();
    let mut named = transcript.events.iter().filter_map(|event| match event {
        Event::Log { plugin, .. }
        | Event::Refused { plugin, .. }
        | Event::Fault { plugin, .. }
        | Event::Discarded { plugin, .. }
        | Event::RolledBack { plugin }
        | Event::Callback { plugin, .. } => Some(plugin.as_str()),
        _ => None,
    });
    let unknown = named.find(|name| !names.contains(name))?;
    Some(format!("reports something of a plugin `{unknown}`; the scenario has only {}", names.join(", ")))
}

/// What the case needs and the host has not.
fn lacking(job: Job<'_>, scenario: &Scenario, host: &Host) -> Option<String> {
    let name = format!("{} {}", host.name, host.version);
    if !host.abi.iter().any(|version| version == job.version.name()) {
        return Some(format!("{name} {NOT_IMPLEMENTED}{}", job.version));
    }
    let needs = needs(job.case, scenario);
    let lacks = needs.into_iter().filter(|need| !host.features.contains(need));
    let lacks: Vec<String> = lacks.map(|need| format!("{} (feature {})", need.lack(), need.name())).collect();
    (!lacks.is_empty()).then(|| format!("{name} {}", lacks.join(", and ")))
}
