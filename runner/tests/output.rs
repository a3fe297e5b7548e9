//! What a run prints, of which cases, and which exit code that gives.

mod support;

use support::{Folder, HEAD, PLUGIN, fake};

/// A folder with cases that fail, as many as there are letters.
fn failing(name: &str, letters: &str) -> Folder {
    let names: Vec<String> = letters.chars().map(|letter| format!("{letter}_fails")).collect();
    Folder::of_cases(name, &names.iter().map(|name| (name.as_str(), "refused")).collect::<Vec<_>>())
}

#[test]
fn a_host_that_does_nothing_prints_little() {
    let folder = Folder::new("output_nothing");
    let said = folder.run(&["run", "--host", &fake("ok")]);
    let lines = said.out.lines().count() + said.err.lines().count();
    assert!(lines < 80, "{lines} lines:\n{}\n{}", said.out, said.err);
    let texts = ["http_fields  ", "generated  ", "failures by cause:\n", " was not called; first: "];
    said.check(1, &texts);
    said.check(1, &["skipped, since the host or its adapter", "  does not implement ABI v0.1.0\n", " not run"]);
}

#[test]
fn few_failures_are_all_shown_and_many_are_grouped() {
    let shown = |letters: &str, flags: &[&str]| {
        let folder = failing("output_failures", letters);
        let said = folder.run(&[&["run", "cases", "--host", &fake("ok")], flags].concat());
        let blocks = said.out.lines().filter(|line| line.starts_with("fail  ")).count();
        (blocks, said.out.contains("failures by cause:"))
    };
    assert_eq!(shown("a", &[]), (1, false));
    assert_eq!(shown("abcdefgh", &[]), (8, true));
    assert_eq!(shown("abcdefghijkl", &[]), (1, true));
    assert_eq!(shown("abcdefghijkl", &["-v"]), (12, true));
    assert_eq!(shown("abcdefghijkl", &["-q"]), (0, false));
}

#[test]
fn each_case_or_the_counts_alone_are_shown() {
    let folder = Folder::of_cases("output_verbosity", &[("one", "started"), ("two", "refused")]);
    folder.write("cases/skipped.toml", &format!("{HEAD}level = \"required\"\n{PLUGIN}[[step]]\nadvance = 5\n"));
    let run = ["run", "cases", "--host", &fake("ok")];
    let lines =
        ["pass        one (ABI v0.2.1)\n", "fail  two (ABI", "skip        skipped (ABI v0.2.1): fake 1.0 cannot "];
    folder.run(&[&run[..], &["-v"]].concat()).check(1, &lines);
    let quiet = folder.run(&[&run[..], &["-q"]].concat());
    quiet.check(1, &["fake 1.0: 1 passed, 1 failed, 1 skipped in "]);
    assert_eq!((quiet.out.lines().count(), quiet.err.as_str()), (1, ""), "{quiet:?}");
    folder.run(&[&run[..], &["-q", "-v"]].concat()).check(2, &["cannot be used with"]);
}

#[test]
fn a_table_has_a_line_for_each_section() {
    let folder = Folder::of_cases("output_table", &[("one", "started")]);
    for (section, start) in [("first", "started"), ("second", "refused")] {
        std::fs::create_dir(folder.path(&format!("cases/{section}"))).unwrap_or_else(|error| panic!("{error}"));
        folder.write(&format!("cases/{section}/any.wat"), &folder.read("cases/any.wat"));
        let case = format!("{HEAD}level = \"required\"\n{PLUGIN}[expect]\nstart = \"{start}\"\n");
        folder.write(&format!("cases/{section}/case.toml"), &case);
    }
    let texts = [
        "             passed       failed        known      skipped  unspecified\n",
        "first             1            ·            ·            ·            ·\n",
        "second            ·            1            ·            ·            ·\n",
        "(none)            1            ·            ·            ·            ·\n",
    ];
    folder.run(&["run", "cases", "--host", &fake("ok")]).check(1, &texts);
}

#[test]
fn what_failed_is_run_again() {
    let folder = Folder::of_cases("output_failed", &[("bad", "refused"), ("good", "started")]);
    let host = fake("ok");
    let run = ["run", "cases", "--host", &host, "--report", "last.jsonl"];
    folder.run(&run).check(1, &["1 passed, 1 failed"]);
    // The record is read before it is written.
    let again = [&run[..], &["--failed", "last.jsonl"]].concat();
    folder.run(&again).check(1, &["0 passed, 1 failed in "]);
    folder
        .run(&["run", "readme", "--host", &host, "--failed", "last.jsonl"])
        .check(2, &["`bad` (ABI v0.2.1), which failed"]);
    folder.write("cases/bad.toml", &folder.read("cases/good.toml"));
    folder.run(&again).check(0, &["1 passed, 0 failed in "]);
    folder.run(&again).check(0, &["nothing failed in last.jsonl"]);
}

#[test]
fn a_level_chooses_cases() {
    let folder = Folder::of_cases("output_level", &[("must", "started")]);
    folder.write("cases/should.toml", &format!("{HEAD}level = \"recommended\"\n{PLUGIN}"));
    let host = fake("ok");
    let run = |level: &str| folder.run(&["run", "cases", "-v", "--host", &host, "--level", level]);
    run("required").check(0, &["must (ABI", "1 passed", "required: 1 of 1 (100 %)\n"]);
    run("recommended").check(0, &["should (ABI", "1 passed", "recommended: 1 of 1 (100 %)\n"]);
    run("unspecified").check(2, &["none of these cases, such as `must`, is unspecified"]);
    run("wished").check(2, &["there are required, recommended, unspecified, extension"]);
}

#[test]
fn less_than_the_coverage_that_is_asked_for_is_a_failure() {
    let folder = Folder::of_cases("output_coverage", &[("run", "started")]);
    let skipped = format!("{HEAD}level = \"required\"\n{PLUGIN}[[step]]\nadvance = 5\n");
    folder.write("cases/skipped.toml", &skipped);
    // What is not required does not count.
    folder.write("cases/also.toml", &skipped.replace("required", "recommended"));
    let host = fake("ok");
    let run = |percent: &str| folder.run(&["run", "cases", "--host", &host, "--require-coverage", percent]);
    run("50").check(0, &["required: 1 of 2 (50 %), 1 not run; recommended: 0 of 1 (0 %), 1 not run"]);
    run("51").check(1, &["error: 1 of 2 required cases were run, less than --require-coverage 51"]);
    run("101").check(2, &["101 is not in 0..=100"]);
}

#[test]
fn control_characters_of_a_case_do_not_reach_the_terminal() {
    let folder = Folder::new("output_control");
    let head = HEAD.replace("it starts", "\\u001b[31mred");
    folder.write(
        "cases/a\u{1b}[32m.toml",
        &format!("{head}level = \"required\"\n{PLUGIN}[expect]\nstart = \"refused\"\n"),
    );
    for flag in ["-v", "--color=never"] {
        let said = folder.run(&["run", "cases", "--host", &fake("ok"), flag]);
        said.check(1, &["\u{fffd}[31mred\n", "a\u{fffd}[32m.toml"]);
        assert!(!said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'), "{said:?}");
    }
}

#[test]
fn expected_failures_are_drafted_and_refused_until_somebody_says_why() {
    let folder = failing("output_draft", "abc");
    let run = |flags: &[&str]| folder.run(&[&["run", "cases", "--host", &fake("ok")], flags].concat());
    run(&["--draft-known", "known.toml"]).check(1, &["0 passed, 3 failed"]);
    let draft = folder.read("known.toml");
    assert_eq!(draft.matches("[[known]]").count(), 1, "{draft}");
    run(&["--known", "known.toml"]).check(2, &["known.toml:", "this is empty: write why the host differs"]);
    run(&["--draft-known", "known.toml"]).check(2, &["--draft-known known.toml: it is there: name a new file"]);
    assert_eq!(folder.read("known.toml"), draft);
    folder.write("known.toml", &draft.replace("why = \"\"", "why = \"it starts everything\""));
    run(&["--known", "known.toml"]).check(0, &["0 passed, 0 failed, 3 known"]);
}
