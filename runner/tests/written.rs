//! What a run writes: whole files, however it ends.

mod support;

use std::path::Path;

use pw_harness::record::{CutShort, Record};
use quick_junit::Report;
use support::{Folder, fake};

/// How many cases are in the record that was written, and why they are not all.
fn recorded(folder: &Folder) -> (usize, Option<CutShort>) {
    let path = folder.path("record.jsonl");
    let record = Record::read(Path::new(&path)).unwrap_or_else(|error| panic!("{error}"));
    (record.cases.len(), record.footer.cut_short)
}

/// A JUnit report that was written, and how many cases are in it.
fn junit(folder: &Folder) -> (Report, usize) {
    let report = Report::deserialize_from_str(&folder.read("junit.xml")).unwrap_or_else(|error| panic!("{error}"));
    let count = report.test_suites.iter().map(|suite| suite.test_cases.len()).sum();
    (report, count)
}

#[test]
fn a_run_ends_after_so_many_failures() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let folder = Folder::of_cases("written_max_fail", &names.map(|name| (name, "refused")));
    let files = ["--report", "record.jsonl", "--junit", "junit.xml"];
    let run = ["run", "cases", "--host", &fake("ok"), "--jobs", "1", "--max-fail", "2"];
    let said = folder.run(&[&run[..], &files].concat());
    said.check(1, &["0 passed, 2 failed in ", "ended by --max-fail 2: 2 of 6 cases were run"]);
    assert_eq!(recorded(&folder), (2, Some(CutShort::MaxFail)));
    assert_eq!(junit(&folder).1, 2);
    let message = "record.jsonl: the run was cut short, 2 of 6 were run: run it again";
    folder.run(&["report", "record.jsonl", "--out", "out"]).check(2, &[message]);
    folder.run(&["run", "cases", "--max-fail", "0"]).check(2, &["expected a number, 1 or more"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_what_was_run_and_leaves_whole_files() {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let folder = Folder::of_cases("written_interrupt", &[("a_good", "started"), ("b_hangs", "started")]);
    let host = fake("hangs hangs");
    let args = ["run", "cases", "--host", &host, "--jobs", "1", "--timeout", "3"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_pw-conform"));
    command.args(args).args(["--report", "record.jsonl", "--junit", "junit.xml"]).current_dir(folder.path(""));
    command.process_group(0);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("{error}"));
    let lines = || std::fs::read_to_string(folder.path("record.jsonl")).unwrap_or_default().lines().count();
    while lines() < 2 {
        std::thread::sleep(Duration::from_millis(10));
    }
    // As a terminal does it: the adapter gets it, too.
    let killed = Command::new("kill").args(["-INT", "--", &format!("-{}", child.id())]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(output.status.code(), Some(130));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("fake 1.0: 1 passed, 0 failed in "), "{out}");
    assert!(err.contains("interrupted: 1 of 2 cases were run"), "{err}");
    assert_eq!(recorded(&folder), (1, Some(CutShort::Interrupted)));
    assert_eq!(junit(&folder).1, 1);
}

#[test]
fn a_junit_report_says_where_how_long_and_what_was_seen() {
    let folder = Folder::of_cases("written_junit", &[("bad", "refused"), ("good", "started")]);
    let step = "[[step]]\nrequest_headers = [[\":method\", \"GET\"]]\n[step.expect]\nclient = \"reset\"\n";
    folder.write("cases/bad.toml", &folder.read("cases/bad.toml").replace("[expect]\nstart = \"refused\"\n", step));
    folder.run(&["run", "cases", "--host", &fake("ok"), "--junit", "junit.xml"]).check(1, &[]);
    let (report, count) = junit(&folder);
    assert_eq!(count, 2);
    let [suite] = report.test_suites.as_slice() else { panic!("{report:#?}") };
    assert!(report.time.is_some() && suite.time.is_some());
    let bad = &suite.test_cases[0];
    let extra = |name: &str| bad.extra.iter().find(|(key, _)| key.as_str() == name).map(|(_, value)| value.as_str());
    assert_eq!((extra("file"), extra("line"), bad.time.is_some()), (Some("cases/bad.toml"), Some("10"), true));
    let property = |name: &str| bad.properties.iter().find(|property| property.name.as_str() == name);
    assert!(property("level").is_some_and(|level| level.value.as_str() == "required"));
    assert!(bad.system_out.as_ref().is_some_and(|seen| seen.as_str().contains("step 1")), "{bad:#?}");
}

#[test]
fn earlier_files_survive_a_run_that_does_not_begin() {
    let folder = Folder::of_cases("written_survives", &[("good", "started")]);
    let files = ["--report", "record.jsonl", "--junit", "junit.xml"];
    folder.run(&[&["run", "cases", "--host", &fake("ok")][..], &files].concat()).check(0, &[]);
    let before = (folder.read("record.jsonl"), folder.read("junit.xml"));
    for host in ["./nosuch", &fake("start_dies")] {
        folder.run(&[&["run", "cases", "--host", host][..], &files].concat()).check(2, &[]);
        assert_eq!((folder.read("record.jsonl"), folder.read("junit.xml")), before);
    }
    let elsewhere = ["--report", "record.jsonl", "--junit", "no/such/folder.xml"];
    folder.run(&[&["run", "cases", "--host", &fake("ok")][..], &elsewhere].concat()).check(2, &["no/such/folder.xml"]);
    assert_eq!(folder.read("record.jsonl"), before.0);
    folder.run(&["run", "cases", "--host", "./nosuch", "--report", "new.jsonl"]).check(2, &[]);
    assert!(!Path::new(&folder.path("new.jsonl")).exists());
    // A shorter record leaves nothing of a longer one.
    folder.write("record.jsonl", &before.0.repeat(3));
    folder.run(&[&["run", "cases", "--host", &fake("ok")][..], &files].concat()).check(0, &[]);
    assert_eq!(recorded(&folder), (1, None));
}

#[test]
fn no_output_overwrites_an_input_or_the_other_output() {
    let folder = Folder::of_cases("written_apart", &[("good", "started")]);
    let (case, known) = (folder.read("cases/good.toml"), "# no expected failures\n");
    folder.write("known.toml", known);
    let run = |flags: &[&str]| folder.run(&[&["run", "cases", "--host", &fake("ok")], flags].concat());
    let same = "--report and --junit name the same file";
    run(&["--report", "same", "--junit", "./same"]).check(2, &[same]);
    run(&["--report", "./cases/good.toml"]).check(2, &["--report would overwrite cases/good.toml, which is read"]);
    run(&["--known", "known.toml", "--junit", "cases/../known.toml"]).check(2, &["--junit would overwrite known.toml"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path("record.jsonl"), folder.path("link")).expect("the folder is ours");
        run(&["--report", "record.jsonl", "--junit", "link"]).check(2, &[same]);
        // One that is not a file takes both.
        run(&["--report", "/dev/null", "--junit", "/dev/null"]).check(0, &[]);
    }
    assert_eq!((folder.read("cases/good.toml"), folder.read("known.toml").as_str()), (case, known));
}
