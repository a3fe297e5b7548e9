//! Hosts that are wrong in one way each: the catalog fails them, in cases that name what is wrong.

mod support;

use serde_json::Value;
use support::{Folder, example};

/// What failed of these cases, on a reference host that is wrong in this way.
fn failed(name: &str, mode: &str, words: &[&str]) -> Vec<Value> {
    let folder = Folder::new(name);
    let host = example(&format!("reference_adapter {mode}"));
    let args = [&["run"], words, &["--abi", "0.2.1", "--quiet", "--host", &host, "--report", "record.jsonl"]].concat();
    folder.run(&args).check(1, &["failed"]);
    let record = folder.record("record.jsonl");
    assert!(record.iter().all(|line| line["verdict"] != "error"), "the adapter failed");
    record.into_iter().filter(|line| line["verdict"] == "fail").collect()
}

/// The titles of cases, and what is said of them.
fn texts<'a>(failed: &'a [Value], key: &'a str) -> impl Iterator<Item = &'a str> {
    failed.iter().filter_map(move |line| line[key].as_str())
}

#[test]
fn a_host_that_implements_nothing_fails_required_cases_of_the_table() {
    let failed = failed("made_up_unimplemented", "unimplemented", &["generated/"]);
    let required = texts(&failed, "level").filter(|level| *level == "required").count();
    // Of one version of three.
    assert!(required >= 300, "{required} of {}", failed.len());
}

#[test]
fn a_host_that_has_nothing_of_what_was_set_fails() {
    let failed =
        failed("made_up_has_nothing", "has_nothing", &["shared_key_value_store/", "shared_queues/", "http_fields/"]);
    let says = |text: &str| failed.iter().any(|line| line["statement"].to_string().contains(text));
    for statement in
        ["shared_key_value_store/get_reads", "shared_queues/dequeue_removes", "http_fields/get_value_reads"]
    {
        assert!(says(statement), "no case of {statement} fails");
    }
}

#[test]
fn a_host_that_hangs_once_a_plugin_has_crashed_fails() {
    let failed = failed("made_up_hangs", "hangs", &["isolation/", "faults/", "http_streams/"]);
    let required = failed.iter().filter(|line| line["level"] == "required");
    let titles: Vec<&str> = required.filter_map(|line| line["title"].as_str()).collect();
    assert!(titles.iter().any(|title| title.contains("crash") || title.contains("trap")), "{titles:?}");
}

#[test]
fn a_host_that_sends_each_request_twice_fails() {
    let failed = failed("made_up_twice", "twice", &["http_streams/"]);
    let seen = |line: &Value| line["findings"].to_string().contains("a second head");
    assert!(failed.iter().any(seen), "{failed:?}");
}
