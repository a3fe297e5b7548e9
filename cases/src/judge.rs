//! Judges what was seen of a run by what its case expects. Knows nothing of which host it was.

mod invariants;
mod window;

use std::fmt::Write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::{AnyOf, Case, CaseStep, Expect, outcome_of};
use crate::lower::{Acceptable, CallCheck, Lowered};
use crate::transcript::{Event, Returned, Transcript};
use crate::want::Saved;

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What was not as expected; nothing if the case passes.
    pub findings: Vec<Finding>,
    /// Which of several acceptable answers were given.
    pub answers: Vec<String>,
}

/// Something that was not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The line of the case file; 0 where no line says it.
    pub line: usize,
    /// The step and the callback, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What is meant: a function, a callback, a side of the wire.
    pub subject: String,
    /// The call with its arguments, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What was expected of it.
    pub expected: String,
    /// What was seen.
    pub actual: String,
}

impl Finding {
    /// The function, if it is that the host does not link it.
    pub fn lacking(&self) -> Option<&str> {
        self.actual.strip_prefix("lacks ").filter(|name| *name == self.subject)
    }

    /// What it is about, in one line: the place, and the call or the subject.
    pub fn about(&self) -> String {
        let what = self.call.as_ref().unwrap_or(&self.subject);
        self.place.as_ref().map_or_else(|| what.clone(), |place| format!("{place}: {what}"))
    }
}

/// Judges a transcript, its probes' reports decoded. Of several outcomes one must hold in full; if none does, the one that comes nearest
/// says what is wrong.
pub fn judge(case: &Case, lowered: &Lowered, transcript: &Transcript) -> Judgement {
    let judged = |outcome: Option<&(String, Expect)>| {
        let saved = saved(lowered, transcript);
        let mut judging =
            Judging { case, lowered, transcript, outcome, saved, place: None, result: Judgement::default() };
        judging.run();
        judging.result
    };
    let all = case.outcomes.iter().map(|outcome| (outcome, judged(Some(outcome))));
    // What calls are answered comes first, and so says which outcome it is.
    let about_calls = |result: &Judgement| result.findings.iter().filter(|finding| finding.call.is_some()).count();
    match all.min_by_key(|(_, result)| (result.findings.len(), about_calls(result))) {
        None => judged(None),
        Some(((name, _), mut result)) => {
            result.findings.iter_mut().for_each(|finding| finding.expected += &format!(", in the outcome `{name}`"));
            result.answers.retain(|answer| answer != name);
            result.answers.insert(0, name.clone());
            result
        }
    }
}

/// How the host crashed, in which step, and what was seen last; nothing if it did not.
fn crash(transcript: &Transcript) -> Option<String> {
    let at = transcript.events.iter().position(|event| matches!(event, Event::Died { .. }))?;
    let (before, Event::Died { how }) = (&transcript.events[..at], &transcript.events[at]) else { return None };
    let mut text = if how.starts_with("SIG") { format!("crashes with {how}") } else { format!("ends: {how}") };
    let steps = before.iter().filter(|event| matches!(event, Event::Step { .. })).count();
    match steps {
        _ if before.is_empty() => text += ", before anything was seen",
        0 => text += ", before the first step",
        step => {
            let _ = write!(text, ", in step {step}");
        }
    }
    let callback = before.iter().rev().find_map(|event| match event {
        Event::Callback { name, .. } => Some(name),
        _ => None,
    });
    let call = before.iter().rev().find_map(|event| match event {
        Event::Call { function, args, .. } if !is_report(args) => Some(function),
        _ => None,
    });
    if let Some(callback) = callback {
        let _ = write!(text, "; the last callback was {callback}");
    }
    if let Some(call) = call {
        let _ = write!(text, ", the last call {call}");
    }
    Some(text)
}

/// Whether these are the arguments of a call by which a probe reports.
fn is_report(args: &[String]) -> bool {
    args.last().is_some_and(|message| message.starts_with("\"pw "))
}

struct Judging<'a> {
    case: &'a Case,
    lowered: &'a Lowered,
    transcript: &'a Transcript,
    /// The outcome that is judged, of several.
    outcome: Option<&'a (String, Expect)>,
    saved: Saved,
    /// Where the window is that is judged.
    place: Option<String>,
    result: Judgement,
}

impl Judging<'_> {
    fn run(&mut self) {
        if let Some(crash) = crash(self.transcript) {
            return self.finding(0, "the host", "to keep running", crash);
        }
        let Some(started) = self.started() else { return };
        let trapped = self.calls(started);
        // An acceptable refusal excuses the fault that led to it.
        if started {
            self.faults(&trapped);
        }
        let windows = self.transcript.windows();
        let offset = self.offset();
        for (index, step) in self.case.steps.iter().enumerate() {
            let stream = step.step.as_ref().and_then(|step| step.stream()).unwrap_or(0);
            let Some(events) = windows.get(index + offset) else { break };
            self.place = Some(self.window_place(index + offset));
            let expects: Vec<&Expect> = self.expects(step).collect();
            if step.step.is_some() {
                self.taken(events, expects.iter().find_map(|expect| expect.start.as_ref()));
            }
            for expect in expects {
                self.window(expect, events, stream);
            }
        }
        self.place = None;
        self.window(&self.case.expect, &self.transcript.events, 0);
        if let Some((_, expect)) = self.outcome {
            self.window(expect, &self.transcript.events, 0);
        }
        let broken = invariants::broken(self.lowered, self.transcript);
        self.result.findings.extend(broken);
    }

    /// Whether the plugins were started, if that was acceptable.
    fn started(&mut self) -> Option<bool> {
        let start = self.transcript.windows().first().copied().unwrap_or_default();
        let steps = self.case.steps.iter().filter(|step| step.step.is_none()).map(|step| &step.expect);
        let run = self.outcome.map(|(_, expect)| expect).into_iter().chain([&self.case.expect]);
        let expected = steps.chain(run).find_map(|expect| expect.start.as_ref());
        self.taken(start, expected)
    }

    /// Whether the host took all plugins in a window, if that was acceptable.
    fn taken(&mut self, events: &[Event], expected: Option<&AnyOf<bool>>) -> Option<bool> {
        let refusal = events.iter().find_map(|event| match event {
            Event::Refused { plugin, reason } => Some(format!("refused {plugin}: {reason}")),
            _ => None,
        });
        let taken = refusal.is_none();
        let line = expected.map_or(0, |expected| expected.line);
        let acceptable = expected.map_or(vec![true], |any| self.of(any).map(|(taken, _)| *taken).collect());
        if acceptable.contains(&taken) {
            if acceptable.len() > 1 {
                self.result.answers.push(if taken { "started" } else { "refused" }.to_owned());
            }
            return Some(taken);
        }
        let expected = if taken { "to be refused" } else { "to be started" };
        self.finding(line, "the plugin", expected, refusal.unwrap_or("started".to_owned()));
        None
    }

    /// Judges what the scripts' calls answered, and says of which plugins a trap was an acceptable answer that was given.
    fn calls(&mut self, started: bool) -> Vec<String> {
        let mut trapped = Vec::new();
        for check in &self.lowered.calls {
            let accepted: Vec<&Acceptable> =
                check.accept.iter().filter(|accept| self.belongs(&accept.answer)).collect();
            // A guest that is started again does it again, and each answer counts.
            let mut window = 0;
            let seen = self.transcript.events.iter().filter_map(|event| match event {
                Event::Step { .. } => {
                    window += 1;
                    None
                }
                Event::Call { action, status, returned, .. } if *action == Some(check.action) => {
                    Some((*status, returned, window))
                }
                _ => None,
            });
            let admitted = |(status, returned, _): &(u32, &Vec<(String, Returned)>, usize)| {
                accepted.iter().find(|accept| self.admits(accept, *status, returned))
            };
            let mut seen = seen.map(|seen| (seen, admitted(&seen))).collect::<Vec<_>>();
            seen.sort_by_key(|(_, accept)| accept.is_some());
            let expected =
                || accepted.iter().map(|accept| accept_text(check, accept)).collect::<Vec<_>>().join(", or ");
            match seen.first() {
                Some(((.., window), Some(_))) if check.step.is_some_and(|due| due != *window) => {
                    let due = check.step.unwrap_or_default();
                    let expected = format!("the call in {}", self.window_place(due));
                    self.call_finding(
                        check,
                        Some(*window),
                        expected,
                        format!("the call in {}", self.window_place(*window)),
                    );
                }
                Some((_, Some(accept))) if check.accept.len() > 1 => self.result.answers.push(accept.answer.clone()),
                Some((_, Some(_))) => {}
                Some(((status, returned, window), None)) => {
                    let (expected, actual) = match accepted.as_slice() {
                        [accept] if accept.status == Some(*status) => self.differing(accept, returned),
                        _ => (expected(), answer_text(check, *status, returned)),
                    };
                    self.call_finding(check, Some(*window), expected, actual);
                }
                None if self.cut_short(check) => match accepted.iter().find(|accept| accept.status.is_none()) {
                    Some(accept) => {
                        trapped.push(check.plugin.clone());
                        if check.accept.len() > 1 {
                            self.result.answers.push(accept.answer.clone());
                        }
                    }
                    None => self.call_finding(check, None, expected(), "the call did not return".to_owned()),
                },
                None if !started || check.optional => {}
                None => {
                    let actual = format!("{} was not called", check.callback);
                    self.call_finding(check, None, expected(), actual);
                }
            }
        }
        trapped
    }

    /// Whether an alternative that is called so belongs to the outcome that is judged, or to none.
    fn belongs(&self, answer: &str) -> bool {
        let others = || self.case.outcomes.iter().any(|(name, _)| name == outcome_of(answer));
        self.outcome.is_none_or(|(name, _)| name == outcome_of(answer) || !others())
    }

    /// What is expected of a step, in the outcome that is judged.
    fn expects<'s>(&self, step: &'s CaseStep) -> impl Iterator<Item = &'s Expect> + use<'s, '_> {
        let outcome = self.outcome.map(|(name, _)| name.as_str());
        let own = step.outcomes.iter().filter(move |(name, _)| Some(name.as_str()) == outcome);
        [&step.expect].into_iter().chain(own.map(|(_, expect)| expect))
    }

    /// The alternatives that can be in the outcome that is judged.
    fn of<'any, T>(&self, any: &'any AnyOf<T>) -> impl Iterator<Item = &'any (T, String)> + use<'_, 'any, T> {
        any.of.iter().filter(|(_, label)| self.belongs(label))
    }

    fn admits(&self, accept: &Acceptable, status: u32, returned: &[(String, Returned)]) -> bool {
        let seen = |name: &str| returned.iter().find(|(known, _)| known == name).map(|(_, seen)| seen);
        accept.status == Some(status)
            && accept.returned.iter().all(|(name, want)| seen(name).is_some_and(|seen| want.admits(seen, &self.saved)))
    }

    /// Whether the callback of a call began and never returned.
    fn cut_short(&self, check: &CallCheck) -> bool {
        let mut open = 0;
        for event in &self.transcript.events {
            match event {
                Event::Callback { plugin, name, .. } if *plugin == check.plugin && name == check.callback => open += 1,
                Event::Returned { plugin, name, .. } if *plugin == check.plugin && name == check.callback => open -= 1,
                _ => {}
            }
        }
        open > 0
    }

    /// No plugin may trap, unless the case says so of the run or of the step.
    fn faults(&mut self, trapped: &[String]) {
        let run = self.outcome.map(|(_, expect)| expect).into_iter().chain([&self.case.expect]);
        if run.into_iter().any(|expect| expect.fault.is_some()) {
            return;
        }
        let said = |window: usize| {
            let step = window.checked_sub(self.offset()).and_then(|index| self.case.steps.get(index));
            step.is_some_and(|step| self.expects(step).any(|expect| expect.fault.is_some()))
        };
        let windows = self.transcript.windows();
        let unsaid = windows.iter().enumerate().filter(|(window, _)| !said(*window));
        let fault = unsaid.flat_map(|(_, events)| *events).find_map(|event| match event {
            Event::Fault { plugin, reason } if !trapped.contains(plugin) => Some(format!("{plugin}: {reason}")),
            _ => None,
        });
        if let Some(fault) = fault {
            self.finding(0, "the plugin", "to run without a fault", fault);
        }
    }

    /// How many windows of the transcript come before that of the case's first step.
    fn offset(&self) -> usize {
        usize::from(self.case.steps.first().is_none_or(|step| step.step.is_some()))
    }

    fn finding(&mut self, line: usize, subject: &str, expected: impl Into<String>, actual: impl Into<String>) {
        let (subject, expected, actual) = (subject.to_owned(), expected.into(), actual.into());
        let place = self.place.clone();
        self.result.findings.push(Finding { line, place, subject, call: None, expected, actual });
    }

    /// A finding about what a script does; `window` is where it did it.
    fn call_finding(&mut self, check: &CallCheck, window: Option<usize>, expected: String, actual: String) {
        let window = window.map_or(String::new(), |window| self.window_place(window) + ", ");
        let plugin = match self.lowered.scenario.plugins.len() {
            1 => String::new(),
            _ => format!(" of plugin {}", check.plugin),
        };
        let place = Some(format!("{window}in {}{plugin}", check.callback));
        let subject = check.function.map_or("the trap", |function| function.name).to_owned();
        let call = self.lowered.scenario.action(check.action).map(ToString::to_string);
        self.result.findings.push(Finding { line: check.line, place, subject, call, expected, actual });
    }

    /// What a window of the transcript belongs to, as a case's author knows it.
    fn window_place(&self, window: usize) -> String {
        match window.checked_sub(1).and_then(|index| self.lowered.scenario.steps.get(index)) {
            Some(step) => format!("step {window} ({})", step.name()),
            None => "the start".to_owned(),
        }
    }

    /// Of what a call returned with the expected status, the values that are wrong.
    fn differing(&self, accept: &Acceptable, returned: &[(String, Returned)]) -> (String, String) {
        let seen = |name: &str| returned.iter().find(|(known, _)| known == name).map(|(_, seen)| seen);
        let wrong = accept
            .returned
            .iter()
            .filter(|(name, want)| !seen(name).is_some_and(|seen| want.admits(seen, &self.saved)));
        let texts = wrong.map(|(name, want)| {
            let actual = seen(name).map_or("nothing".to_owned(), |seen| want.show(seen));
            (format!("{name}={want}"), format!("{name}={actual}"))
        });
        let (expected, actual): (Vec<_>, Vec<_>) = texts.unzip();
        (expected.join(" "), actual.join(" "))
    }

    /// Judges alternatives by what fails in each; none of them holds if every one fails.
    fn any<T>(&mut self, any: &AnyOf<T>, subject: &str, fails: impl Fn(&T) -> Option<(String, String)>) {
        let mut failures = Vec::new();
        for (alternative, label) in self.of(any).collect::<Vec<_>>() {
            match fails(alternative) {
                Some(failure) => failures.push(failure),
                None => {
                    let is_the_outcome = self.outcome.is_some_and(|(name, _)| name == label);
                    if any.of.len() > 1 && !is_the_outcome {
                        self.result.answers.push(format!("{subject}: {label}"));
                    }
                    return;
                }
            }
        }
        let actual = failures.first().map(|(_, actual)| actual.clone()).unwrap_or_default();
        let expected: Vec<String> = failures.into_iter().map(|(expected, _)| expected).collect();
        self.finding(any.line, subject, expected.join(", or "), actual);
    }
}

/// The numbers that the scripts kept, and the contexts of the first plugin: its own, and the latest of a stream.
fn saved(lowered: &Lowered, transcript: &Transcript) -> Saved {
    let mut saved = Saved::new();
    let first = lowered.scenario.plugins.first().map(|plugin| plugin.settings.name.as_str());
    for event in &transcript.events {
        if let Event::Callback { plugin, name, args } = event
            && name == "proxy_on_context_create"
            && Some(plugin.as_str()) == first
            && let [context, parent, ..] = args[..]
        {
            let name = if parent == 0 { "plugin_context" } else { "stream_context" };
            saved.insert(name.to_owned(), context.into());
        }
        let Event::Call { action: Some(action), returned, .. } = event else { continue };
        let Some(check) = lowered.calls.iter().find(|check| check.action == *action) else { continue };
        for (value, name) in &check.save {
            if let Some((_, Returned::Number(number))) = returned.iter().find(|(known, _)| known == value) {
                saved.insert(name.clone(), *number);
            }
        }
    }
    saved
}

pub(crate) fn accept_text(check: &CallCheck, accept: &Acceptable) -> String {
    let status = match accept.status {
        None => "not to return".to_owned(),
        Some(status) => status_text(check, status),
    };
    let returned = accept.returned.iter().map(|(name, want)| format!(" {name}={want}"));
    status + &returned.collect::<String>()
}

fn answer_text(check: &CallCheck, status: u32, returned: &[(String, Returned)]) -> String {
    let want = |name: &str| {
        let mut wants = check.accept.iter().flat_map(|accept| &accept.returned);
        wants.find(|(known, _)| known == name).map(|(_, want)| want)
    };
    let returned = returned.iter().map(|(name, seen)| match want(name) {
        Some(want) => format!(" {name}={}", want.show(seen)),
        None => format!(" {name}={seen}"),
    });
    status_text(check, status) + &returned.collect::<String>()
}

fn status_text(check: &CallCheck, status: u32) -> String {
    let name = check.function.and_then(|function| function.status_name(status));
    name.map_or_else(|| status.to_string(), str::to_owned)
}
