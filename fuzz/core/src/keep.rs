//! A find as a case file that shows it again on any host.

use std::sync::Arc;

use pw_cases::case::Case;
use pw_cases::format;
use pw_cases::judge::judge;
use pw_cases::report::decode;
use pw_cases::scenario::Scenario;
use pw_cases::script::Action;
use pw_reference::Reference;

use crate::campaign::Find;
use crate::canonical::{canonical, script_of};
use crate::minimise::minimise;
use crate::{oracle, print, tell};

/// A find that is ready to be kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The find, made as small as it gets.
    pub find: Find,
    /// The text of its case file.
    pub text: String,
    /// The case fails on this host, as it should; some finds cannot be shown by a case.
    pub reproduces: bool,
}

/// Makes a find small, and a case file of it. An error is ours.
pub fn keep(host: &Reference, find: &Find) -> Result<Kept, String> {
    let mut find = tell::plugins(host, minimise(host, find)?)?;
    if !find.scenario.choices.is_empty() {
        // No model says what is expected, but the case shows the scenario.
        let text = print::any(&find.scenario);
        return Ok(Kept { find, text, reproduces: false });
    }
    drop_unreached(host, &mut find.scenario)?;
    let mut find = tell::times(host, find)?;
    let scenario = Arc::new(find.scenario.clone());
    let verdict = oracle::model(host, &scenario)?;
    if let Some(finding) = verdict.findings.into_iter().find(|finding| finding.about == find.finding.about) {
        find.finding = finding;
    }
    let text = print::case(&scenario, &find.finding, &verdict.answers, &verdict.called);
    Ok(match fails(host, &text) {
        Ok(reproduces) => Kept { find, text, reproduces },
        // What was found is not lost, nor are the finds before it.
        Err(error) => {
            let reason: String = error.lines().take(1).map(|line| format!("# {line}\n")).collect();
            Kept { find, text: reason + &text, reproduces: false }
        }
    })
}

/// Reads a case file that names no module.
pub fn read(text: &str) -> Result<Case, String> {
    let none = |_: &str| Err("there is no such file".to_owned());
    format::parse("fuzz/find", "find.toml", text, &none).map_err(|error| error.to_string())
}

/// Whether the case fails on the host.
pub fn fails(host: &Reference, text: &str) -> Result<bool, String> {
    let case = read(text).map_err(|error| format!("the case of a find cannot be read: {error}\n{text}"))?;
    for version in &case.versions {
        let lowered = case.lower(*version).map_err(|complaint| complaint.message)?;
        let Ok(transcript) = host.run(&lowered.scenario) else { return Ok(true) };
        if !judge(&case, &lowered, &decode(transcript, &lowered.scenario)).findings.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Leaves out what the guest did not come to do.
fn drop_unreached(host: &Reference, scenario: &mut Scenario) -> Result<(), String> {
    let answers = oracle::model(host, &Arc::new(scenario.clone()))?.answers;
    keep_reached(scenario, &answers);
    canonical(scenario);
    Ok(())
}

/// Leaves out what is not among the actions that were done. As they are done in order, the others are the last of their queues.
pub(crate) fn keep_reached(scenario: &mut Scenario, answers: &[(u32, Option<u32>)]) {
    for script in scenario.plugins.iter_mut().filter_map(script_of) {
        let reached = |action: &Action| answers.iter().any(|(id, _)| *id == action.id);
        script.entries.iter_mut().flatten().for_each(|entry| entry.actions.retain(reached));
    }
}
