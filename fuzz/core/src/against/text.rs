//! A difference as a case file: it passes on the reference host, and fails on the other.

use pw_abi::Version;
use pw_cases::scenario::Scenario;
use pw_cases::script;
use pw_cases::transcript::{Event, Transcript};

use super::compare::Difference;
use crate::model::{Finding, Wanted, Wrong};
use crate::print;

/// The case file of a difference in a scenario; `reference` is what the reference host did, its reports read.
pub fn case(scenario: &Scenario, difference: &Difference, reference: &Transcript, version: Version) -> String {
    let answers: Vec<(u32, Option<u32>)> = reference.events.iter().filter_map(answer).collect();
    let finding = Finding {
        about: difference.clause.clone(),
        message: format!("{}: {}", difference.clause, difference.instead),
        plugin: Some(0),
        wanted: wanted(difference, &answers, version),
    };
    let text = print::case(scenario, &finding, &answers);
    if scenario.hazard { text.replacen("why = ", "hazard = true\nwhy = ", 1) } else { text }
}

fn answer(event: &Event) -> Option<(u32, Option<u32>)> {
    match event {
        Event::Call { action, status, .. } => Some(((*action)?, Some(*status))),
        _ => None,
    }
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
