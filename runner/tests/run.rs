//! Runs: which cases, which verdict, which exit code, and what is written.

mod support;

use serde_json::Value;
use support::{Folder, HEAD, PLUGIN, fake};

/// A folder with a case of every kind.
fn of_every_kind(name: &str) -> Folder {
    let folder = Folder::of_cases(name, &[("fails", "refused"), ("passes", "started")]);
    let question = "level = \"unspecified\"\nquestion = \"may it start?\"\n";
    folder.write("cases/open.toml", &format!("{HEAD}{question}{PLUGIN}[expect]\nstart = [\"refused\", \"started\"]\n"));
    folder.write("cases/skipped.toml", &format!("{HEAD}level = \"required\"\n{PLUGIN}[[step]]\nadvance = 5\n"));
    let versions = format!("{HEAD}level = \"recommended\"\n{PLUGIN}").replace("0.2.1", "0.1.0..0.2.0");
    folder.write("cases/versions.toml", &versions);
    folder
}

fn known(case: &str) -> String {
    format!(
        "[[known]]\ncase = \"{case}\"\nclause = \"proxy_log/OK\"\ndoes = \"starts it\"\nwhy = \"it is kind\"\n\
         link = \"https://example.test/1\"\n"
    )
}

/// `id version verdict` of each case.
fn verdicts(record: &[Value]) -> Vec<String> {
    let field = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let line = |line: &Value| format!("{} {} {}", field(line, "id"), field(line, "abi"), field(line, "verdict"));
    record.iter().filter(|line| line["type"] == "case").map(line).collect()
}

#[test]
fn shards_are_all_cases_together() {
    let folder = of_every_kind("run_shards");
    let mut seen = Vec::new();
    for part in ["1/4", "2/4", "3/4", "4/4"] {
        folder.run(&["run", "cases", "--host", &fake("ok"), "--shard", part, "--report", "record.jsonl"]);
        seen.push(verdicts(&folder.record("record.jsonl")));
    }
    assert!(seen.iter().all(|part| [1, 2].contains(&part.len())), "{seen:?}");
    let mut all = seen.concat();
    all.sort();
    folder.run(&["run", "cases", "--host", &fake("ok"), "--report", "record.jsonl"]);
    let mut whole = verdicts(&folder.record("record.jsonl"));
    whole.sort();
    assert_eq!(all, whole);
    let message = "there are fewer cases than shards, and none for this one";
    folder.run(&["run", "cases", "--host", &fake("ok"), "--shard", "9/9"]).check(2, &[message]);
    folder.run(&["run", "cases", "--shard", "5/4"]).check(2, &["expected a part and how many there are, such as 1/4"]);
}

#[test]
fn every_verdict_is_recorded() {
    let folder = of_every_kind("run_verdicts");
    let said = folder.run(&["run", "cases", "--host", &fake("ok"), "--report", "record.jsonl", "--junit", "junit.xml"]);
    said.check(
        1,
        &[
            "fail  fails (ABI v0.2.1; required)\n      it starts\n",
            "cases/fails.toml:8: the plugin\n        expected to be refused\n        actual   started\n",
            "      clause #integration  https://github.com/proxy-wasm/spec/blob/",
            "cargo conform explain cases/fails.toml --abi 0.2.1 --host ",
            "skipped, since the host or its adapter (a case may count several times):\n     1  cannot let time pass (feature time)\n",
            "fake 1.0: 2 passed, 1 failed, 2 skipped, 1 unspecified in ",
            "\nrequired: 1 of 3 (33 %), 1 not run; recommended: 1 of 2 (50 %), 1 not run, of these 1 for versions of the ABI that the host lacks\n",
        ],
    );
    let record = folder.record("record.jsonl");
    let expected = [
        "fails 0.2.1 fail",
        "open 0.2.1 unspecified",
        "passes 0.2.1 pass",
        "skipped 0.2.1 skip",
        "versions 0.1.0 skip",
        "versions 0.2.0 pass",
    ];
    assert_eq!(verdicts(&record), expected);
    assert_eq!((&record[0]["host"]["name"], &record[0]["started"]), (&"fake".into(), &"1970-01-01T00:00:00Z".into()));
    assert_eq!(record[1]["findings"][0]["actual"], "started");
    assert_eq!((&record[2]["answer"], &record[2]["question"]), (&"started".into(), &"may it start?".into()));
    assert_eq!(record[4]["reason"], "fake 1.0 cannot let time pass (feature time)");
    assert_eq!(record[5]["reason"], "fake 1.0 does not implement ABI v0.1.0");
    let counts = serde_json::json!({
        "pass": 2, "fail": 1, "known": 0, "stale": 0, "skip": 2, "unspecified": 1, "error": 0
    });
    assert_eq!(record[7]["counts"], counts);
    assert!(folder.read("junit.xml").contains("tests=\"6\" skipped=\"2\" failures=\"1\" errors=\"0\""));
}

#[test]
fn expected_failures_excuse_what_fails_and_nothing_else() {
    let folder = of_every_kind("run_known");
    let host = fake("ok");
    let run = |failures: &str| {
        folder.write("known.toml", failures);
        folder.run(&["run", "cases", "--host", &host, "--known", "known.toml", "--report", "record.jsonl"])
    };
    run(&known("fails")).check(0, &["2 passed, 0 failed, 1 known, 2 skipped"]);
    let record = folder.record("record.jsonl");
    assert_eq!(record[1]["reason"], "starts it (it is kind)");
    assert_eq!(record[1]["link"], "https://example.test/1");

    let both = known("fails") + &known("passes");
    run(&both).check(1, &["stale passes", "it passes now: remove or narrow the entry at known.toml:7", "1 stale"]);
    run(&(known("fails") + &known("skipped"))).check(0, &["1 known, 2 skipped"]);

    run(&known("fials")).check(2, &["known.toml:2: no case `fials`, did you mean `fails`?"]);
    run(&known("fails").replace("why", "because")).check(2, &["known.toml:5: unknown key `because`"]);
    folder.run(&["run", "cases", "--host", &host, "--known", "no.toml"]).check(2, &["failed to read no.toml: "]);
}

#[test]
fn bad_files_are_all_listed_and_the_others_run() {
    let folder = Folder::of_cases("run_bad", &[("good", "started")]);
    folder.write("cases/key.toml", &format!("{HEAD}level = \"required\"\nstepp = 1\n"));
    folder.write("cases/toml.toml", "title = \n");
    folder.write("cases/clause.toml", &format!("{HEAD}level = \"required\"\n").replace("#integration", "proxy_lag/OK"));
    folder.write("cases/module.toml", &format!("{HEAD}level = \"required\"\n[[plugin]]\nmodule = \"no.wat\"\n"));
    let said = folder.run(&["run", "cases", "--host", &fake("ok")]);
    let texts = [
        "cases/clause.toml:2: unknown clause `proxy_lag/OK`",
        "cases/key.toml:5: unknown key `stepp`, did you mean `step`?",
        "cases/module.toml:6: failed to read the module no.wat: ",
        "cases/toml.toml:1: ",
        "1 passed, 0 failed in ",
    ];
    said.check(2, &texts);
    folder.run(&["run", "cases/key.toml", "--host", &fake("ok")]).check(2, &["cases/key.toml:5: "]);
}

#[test]
fn what_names_no_case_is_an_error_with_the_way_out() {
    let folder = Folder::of_cases("run_none", &[("good", "started")]);
    let host = fake("ok");
    folder.run(&["run", "readmee", "--host", &host]).check(2, &["no case matches `readmee`, did you mean `readme`?"]);
    folder.run(&["run", "no.toml", "--host", &host]).check(2, &["failed to read no.toml: "]);
    folder.run(&["run", "cases/any.wat", "--host", &host]).check(2, &["is not a case: cases are .toml files"]);
    let none = Folder::new("run_empty").run(&["run", "cases", "--host", &host]);
    none.check(2, &["the folder cases has no cases, which are .toml files"]);
    let other = ["run", "cases", "--abi", "0.1.0", "--host", &host];
    folder.run(&other).check(2, &["none of these cases, such as `good`, runs for ABI v0.1.0"]);
    folder.run(&["run", "cases", "--abi", "7", "--host", &host]).check(2, &["there are 0.1.0, 0.2.0, 0.2.1, next"]);
    folder.run(&["run", "cases", "--envoy", "x", "--host", &host]).check(2, &["--envoy goes with --host envoy"]);
}

#[test]
fn a_path_that_cannot_be_written_is_found_before_the_run() {
    let folder = Folder::of_cases("run_unwritable", &[("good", "started")]);
    for flag in ["--report", "--junit"] {
        let said = folder.run(&["run", "cases", "--host", &fake("start_dies"), flag, "no/such/folder"]);
        said.check(2, &["failed to write no/such/folder: "]);
        assert_eq!(said.out, "");
    }
    let both = ["run", "cases", "--host", &fake("ok"), "--report", "same", "--junit", "same"];
    folder.run(&both).check(2, &["--report and --junit name the same file"]);
}

#[test]
fn a_run_gives_the_same_bytes_however_many_adapters_work() {
    let folder = of_every_kind("run_jobs");
    for letter in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        folder.write(&format!("cases/more_{letter}.toml"), &format!("{HEAD}level = \"required\"\n{PLUGIN}"));
    }
    let record = |jobs: &str| {
        folder.run(&["run", "cases", "--host", &fake("ok"), "--jobs", jobs, "--report", "record.jsonl"]);
        folder.read("record.jsonl")
    };
    assert_eq!(record("1"), record("4"));
}

#[test]
fn words_choose_cases_of_the_catalog() {
    let folder = Folder::new("run_words");
    let catalog = concat!(env!("CARGO_MANIFEST_DIR"), "/../cases/catalog");
    let file = format!("{catalog}/readme.toml");
    let rows: [&[&str]; 4] = [&["readme"], &[&file], &["readme", "--catalog", catalog], &[&file, "--catalog", catalog]];
    for words in rows {
        let said = folder.run(&[&["run", "--host", &fake("skips"), "--abi", "0.2.1"], words].concat());
        said.check(2, &["0 passed, 0 failed, 1 skipped"]);
    }
}

#[test]
fn a_file_that_is_named_twice_runs_once() {
    let folder = Folder::of_cases("run_twice", &[("good", "started"), ("other", "started")]);
    let host = fake("ok");
    folder.run(&["run", "cases/good.toml", "cases", "--host", &host]).check(0, &["2 passed, 0 failed in "]);
    folder.write("good.toml", &folder.read("cases/good.toml").replace("any.wat", "cases/any.wat"));
    let said = folder.run(&["run", "cases", "good.toml", "--host", &host]);
    said.check(2, &["good.toml: a second case of the id `good`: rename it"]);
}

#[test]
fn quiet_where_there_is_no_terminal() {
    let folder = Folder::of_cases("run_quiet", &[("good", "started")]);
    let said = folder.run(&["run", "cases", "--host", &fake("ok")]);
    assert_eq!((said.out.lines().count(), said.err.as_str()), (2, ""), "{said:?}");
    let said = folder.run(&["run", "cases", "--host", &fake("ok"), "--color", "always"]);
    assert!(said.out.starts_with("\x1b[32mfake 1.0:\x1b[0m"), "{said:?}");
}
