//! What a scenario needs of a host, computed from what happens in it.

use std::collections::{BTreeMap, BTreeSet};

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
    if scenario.http1 {
        needs.insert(Feature::Http1);
    }
    if !scenario.choices.is_empty() {
        needs.insert(Feature::Choices);
    }
    if case.plugins.iter().any(|plugin| plugin.home.is_some()) {
        needs.insert(Feature::SharedVms);
    }
    let mut open = Open::default();
    for step in &scenario.steps {
        open.after(step);
        if open.streams.len() > 1 {
            needs.insert(Feature::ConcurrentStreams);
        }
        needs.extend(language::of(step).feature);
        if let Step::RequestHeaders { headers, .. } | Step::ResponseHeaders { headers, .. } = step
            && headers.iter().any(|(name, _)| name.0.iter().any(u8::is_ascii_uppercase))
        {
            needs.insert(Feature::MixedCaseHeaders);
        }
    }
    if case.expects().filter_map(|expect| expect.fault.as_ref()).any(|any| any.of.iter().all(|(fault, _)| *fault)) {
        needs.insert(Feature::Faults);
    }
    if case.expects().any(|expect| expect.grpc.is_some()) {
        needs.insert(Feature::Grpc);
    }
    needs
}

/// The streams that are open after a step, if no plugin ends one. For each: whether its request has ended, and its response.
#[derive(Default)]
struct Open {
    streams: BTreeMap<u32, (bool, bool)>,
}

impl Open {
    fn after(&mut self, step: &Step) {
        let Some(stream) = step.stream() else { return };
        let (request, response) = self.streams.entry(stream).or_default();
        match step {
            Step::RequestHeaders { end_of_stream, .. } | Step::RequestBody { end_of_stream, .. } => {
                *request = *end_of_stream
            }
            Step::ResponseHeaders { end_of_stream, .. } | Step::ResponseBody { end_of_stream, .. } => {
                *response = *end_of_stream;
            }
            Step::RequestTrailers { .. } => *request = true,
            Step::ResponseTrailers { .. } => *response = true,
            Step::ClientReset { .. } | Step::UpstreamReset { .. } => (*request, *response) = (true, true),
            _ => {}
        }
        if *request && *response {
            self.streams.remove(&stream);
        }
    }
}
