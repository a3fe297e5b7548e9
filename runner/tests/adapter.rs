//! Adapters that break the protocol: each is told what it did, costs the case at hand, and no other.

mod support;

use support::{Folder, HEAD, PLUGIN, fake};

#[track_caller]
fn check(mode: &str, texts: &[&str]) {
    let cases = [("a_good", "started"), ("b_bad", "started"), ("c_good", "started")];
    let folder = Folder::of_cases(&format!("adapter_{mode}"), &cases);
    let host = fake(&format!("{mode} bad"));
    // Only one that hangs is to run into it, however busy the machine is.
    let patience = if mode.ends_with("hangs") { "1" } else { "60" };
    let said = folder.run(&["run", "cases", "--host", &host, "--timeout", patience, "--report", "record.jsonl"]);
    said.check(2, texts);
    said.check(2, &["fake 1.0: 2 passed, 0 failed, 1 errors in "]);
    let verdicts: Vec<_> =
        folder.record("record.jsonl").iter().filter_map(|line| line.get("verdict").cloned()).collect();
    assert_eq!(verdicts, ["pass", "error", "pass"]);
}

#[test]
fn one_that_dies() {
    check(
        "dies",
        &["error b_bad (ABI v0.2.1; required)", "died: exit status 3", "last words", "cargo conform explain"],
    );
    #[cfg(unix)]
    check("aborts", &["died: SIGABRT"]);
}

#[test]
fn one_that_hangs() {
    check("hangs", &["hung: no answer in 1 s (--timeout), so it was killed"]);
    check("half_line_hangs", &["hung: ", "it had written half a line: `{\"type\":\"ran\",\"ev`"]);
}

#[test]
fn one_that_writes_what_is_no_answer() {
    check("half_line", &["died: exit status 0; it had written half a line: `{\"type\":\"ran\",\"ev`"]);
    check("not_json", &["wrote no JSON (", "`Listening on port 80`"]);
    check("wrong_type", &["answered `run` with a message of type `host`"]);
    check("unknown_type", &["wrote no message of the protocol (unknown variant `walked`"]);
    check("unknown_field", &["wrote no message of the protocol (unknown field `took`"]);
}

#[test]
fn one_that_floods() {
    check("flood", &["wrote a line of more than 64 MiB, so it was killed"]);
    check("flood_lines", &["wrote no JSON (", "`flood flood "]);
}

#[cfg(unix)]
#[test]
fn one_that_closes_its_output() {
    let folder = Folder::of_cases("adapter_closes", &[("a", "started")]);
    let said = folder.run(&["run", "cases", "--host", "sh -c 'exec >&-; sleep 60'"]);
    said.check(2, &["closed its standard output and lived on, so it was killed"]);
}

#[test]
fn one_that_leaves_out_steps() {
    let folder = Folder::new("adapter_no_steps");
    let step = "[[step]]\nrequest_headers = [[\":method\", \"GET\"]]\n[step.expect]\nclient = \"reset\"\n";
    folder.write("cases/a.toml", &format!("{HEAD}level = \"required\"\n{PLUGIN}{step}"));
    let said = folder.run(&["run", "cases", "--host", &fake("no_steps")]);
    said.check(2, &["the adapter of fake tells of steps [], but there are 1", "0 passed, 0 failed, 1 errors"]);
}

#[test]
fn one_that_says_that_it_failed() {
    check("errors", &["failed: the host did not listen"]);
}

#[test]
fn one_that_says_too_much_costs_the_next_case() {
    let folder =
        Folder::of_cases("adapter_chatty", &[("a_bad", "started"), ("b_good", "started"), ("c_good", "started")]);
    let said = folder.run(&["run", "cases", "--host", &fake("chatty bad"), "--timeout", "5"]);
    said.check(2, &["error b_good", "one more thing", "2 passed, 0 failed, 1 errors"]);
}

#[test]
fn one_that_breaks_again_and_again_is_given_up() {
    let cases = [("a", "started"), ("b", "started"), ("c", "started"), ("d", "started"), ("e", "started")];
    let folder = Folder::of_cases("adapter_given_up", &cases);
    let said = folder.run(&["run", "cases", "--host", &fake("dies")]);
    let why = "not run: the adapter broke 3 times in a row, the last time so: the adapter ";
    said.check(2, &["0 passed, 0 failed, 5 errors", why, "and 1 more for the same reason"]);
}

#[test]
fn one_that_cannot_start_ends_the_run() {
    let folder = Folder::of_cases("adapter_start", &[("a", "started")]);
    let rows = [
        ("start_dies", "no host found: install it by `make host`"),
        ("start_errors", "failed: no host found"),
        ("start_deaf", "hung: no answer in 1 s"),
        ("start_wrong_type", "answered `start` with a message of type `ran`"),
        ("start_wrong_name", "calls its host \"../up\""),
        ("start_wrong_abi", "ABI \"9.9\""),
    ];
    for (mode, text) in rows {
        folder.run(&["run", "cases", "--host", &fake(mode), "--timeout", "1"]).check(2, &["error: ", text]);
    }
    folder.run(&["run", "cases", "--host", "./nothing"]).check(2, &["failed to start the adapter `./nothing`: "]);
    folder.run(&["run", "cases", "--host", "'open"]).check(2, &["is no command line"]);
}

#[test]
fn a_skip_has_the_adapters_reason() {
    let folder = Folder::of_cases("adapter_skips", &[("a", "started")]);
    let said = folder.run(&["run", "cases", "--host", &fake("skips"), "--report", "record.jsonl"]);
    said.check(0, &["0 passed, 0 failed, 1 skipped"]);
    assert_eq!(folder.record("record.jsonl")[1]["reason"], "it is too late");
}

#[test]
fn the_death_of_a_host_is_a_failure_and_not_an_error() {
    let folder = Folder::of_cases("adapter_host_dies", &[("a", "started")]);
    let said = folder.run(&["run", "cases", "--host", &fake("host_dies")]);
    said.check(1, &["the host process", "expected to live", "actual   SIGSEGV"]);
}
