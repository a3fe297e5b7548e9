//! The smallest input that shows the same as a find, by any oracle.

use std::sync::Arc;

use pw_cases::scenario::Scenario;
use pw_reference::Reference;

use crate::campaign::Find;
use crate::drive::silence;
use crate::model::Finding;
use crate::oracle;
use crate::shrink::{Reduce, shrink};

/// How many smaller versions are tried at most.
const MAX_TRIES: u32 = 3000;

/// The smallest input found that shows the same as this one, and what it shows. One that a case can tell from what is right is not given up
/// for a smaller one. An error is ours.
pub fn minimise(host: &Reference, find: &Find) -> Result<Find, String> {
    let mut smallest = find.clone();
    shrink(&find.scenario, Reduce::All, MAX_TRIES, |candidate| {
        let mut scenario = candidate.clone();
        silence(&mut scenario, true);
        let scenario = Arc::new(scenario);
        let Some(finding) = shows(host, &scenario, &find.finding.about)? else { return Ok::<_, String>(false) };
        if smallest.finding.tells && !finding.tells {
            return Ok(false);
        }
        smallest = Find { run: find.run, scenario: (*scenario).clone(), finding };
        Ok(true)
    })?;
    Ok(smallest)
}

/// What a scenario shows by any oracle; the slower ones are asked where the model has nothing to say.
pub fn shows(host: &Reference, scenario: &Arc<Scenario>, about: &str) -> Result<Option<Finding>, String> {
    let mut findings = oracle::model(host, scenario)?.findings;
    let is_slow = oracle::BEYOND.contains(&about) || !scenario.choices.is_empty();
    if findings.is_empty() && is_slow {
        findings = oracle::beyond(host, scenario);
    }
    Ok(findings.into_iter().find(|finding| finding.about == about))
}
