//! The reference host, and scenarios that it has to run as the model says.

use std::sync::{Arc, LazyLock};

use pw_cases::scenario::Scenario;
use pw_fuzz::drive::silence;
use pw_fuzz::model::Finding;
use pw_fuzz::{oracle, print};
use pw_reference::Reference;

static HOST: LazyLock<Result<Reference, String>> = LazyLock::new(Reference::pooled);

pub(crate) fn host() -> &'static Reference {
    HOST.as_ref().expect("wasmtime runs wherever this is built")
}

/// The host does what the model says.
pub(crate) fn predicted(mut scenario: Scenario) {
    silence(&mut scenario, true);
    let scenario = Arc::new(scenario);
    let verdict = oracle::model(host(), &scenario).expect("the probe compiles");
    none(&scenario, verdict.findings);
}

#[track_caller]
pub(crate) fn none(scenario: &Scenario, findings: Vec<Finding>) {
    if let Some(Finding { about, message, .. }) = findings.first() {
        panic!("{about}: {message}, in this case:\n{}", print::any(scenario));
    }
}

/// Seeded inputs, of different sizes.
pub(crate) fn inputs(count: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = vec![0; random.usize(0..600)];
        random.fill(&mut bytes);
        bytes
    })
}
