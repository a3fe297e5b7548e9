//! What a scenario needs of a host, computed from what happens in it.

use std::collections::BTreeSet;

use crate::case::Case;
use crate::protocol::Capability;
use crate::scenario::{Failure, Scenario, Step};

/// What the scenario, and what is expected of it, needs.
pub fn needs(case: &Case, scenario: &Scenario) -> BTreeSet<Capability> {
    let mut needs = BTreeSet::new();
    if scenario.plugins.iter().filter(|plugin| !plugin.background && !plugin.standby).count() > 1 {
        needs.insert(Capability::Chains);
    }
    if scenario.plugins.iter().any(|plugin| !plugin.environment.is_empty()) {
        needs.insert(Capability::Environment);
    }
    if scenario.plugins.iter().any(|plugin| plugin.background) {
        needs.insert(Capability::Background);
    }
    if scenario.plugins.iter().any(|plugin| plugin.failure != Failure::Closed) {
        needs.insert(Capability::Failure);
    }
    if scenario.plugins.iter().any(|plugin| !plugin.limits.is_empty()) {
        needs.insert(Capability::Limits);
    }
    if scenario.plugins.iter().any(|plugin| plugin.capabilities.is_some()) {
        needs.insert(Capability::Capabilities);
    }
    if scenario.plugins.iter().any(|plugin| plugin.log_only) {
        needs.insert(Capability::LogOnly);
    }
    if case.plugins.iter().any(|plugin| plugin.home.is_some()) {
        needs.insert(Capability::SharedVms);
    }
    let mut open = BTreeSet::new();
    for step in &scenario.steps {
        if let Some(stream) = step.stream() {
            open.insert(stream);
        }
        match step {
            Step::RequestHeaders { .. } => drop(needs.insert(Capability::Http)),
            Step::Connect { .. } => drop(needs.insert(Capability::Tcp)),
            Step::GrpcInitialMetadata { .. }
            | Step::GrpcMessage { .. }
            | Step::GrpcClose { .. }
            | Step::GrpcReset { .. } => drop(needs.insert(Capability::Grpc)),
            Step::ForeignCall { .. } => drop(needs.insert(Capability::ForeignCalls)),
            Step::Reconfigure { .. } => drop(needs.insert(Capability::Reconfigure)),
            Step::Replace { .. } | Step::Remove { .. } => drop(needs.insert(Capability::Replace)),
            Step::Canary { .. } => drop(needs.insert(Capability::Canary)),
            Step::ReadMetrics => drop(needs.insert(Capability::Metrics)),
            Step::CallResponse { .. } | Step::CallReset { .. } => drop(needs.insert(Capability::HttpCalls)),
            Step::Advance { .. } => drop(needs.insert(Capability::Time)),
            Step::Shutdown => drop(needs.insert(Capability::Shutdown)),
            _ => {}
        }
        if let Step::RequestHeaders { headers, .. } | Step::ResponseHeaders { headers, .. } = step
            && headers.iter().any(|(name, _)| name.0.iter().any(u8::is_ascii_uppercase))
        {
            needs.insert(Capability::MixedCaseHeaders);
        }
    }
    if open.len() > 1 {
        needs.insert(Capability::ConcurrentStreams);
    }
    let expects = case.steps.iter().map(|step| &step.expect).chain([&case.expect]);
    if expects.filter_map(|expect| expect.fault.as_ref()).any(|any| any.of.iter().all(|(fault, _)| *fault)) {
        needs.insert(Capability::Faults);
    }
    let expects = case.steps.iter().map(|step| &step.expect).chain([&case.expect]);
    if expects.clone().any(|expect| expect.grpc.is_some()) {
        needs.insert(Capability::Grpc);
    }
    needs
}
