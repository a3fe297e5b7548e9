//! The oracles can fail: every bug that is planted into the reference host is found, and shown by a case that fails with the
//! bug and passes without it. Those that take longer than a test may are on the page reports/fuzzing.md alone.
//!
//! `cargo test -p pw-fuzz --features planted --test planted`

use std::sync::Arc;

use pw_fuzz::campaign::{Campaign, Find, NOT_SHOWN};
use pw_fuzz::drive::silence;
use pw_fuzz::{keep, oracle};
use pw_host::{Planted, plant};
use pw_reference::Reference;

/// After how many inputs a bug counts as missed.
const INPUTS: u64 = 30_000;
/// Found after more: a canary must crash that has got some of the streams, and be started again.
const RARE: [Planted; 1] = [Planted::RateOfAllStreams];

/// Bugs of which not every case tells: an earlier restart that was too early by less than the model can see moves what comes later.
const UNTOLD: [Planted; 1] = [Planted::BackoffForgotten];

/// A plugin that is configured again while its first instance waits for an answer.
const TWICE: &str = r#"
title = "generated"
clause = ["proxy_http_call"]
level = "required"
abi = "0.2.1"
[[plugin]]
name = "a"
vm_configuration = "a"
[[step]]
start = true
[[step.guest]]
plugin = "a"
in = "proxy_on_context_create"
call = "proxy_http_call"
args = { upstream_name = "auth", serialized_headers = [[":method", "GET"], [":path", "/"], [":authority", "callout"]], body = "", serialized_trailers = [], timeout = 0 }
expect = "OK"
[[step]]
request_headers = [[":method", "GET"], [":scheme", "http"], [":authority", "example.test"], [":path", "/"]]
[[step]]
reconfigure = "again"
plugin = "a"
[[step]]
call_response = [[":status", "200"]]
"#;

#[test]
fn every_planted_bug_is_found_and_shown() {
    let host = Reference::pooled().expect("wasmtime runs here");
    let mut wrong = Vec::new();
    for bug in Planted::ALL.iter().filter(|bug| !NOT_SHOWN.contains(bug) && !RARE.contains(bug)) {
        plant(Some(*bug));
        match first_find(&host) {
            Some(_) if UNTOLD.contains(bug) => {}
            Some(find) => wrong.extend(complaint(&host, *bug, &find)),
            None => wrong.push(format!("{bug:?} is not found")),
        }
    }
    // Both instances of the plugin have one name, so that a copy of it must take the place of the second.
    let case = keep::read(TWICE).expect("a case");
    let mut scenario = case.lower(case.versions[0]).expect("it has a scenario").scenario;
    silence(&mut scenario, true);
    plant(Some(Planted::AnswerToTheLast));
    let findings = oracle::model(&host, &Arc::new(scenario.clone())).expect("it runs").findings;
    let finding = findings.into_iter().next().expect("the wrong instance gets the answer");
    assert!(!finding.tells);
    wrong.extend(complaint(&host, Planted::AnswerToTheLast, &Find { run: 0, scenario, finding }));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the case of a find: it does not fail with the bug, which is planted, or fails without.
fn complaint(host: &Reference, bug: Planted, find: &Find) -> Option<String> {
    let kept = keep::keep(host, find).expect("the find can be kept");
    plant(None);
    let fails = keep::fails(host, &kept.text).expect("the case can be read");
    match (kept.reproduces, fails) {
        (true, false) => None,
        (true, true) => Some(format!("{bug:?}: its case fails without it\n{}", kept.text)),
        (false, _) => Some(format!("{bug:?}: no case shows it\n{}", kept.text)),
    }
}

fn first_find(host: &Reference) -> Option<Find> {
    let mut campaign = Campaign::new(host.clone(), 1);
    (0..INPUTS).find_map(|_| campaign.advance().expect("the probe compiles"))
}
