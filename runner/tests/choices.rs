//! How the reference host is asked to answer open questions otherwise, and whether each question has such a switch.

mod support;

use std::path::Path;

use support::Folder;

#[test]
fn a_choice_changes_what_the_host_does() {
    let folder = Folder::new("choices");
    let case = "context_lifecycle/shutdown_logs_the_plugin";
    let answer = |words: &[&str]| {
        let said = folder.run(&[&["run", case, "--abi", "0.2.1", "--report", "record.jsonl"], words].concat());
        said.check(0, &[]);
        let record = folder.record("record.jsonl");
        let version = record[0]["host"]["version"].as_str().unwrap_or_default().to_owned();
        (record[1]["answer"].as_str().unwrap_or_default().to_owned(), version)
    };
    let (usual, version) = answer(&[]);
    let (turned, named) = answer(&["--choice", "log_plugin_contexts=true"]);
    assert_ne!(usual, turned);
    assert_eq!(named, format!("{version} log_plugin_contexts=true"));
    folder.run(&["run", case, "--choice", "log_plugin_contexts"]).check(2, &["write NAME=true or NAME=false"]);
    folder.run(&["run", case, "--host", "envoy", "--choices", "1"]).check(2, &["go with the reference host"]);
}

#[test]
fn every_question_has_a_switch_or_a_reason_for_none() {
    let record = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/reference.jsonl"));
    let records = pw_report::read(&[record.to_owned()]).expect("it is a record");
    let open = pw_report::choices::unexplained(&records.hosts, &pw_conform::commands::switches());
    assert!(open.is_empty(), "{}", open.join("\n"));
}
