//! Other scenarios for the same find, in which the names and the steps of a case tell what is wrong from what is right.

use std::sync::Arc;

use pw_cases::data::Data;
use pw_cases::scenario::{Scenario, Step};
use pw_reference::Reference;

use crate::campaign::Find;
use crate::canonical::canonical;
use crate::minimise::{minimise, shows};

/// The name of a plugin that has another's script.
const COPY: &str = "again";

/// A plugin that runs twice because it was configured again has one name for both. Then a copy of it is put in its place, if that shows the same.
pub(crate) fn plugins(host: &Reference, find: Find) -> Result<Find, String> {
    if find.finding.tells {
        return Ok(find);
    }
    let Some(scenario) = with_copy(&find.scenario) else { return Ok(find) };
    match shows(host, &Arc::new(scenario.clone()), &find.finding.about)? {
        Some(finding) if finding.tells => minimise(host, &Find { scenario, finding, ..find }),
        _ => Ok(find),
    }
}

fn with_copy(scenario: &Scenario) -> Option<Scenario> {
    let mut scenario = scenario.clone();
    let step = scenario.steps.iter_mut().find(|step| matches!(step, Step::Reconfigure { .. }))?;
    let Step::Reconfigure { plugin, configuration } = step.clone() else { return None };
    *step = Step::Replace { plugin: plugin.clone(), by: COPY.to_owned() };
    let mut copy = scenario.plugins.iter().find(|known| known.settings.name == plugin)?.clone();
    copy.settings.name = COPY.to_owned();
    copy.settings.standby = true;
    copy.settings.configuration = configuration;
    copy.settings.vm_configuration = Data::from(COPY);
    scenario.plugins.push(copy);
    canonical(&mut scenario);
    Some(scenario)
}

/// Where a callback comes rightly and then wrongly while time passes, makes two steps of that time, if one ends between the two callbacks.
pub(crate) fn times(host: &Reference, find: Find) -> Result<Find, String> {
    const PARTS: u64 = 16;
    let Some(Step::Advance { milliseconds }) = find.scenario.steps.last().cloned() else { return Ok(find) };
    if find.finding.before == 0 {
        return Ok(find);
    }
    for first in (1..PARTS).map(|part| milliseconds * part / PARTS).filter(|first| *first > 0) {
        let mut scenario = find.scenario.clone();
        scenario.steps.pop();
        scenario.steps.extend([first, milliseconds - first].map(|milliseconds| Step::Advance { milliseconds }));
        canonical(&mut scenario);
        let shown = shows(host, &Arc::new(scenario.clone()), &find.finding.about)?;
        if let Some(finding) = shown.filter(|finding| finding.before == 0) {
            return Ok(Find { scenario, finding, ..find });
        }
    }
    Ok(find)
}
