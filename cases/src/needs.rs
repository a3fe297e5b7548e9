//! What a scenario needs of a host, computed from what happens in it.

use std::collections::BTreeSet;

use crate::case::Case;
use crate::language;
use crate::protocol::Feature;
use crate::scenario::{Failure, Scenario, Step};

/// What the scenario, and what is expected of it, needs.
pub fn needs(case: &Case, scenario: &Scenario) -> BTreeSet<Feature> {
    let mut needs = BTreeSet::new();
    if scenario.plugins.iter().filter(|plugin| !plugin.settings.background && !plugin.settings.standby).count() > 1 {
        needs.insert(Feature::Chains);
    }
    if scenario.plugins.iter().any(|plugin| !plugin.settings.environment.is_empty()) {
        needs.insert(Feature::Environment);
    }
    if scenario.plugins.iter().any(|plugin| plugin.settings.background) {
        needs.insert(Feature::Background);
    }
    if scenario.plugins.iter().any(|plugin| plugin.settings.failure != Failure::Closed) {
        needs.insert(Feature::Failure);
    }
    if scenario.plugins.iter().any(|plugin| !plugin.settings.limits.is_empty()) {
        needs.insert(Feature::Limits);
    }
    if scenario.plugins.iter().any(|plugin| plugin.settings.capabilities.is_some()) {
        needs.insert(Feature::Capabilities);
    }
    if scenario.plugins.iter().any(|plugin| plugin.settings.log_only) {
        needs.insert(Feature::LogOnly);
    }
    if case.plugins.iter().any(|plugin| plugin.home.is_some()) {
        needs.insert(Feature::SharedVms);
    }
    let mut open = BTreeSet::new();
    for step in &scenario.steps {
        if let Some(stream) = step.stream() {
            open.insert(stream);
        }
        needs.extend(language::of(step).feature);
        if let Step::RequestHeaders { headers, .. } | Step::ResponseHeaders { headers, .. } = step
            && headers.iter().any(|(name, _)| name.0.iter().any(u8::is_ascii_uppercase))
        {
            needs.insert(Feature::MixedCaseHeaders);
        }
    }
    if open.len() > 1 {
        needs.insert(Feature::ConcurrentStreams);
    }
    if case.expects().filter_map(|expect| expect.fault.as_ref()).any(|any| any.of.iter().all(|(fault, _)| *fault)) {
        needs.insert(Feature::Faults);
    }
    if case.expects().any(|expect| expect.grpc.is_some()) {
        needs.insert(Feature::Grpc);
    }
    needs
}
