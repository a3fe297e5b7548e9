//! Adapters that break the protocol: the message says what they did; the case at hand fails in the harness, and no other.

mod support;

use support::{Folder, HEAD, PLUGIN, example, fake};

#[track_caller]
fn check(mode: &str, texts: &[&str]) {
    let cases = [("a_good", "started"), ("b_bad", "started"), ("c_good", "started")];
    let folder = Folder::of_cases(&format!("adapter_{mode}"), &cases);
    let host = fake(&format!("{mode} bad"));
    // Only an adapter that hangs is to reach it, however busy the machine is.
    let timeout = if mode.ends_with("hangs") { "1" } else { "60" };
    let said = folder.run(&["run", "cases", "--host", &host, "--timeout", timeout, "--report", "record.jsonl"]);
    said.check(2, texts);
    said.check(2, &["fake 1.0: 2 passed, 0 failed, 1 error in "]);
    let verdicts: Vec<_> =
        folder.record("record.jsonl").iter().filter_map(|line| line.get("verdict").cloned()).collect();
    assert_eq!(verdicts, ["pass", "error", "pass"]);
}

#[test]
fn a_crash_fails_one_case() {
    check(
        "dies",
        &["error b_bad (ABI v0.2.1; required)", "crashed: exit status 3", "last words", "cargo conform explain"],
    );
    #[cfg(unix)]
    check("aborts", &["crashed: SIGABRT"]);
}

#[test]
fn a_hang_fails_one_case() {
    check("hangs", &["hung: no answer in 1 s (--timeout), so it was killed"]);
    check("half_line_hangs", &["hung: ", "it had written half a line: `{\"type\":\"ran\",\"ev`"]);
}

#[test]
fn a_line_that_is_not_an_answer_fails_one_case() {
    check("half_line", &["crashed: exit status 0; it had written half a line: `{\"type\":\"ran\",\"ev`"]);
    check("not_json", &["wrote a line that is not JSON (", "`Listening on port 80`"]);
    check("wrong_type", &["answered `run` with a message of type `host`"]);
    check("unknown_type", &["wrote a line that is not a message of the protocol (unknown variant `walked`"]);
    check("unknown_field", &["wrote a line that is not a message of the protocol (unknown field `took`"]);
}

#[test]
fn rejects_lines_that_are_too_long() {
    check("flood", &["wrote a line of more than 64 MiB, so it was killed"]);
    check("flood_lines", &["wrote a line that is not JSON (", "`flood flood "]);
}

#[cfg(unix)]
#[test]
fn rejects_a_closed_output() {
    let folder = Folder::of_cases("adapter_closes", &[("a", "started")]);
    let said = folder.run(&["run", "cases", "--host", "sh -c 'exec >&-; sleep 60'"]);
    said.check(2, &["closed its standard output and did not end, so it was killed"]);
}

#[test]
fn rejects_a_transcript_without_its_steps() {
    let folder = Folder::new("adapter_no_steps");
    let step = "[[step]]\nrequest_headers = [[\":method\", \"GET\"]]\n[step.expect]\nclient = \"reset\"\n";
    folder.write("cases/a.toml", &format!("{HEAD}level = \"required\"\n{PLUGIN}{step}"));
    let said = folder.run(&["run", "cases", "--host", &fake("no_steps")]);
    said.check(2, &["the adapter of fake reports the steps [] of 1", "0 passed, 0 failed, 1 error"]);
}

#[test]
fn an_error_of_the_adapter_is_reported() {
    check("errors", &["failed: the host did not listen"]);
}

#[test]
fn an_unsolicited_line_fails_the_next_case() {
    let folder =
        Folder::of_cases("adapter_chatty", &[("a_bad", "started"), ("b_good", "started"), ("c_good", "started")]);
    let said = folder.run(&["run", "cases", "--host", &fake("chatty bad"), "--timeout", "5"]);
    said.check(2, &["error b_good", "one more thing", "2 passed, 0 failed, 1 error"]);
}

#[test]
fn gives_up_after_three_failures_in_a_row() {
    let cases = [("a", "started"), ("b", "started"), ("c", "started"), ("d", "started"), ("e", "started")];
    let folder = Folder::of_cases("adapter_given_up", &cases);
    let said = folder.run(&["run", "cases", "--host", &fake("dies")]);
    let why = "not run: the adapter failed 3 times in a row, the last time: the adapter ";
    said.check(2, &["0 passed, 0 failed, 5 errors", why, "and 1 more for the same reason"]);
}

#[test]
fn ends_the_run_if_the_adapter_does_not_start() {
    let folder = Folder::of_cases("adapter_start", &[("a", "started")]);
    let rows = [
        ("start_dies", "no host found: install it by `make host`"),
        ("start_errors", "failed: no host found"),
        ("start_deaf", "hung: no answer in 1 s"),
        ("start_wrong_type", "answered `start` with a message of type `ran`"),
        ("start_wrong_name", "calls its host \"../up\""),
        ("start_wrong_abi", "ABI \"9.9\""),
        ("start_first_protocol", "speaks version 1 of the adapter protocol"),
    ];
    for (mode, text) in rows {
        folder.run(&["run", "cases", "--host", &fake(mode), "--timeout", "1"]).check(2, &["error: ", text]);
    }
    folder.run(&["run", "cases", "--host", "./nothing"]).check(2, &["failed to start the adapter `./nothing`: "]);
    folder.run(&["run", "cases", "--host", "'open"]).check(2, &["is not a command line"]);
}

#[test]
fn a_skip_has_the_reason_of_the_adapter() {
    let folder = Folder::of_cases("adapter_skips", &[("a", "started")]);
    let said = folder.run(&["run", "cases", "--host", &fake("skips"), "--report", "record.jsonl"]);
    said.check(2, &["0 passed, 0 failed, 1 skipped", "no case was run: all were skipped"]);
    assert_eq!(folder.record("record.jsonl")[1]["reason"], "it is too late");
    let said = folder.run(&["run", "cases", "--host", &fake("skips"), "--require-coverage", "0"]);
    said.check(0, &["0 passed, 0 failed, 1 skipped"]);
}

#[test]
fn a_crash_of_the_host_is_a_failure_and_not_an_error() {
    let folder = Folder::of_cases("adapter_host_dies", &[("a", "started")]);
    let said = folder.run(&["run", "cases", "--host", &fake("host_dies")]);
    said.check(1, &["the host", "expected to keep running", "actual   crashes with SIGSEGV, before anything was seen"]);
}

/// A case that sends a request through a probe.
const REQUEST: &str = "level = \"required\"\n[[step]]\nrequest_headers = [[\":method\", \"GET\"], [\":scheme\", \"http\"], \
    [\":authority\", \"a\"], [\":path\", \"/\"]]\n[[step.guest]]\nin = \"proxy_on_request_headers\"\n\
    call = \"proxy_get_current_time_nanoseconds\"\nexpect = \"OK\"\n";

#[cfg(unix)]
#[test]
fn a_crash_of_a_host_in_the_adapters_process_is_a_verdict() {
    let folder = Folder::new("adapter_in_process");
    for case in ["a_good", "b_abort", "c_good"] {
        folder.write(&format!("cases/{case}.toml"), &format!("{HEAD}{REQUEST}"));
    }
    let host = example("reference_adapter aborts");
    let said = folder.run(&["run", "cases", "--host", &host, "--report", "record.jsonl"]);
    let texts = [
        "fail  b_abort",
        "crashes with SIGABRT, in step 1; the last callback was proxy_on_request_headers, the last call proxy_get_current_time_nanoseconds",
        "2 passed, 1 failed in ",
    ];
    said.check(1, &texts);
    folder.run(&["explain", "cases/b_abort.toml", "--host", &host]).check(1, &["crashes with SIGABRT, in step 1"]);
}

#[test]
fn a_host_without_a_function_fails_the_cases_that_cite_it() {
    let folder = Folder::new("adapter_lacks");
    let cited = REQUEST.replace("level", "clause = [\"proxy_get_current_time_nanoseconds/OK\"]\nlevel");
    let head = HEAD.replace("clause = [\"#integration\"]\n", "");
    folder.write("cases/cites.toml", &format!("{head}{cited}"));
    folder.write("cases/needs.toml", &format!("{HEAD}{REQUEST}"));
    folder.write("cases/other.toml", &format!("{HEAD}level = \"required\"\n{PLUGIN}[expect]\nstart = \"refused\"\n"));
    let host = example("reference_adapter lacks proxy_get_current_time_nanoseconds");
    let said = folder.run(&["run", "cases", "--host", &host, "--report", "record.jsonl"]);
    let lacks = "reference-elsewhere lacks 1 function of ABI v0.2.1: proxy_get_current_time_nanoseconds. \
        Of the first it says: missing import proxy_get_current_time_nanoseconds";
    let texts = [lacks, "actual   lacks proxy_get_current_time_nanoseconds", "1 passed, 1 failed, 1 skipped"];
    said.check(1, &texts);
    let record = folder.record("record.jsonl");
    assert_eq!(record[0]["lacks"]["0.2.1"][0], "proxy_get_current_time_nanoseconds");
    assert_eq!(record[2]["reason"], "reference-elsewhere 1.0 lacks proxy_get_current_time_nanoseconds");
    let catalog = folder.run(&["run", "--host", &host, "--abi", "0.2.1", "--report", "catalog.jsonl", "--quiet"]);
    let failed: Vec<String> = folder
        .record("catalog.jsonl")
        .iter()
        .filter(|line| line["verdict"] == "fail" || line["verdict"] == "error")
        .map(|line| line["clause"].to_string())
        .collect();
    let others: Vec<&String> =
        failed.iter().filter(|clauses| !clauses.contains("proxy_get_current_time_nanoseconds")).collect();
    assert!(others.is_empty() && !failed.is_empty(), "{others:?}\n{}", catalog.out);
}

#[test]
fn a_host_that_loads_no_plugin_of_a_version_fails_the_cases_of_the_marker_and_no_others() {
    let folder = Folder::new("adapter_refuses");
    let host = example("reference_adapter lacks proxy_log");
    let args = ["run", "integration/", "timers/", "--host", &host, "--abi", "0.2.1", "--report", "record.jsonl"];
    folder.run(&args).check(
        1,
        &[
            "reference-elsewhere does not start a plugin of ABI v0.2.1 that only logs",
            "It says: missing import proxy_log",
            "skipped",
        ],
    );
    let record = folder.record("record.jsonl");
    assert_eq!(record[0]["refuses"]["0.2.1"], "missing import proxy_log");
    let cases: Vec<_> = record.iter().filter(|line| line["type"] == "case").collect();
    for case in &cases {
        let cites = case["statement"].to_string().contains("integration/marker_supports");
        // A case that takes a refusal for an answer is run.
        assert!(!cites || case["verdict"] == "fail", "{case}");
        assert!(cites || case["verdict"] != "fail", "{case}");
    }
    let skipped =
        cases.iter().filter(|case| case["reason"] == "reference-elsewhere 1.0 starts no plugin of ABI v0.2.1");
    assert!(skipped.count() > 10);
}

#[cfg(unix)]
#[test]
fn a_killed_adapter_takes_its_children_with_it() {
    let folder = Folder::of_cases("adapter_children", &[("a", "started")]);
    folder
        .run(&["run", "cases", "--host", "sh -c 'sleep 600 & echo $! > child; wait'", "--timeout", "1"])
        .check(2, &["hung"]);
    let child = folder.read("child");
    let is_there =
        || std::process::Command::new("kill").args(["-0", child.trim()]).status().is_ok_and(|status| status.success());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while is_there() {
        assert!(std::time::Instant::now() < deadline, "the child {child} outlives its adapter");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn the_lines_between_harness_and_adapter_can_be_kept() {
    let folder = Folder::of_cases("adapter_trace", &[("a", "started")]);
    folder.run(&["run", "cases", "--host", &fake("ok"), "--trace-adapter", "lines"]).check(0, &[]);
    let lines = folder.read("lines");
    let first = lines.lines().next().unwrap_or_default();
    assert_eq!(first, "> {\"type\":\"start\",\"protocol\":2}");
    assert!(
        lines.lines().any(|line| line.starts_with("< {\"events\":") || line.contains("\"type\":\"ran\"")),
        "{lines}"
    );
}
