//! Bugs that were reported of other hosts, and bugs that a reviewer planted, each as a case: `cases/tests/reports`.

mod support;

use support::Folder;

/// They ask for more than the specification: a property that it does not name, and an open failure of a plugin that cannot be started.
const MORE: [&str; 2] = ["21-response-code-property", "66-fail-open-that-cannot-start"];

#[test]
fn the_reference_host_does_as_they_ask() {
    let folder = Folder::new("reports");
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../cases/tests/reports");
    folder.run(&["run", cases, "--quiet", "--report", "record.jsonl"]).check(1, &[" 6 failed, "]);
    let record = folder.record("record.jsonl");
    assert!(record.len() > 100, "{} lines", record.len());
    for line in &record[1..record.len() - 1] {
        let id = line["id"].as_str().unwrap_or_default();
        let is_right = matches!(line["verdict"].as_str(), Some("pass" | "unspecified"));
        assert_eq!(is_right, !MORE.contains(&id), "{line}");
    }
}
