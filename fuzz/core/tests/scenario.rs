//! The generator, the model and the other oracles over seeded inputs, on stable.

use std::sync::Arc;

use fastrand::Rng;
use pw_cases::scenario::Scenario;
use pw_fuzz::campaign::{Campaign, with_choices};
use pw_fuzz::canonical::canonical;
use pw_fuzz::drive::silence;
use pw_fuzz::share::joined;
use pw_fuzz::{generate, keep, oracle, print};
use pw_reference::Reference;

/// How many inputs each test looks at.
const INPUTS: u64 = 200;

fn inputs() -> impl Iterator<Item = Vec<u8>> {
    (0..INPUTS).map(|seed| {
        let mut random = Rng::with_seed(seed);
        let mut bytes = vec![0; random.usize(0..600)];
        random.fill(&mut bytes);
        bytes
    })
}

fn host() -> Reference {
    Reference::pooled().expect("wasmtime runs here")
}

fn text(scenario: &Scenario) -> String {
    format!("{scenario:#?}")
}

#[test]
fn the_same_bytes_make_the_same_scenario() {
    for bytes in inputs() {
        let scenario = generate::scenario(&bytes);
        assert_eq!(text(&scenario), text(&generate::scenario(&bytes)));
        let mut again = scenario.clone();
        canonical(&mut again);
        assert_eq!(text(&scenario), text(&again), "it is in its one form already");
    }
}

#[test]
fn a_scenario_is_read_back_from_its_case_file_as_it_was() {
    for (seed, bytes) in (0..).zip(inputs()) {
        let scenario = generate::scenario(&bytes);
        let scenario = if seed % 4 == 0 { with_choices(&scenario, seed) } else { scenario };
        let file = print::any(&scenario);
        let case = keep::read(&file).unwrap_or_else(|error| panic!("{error}\n{file}"));
        let lowered = case.lower(case.versions[0]).unwrap_or_else(|complaint| panic!("{complaint:?}\n{file}"));
        assert_eq!(text(&lowered.scenario), text(&joined(&scenario)), "\n{file}");
    }
}

#[test]
fn the_model_agrees_with_the_host() {
    let host = host();
    for bytes in inputs() {
        let mut scenario = generate::scenario(&bytes);
        silence(&mut scenario, true);
        let verdict = oracle::model(&host, &Arc::new(scenario)).expect("the probe compiles");
        assert_eq!(verdict.findings, [], "{}", print::any(&generate::scenario(&bytes)));
    }
}

#[test]
fn the_other_oracles_agree_with_the_host() {
    let host = host();
    for bytes in inputs() {
        let scenario = generate::scenario(&bytes);
        for scenario in [with_choices(&scenario, bytes.len() as u64), scenario] {
            assert_eq!(oracle::beyond(&host, &scenario), [], "{}", print::any(&scenario));
        }
    }
}

#[test]
fn a_campaign_takes_the_same_course_again() {
    let course = || {
        let mut campaign = Campaign::new(host(), 7);
        (0..INPUTS).for_each(|_| assert!(campaign.advance().expect("the probe compiles").is_none()));
        (campaign.calls, campaign.full, campaign.reached().triples(), campaign.reached().promises())
    };
    let (calls, full, ..) = course();
    assert!(full > INPUTS / 2 && calls > 8 * INPUTS, "{calls} calls, {full} of {INPUTS} inputs with eight or more");
    assert_eq!(course(), course());
}

/// The model has nothing to say of what the host does in a case.
fn followed(case: &str) {
    let case = keep::read(case).expect("it is a case");
    let mut scenario = case.lower(case.versions[0]).expect("it can be run").scenario;
    silence(&mut scenario, true);
    let verdict = oracle::model(&host(), &Arc::new(scenario)).expect("the probe compiles");
    assert_eq!(verdict.findings, []);
}

/// A plugin with a new configuration lives beside its old self in one VM; what ends one ends both.
#[test]
fn a_vm_of_two_is_followed_when_it_is_started_again() {
    followed(
        r#"
title = "a crash in a VM of two"
clause = ["proxy_on_tick"]
level = "required"
abi = "0.2.1"

[[plugin]]
vm_id = "vm"
failure = "reload"

[[step]]
start = true

[[step.guest]]
in = "proxy_on_done"
returns = false

[[step.guest]]
in = "proxy_on_tick"
trap = true

[[step]]
request_headers = [[":method", "GET"], [":path", "/"]]

[[step]]
response_headers = [[":status", "200"]]

[[step.guest]]
call = "proxy_set_tick_period_milliseconds"
args = { tick_period = 10 }

[[step]]
reconfigure = "again"

[[step]]
advance = 2000
"#,
    );
}

/// The next configuration takes the place of a plugin that crashed with the last one.
#[test]
fn a_plugin_is_followed_that_gets_another_configuration_behind_a_crash() {
    followed(
        r#"
title = "another configuration after one that crashed"
clause = ["proxy_on_context_create"]
level = "required"
abi = "0.2.1"

[[plugin]]
vm_id = "vm"

[[step]]
start = true

[[step.guest]]
in = "proxy_on_context_create"
call = "proxy_get_current_time_nanoseconds"
expect = "OK"

[[step]]
reconfigure = "again"

[[step.guest]]
in = "proxy_on_context_create"
trap = true

[[step]]
reconfigure = "again"

[[step]]
request_headers = [[":method", "GET"], [":path", "/"]]
"#,
    );
}

/// It is open which of two mistakes in one call is reported: a file that is not there, and pieces that are not.
#[test]
fn either_mistake_of_a_call_is_taken() {
    followed(
        r#"
title = "an unknown file and pieces out of bounds"
clause = ["fd_write"]
level = "required"
abi = "0.2.1"

[[plugin]]

[[step]]
start = true

[[step.guest]]
in = "proxy_on_vm_start"
call = "proxy_get_current_time_nanoseconds"
args = { return_time = 0 }
expect = "OK"

[[step.guest]]
in = "proxy_on_vm_start"
call = "fd_write"
args = { fd_id = 0, iovec = { address = 0, size = 1 } }
expect = ["BADF", "FAULT"]
"#,
    );
}
