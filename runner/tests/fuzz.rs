//! `pw-conform fuzz`, as it is typed.

mod support;

use support::{Folder, example, fake};

#[test]
fn a_short_campaign_finds_nothing_and_says_what_it_reached() {
    let folder = Folder::new("fuzz");
    let texts = [
        "600 inputs in ",
        "of which make 8 calls or more",
        "compiled one by one: ",
        "promises of v0.2.1: ",
        "combinations of function, status and callback: ",
        "nothing found\n",
    ];
    folder.run(&["fuzz", "--inputs", "300", "--jobs", "2", "--seed", "3"]).check(0, &texts);
}

#[test]
fn the_clock_ends_a_campaign() {
    let folder = Folder::new("fuzz_clock");
    folder.run(&["fuzz", "--for", "100ms"]).check(0, &["nothing found\n"]);
}

#[test]
fn a_folder_for_finds_that_cannot_be_made_is_known_at_once() {
    let folder = Folder::new("fuzz_out");
    folder.write("file", "");
    let said = folder.run(&["fuzz", "--for", "1h", "--out", "file/finds"]);
    said.check(2, &["failed to make file/finds: "]);
    folder.run(&["fuzz", "--inputs", "10", "--out", "finds"]).check(0, &["nothing found\n"]);
    assert!(!std::path::Path::new(&folder.path("finds")).exists(), "there is nothing to keep");
}

#[cfg(unix)]
#[test]
fn an_interrupted_campaign_says_what_it_came_to() {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    for signal in ["-INT", "-TERM"] {
        let folder = Folder::new("fuzz_interrupt");
        let mut command = Command::new(env!("CARGO_BIN_EXE_pw-conform"));
        command.args(["fuzz", "--for", "1h", "--out", "finds"]).current_dir(folder.path(""));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{error}"));
        // Signals are listened to before the folder is made.
        while !std::path::Path::new(&folder.path("finds")).exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let killed = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        let output = child.wait_with_output().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(output.status.code(), Some(130));
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(out.contains(" inputs in ") && out.contains("nothing found"), "{out}");
    }
}

#[test]
fn rejects_bad_flags() {
    let folder = Folder::new("fuzz_bad");
    folder.run(&["fuzz", "--for", "0s"]).check(2, &["greater than zero"]);
    folder.run(&["fuzz", "--for", "soon"]).check(2, &["such as `60s`"]);
    folder.run(&["fuzz", "--jobs", "0"]).check(2, &["--jobs"]);
    folder.run(&["fuzz", "--seeds", "3"]).check(2, &["--planted"]);
    folder.run(&["fuzz", "--seed", "-1"]).check(2, &[]);
    for flags in [&["--inputs", "9"][..], &["--corpus", "x"], &["--planted"]] {
        folder.run(&[&["fuzz", "--host", "envoy"], flags].concat()).check(2, &[flags[0], "cannot be used with --host"]);
    }
}

#[test]
fn a_corpus_grows_and_is_merged() {
    let folder = Folder::new("fuzz_corpus");
    let [one, other] = [folder.path("one"), folder.path("other")];
    let found = |path: &str| std::fs::read_dir(path).map_or(0, Iterator::count);
    folder.run(&["fuzz", "--inputs", "200", "--seed", "1", "--corpus", &one]).check(0, &["one: "]);
    let first = found(&one);
    assert!(first > 20, "{first}");
    folder.run(&["fuzz", "--inputs", "200", "--seed", "2", "--corpus", &other]).check(0, &["other: "]);
    folder.run(&["fuzz", "--corpus", &one, "--merge", &other]).check(0, &["one: "]);
    let merged = found(&one);
    assert!(first < merged && merged < first + found(&other), "{first}, {merged}");
    // What is merged once brings nothing new.
    folder.run(&["fuzz", "--corpus", &one, "--merge", &other]).check(0, &[" inputs, 0 of them new\n"]);
    assert_eq!(found(&one), merged);
    let nowhere = folder.path("nowhere");
    folder.run(&["fuzz", "--corpus", &one, "--merge", &nowhere]).check(2, &["nowhere"]);
    folder.run(&["fuzz", "--merge", &other]).check(2, &["--corpus"]);
}

#[cfg(not(feature = "planted"))]
#[test]
fn bugs_are_planted_in_their_own_build() {
    let folder = Folder::new("fuzz_planted");
    folder.run(&["fuzz", "--planted"]).check(2, &["--features planted"]);
}

#[test]
fn a_host_that_does_what_the_reference_host_does_shows_no_difference() {
    let folder = Folder::new("fuzz_honest");
    let said = folder.run(&["fuzz", "--host", &example("reference_adapter honest"), "--for", "2s", "--seed", "2"]);
    said.check(0, &["reference-elsewhere 1.0: ", " 0 crashes, "]);
    assert!(!said.out.contains("\nnew:"), "{}", said.out);
}

#[test]
fn what_a_host_forgets_is_a_difference_with_a_case() {
    let folder = Folder::new("fuzz_forgets");
    let host = example("reference_adapter forgets");
    let said = folder.run(&["fuzz", "--host", &host, "--for", "2s", "--out", "finds"]);
    said.check(1, &["\nnew:", "x upstream: ", "expected upstream <- ", "finds"]);
}

#[test]
fn a_crash_is_a_find_though_it_cannot_be_repeated() {
    let folder = Folder::new("fuzz_dies");
    let said = folder.run(&["fuzz", "--host", &example("reference_adapter dies"), "--for", "2s", "--out", "finds"]);
    said.check(
        1,
        &["\nnew:", "crashes with boredom", "after    other scenarios, in one host: alone it shows nothing", "finds"],
    );
}

#[test]
fn a_host_that_cannot_continue_is_an_error() {
    let folder = Folder::new("fuzz_ends");
    folder.run(&["fuzz", "--host", &fake("ok"), "--for", "2s"]).check(2, &["cannot be given more steps while it runs"]);
}
