//! A difference as a case file: it passes on the reference host, and fails on the other.

use pw_abi::Version;
use pw_cases::scenario::Scenario;
use pw_cases::script;
use pw_cases::transcript::{Event, Transcript};

use super::compare::Difference;
use crate::canonical::{canonical, script_of};
use crate::keep::keep_reached;
use crate::model::{Finding, Wanted, Wrong};
use crate::print::{self, sent};

/// The case file of a difference in a scenario; `reference` is what the reference host did, its reports read.
pub fn case(scenario: &Scenario, difference: &Difference, reference: &Transcript, version: Version) -> String {
    let answers = answers(scenario, reference);
    let mut scenario = scenario.clone();
    keep_reached(&mut scenario, &answers);
    let actions = scenario.plugins.iter_mut().filter_map(script_of);
    let mut kept: Vec<u32> = actions.flat_map(|script| script.actions().map(|action| action.id)).collect();
    kept.sort_unstable();
    // It numbers those that are left, in the order that they had.
    canonical(&mut scenario);
    let now = |id: u32| kept.binary_search(&id).ok().map(|place| place as u32);
    let answers: Vec<_> = answers.into_iter().filter_map(|(id, status)| Some((now(id)?, status))).collect();
    let difference = &Difference { action: difference.action.and_then(now), ..difference.clone() };
    let finding = Finding {
        about: difference.clause.clone(),
        message: format!("{}: {}", difference.clause, difference.instead),
        plugin: Some(0),
        wanted: wanted(difference, &answers, version).or_else(|| line(&difference.clause, reference)),
        ..Finding::default()
    };
    let text = print::case(&scenario, &finding, &answers, &[]);
    if scenario.hazard { text.replacen("why = ", "hazard = true\nwhy = ", 1) } else { text }
}

/// The actions of the plugin's script that were done, and their statuses; none for the one in which it faulted.
fn answers(scenario: &Scenario, transcript: &Transcript) -> Vec<(u32, Option<u32>)> {
    let script = scenario.plugins.first().and_then(|plugin| plugin.guest.script());
    let mut called = vec![0; script::callbacks().count()];
    let mut runs: Option<(usize, usize)> = None;
    let mut answers = Vec::new();
    for event in &transcript.events {
        match event {
            Event::Callback { name, .. } => {
                runs = script::callback_number(name).map(|callback| (callback, called[callback]));
                runs.iter().for_each(|(callback, _)| called[*callback] += 1);
            }
            Event::Call { action, status, .. } => answers.extend(action.map(|id| (id, Some(*status)))),
            Event::Fault { .. } => {
                let entry = script.zip(runs).and_then(|(script, (callback, at))| script.entries[callback].get(at));
                let actions = entry.into_iter().flat_map(|entry| &entry.actions);
                let due = actions.map(|action| action.id).find(|id| answers.iter().all(|(known, _)| known != id));
                answers.extend(due.map(|id| (id, None)));
            }
            _ => {}
        }
    }
    answers
}

/// What the case says of it: the answer of the call, or the callback that has to come, or must not.
fn wanted(difference: &Difference, answers: &[(u32, Option<u32>)], version: Version) -> Option<Wanted> {
    if let Some(id) = difference.action {
        let statuses = answers.iter().filter(|(own, _)| *own == id).filter_map(|(_, status)| *status).collect();
        let wrong = Wrong { statuses, returned: None, actual: difference.seen.clone(), open: false };
        return Some(Wanted::Answer(id, wrong));
    }
    let callback = |name: &str| {
        let known = pw_abi::callback(version, name).is_some();
        script::callbacks().find(|row| known && row.name == name).map(|row| row.name)
    };
    match difference.also.as_deref().and_then(callback) {
        Some(seen) => Some(Wanted::Never(seen)),
        None => callback(&difference.clause).map(Wanted::Due),
    }
}

/// What the reference host sends, where the other sends something else.
fn line(clause: &str, reference: &Transcript) -> Option<Wanted> {
    let line = match clause {
        "gRPC" => sent::grpc(reference)?,
        "callout" | "callout trailers" => sent::calls(reference)?,
        "upstream" | "client" => sent::wire(reference, clause == "upstream"),
        _ => return None,
    };
    Some(Wanted::Line(line))
}
