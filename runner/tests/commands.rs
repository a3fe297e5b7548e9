//! The other commands, as they are typed.

mod support;

use std::path::Path;

use serde_json::Value;
use support::{Folder, fake};

#[track_caller]
fn json(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn list_shows_cases() {
    let folder = Folder::of_cases("list", &[("one", "started"), ("two", "refused")]);
    folder.run(&["list", "cases"]).check(0, &["one  0.2.1         required     it starts\n"]);
    let said = folder.run(&["list", "cases", "--json"]);
    let cases = json(&said.out);
    assert_eq!((cases.len(), &cases[1]["id"], &cases[1]["abi"][0]), (2, &"two".into(), &"0.2.1".into()));
    folder.run(&["list", "readme"]).check(0, &["readme"]);
    folder.run(&["list", "nothing_is_called_this"]).check(2, &["no case matches"]);
}

#[test]
fn explain_shows_all_of_a_case() {
    let folder = Folder::of_cases("explain", &[("one", "started"), ("two", "refused")]);
    let texts = [
        "two: it starts\n",
        "level     required\nversions  0.2.1\n",
        "clauses\n  #integration\n",
        "  1 │ title = \"it starts\"\n",
        "module of plugin\n  1 │ (module (memory",
        "transcript on fake 1.0, ABI v0.2.1\n",
        "fail\n  cases/two.toml:8: the plugin\n    expected to be refused\n    actual   started\n",
        "cargo conform explain cases/two.toml --abi 0.2.1 --host ",
    ];
    folder.run(&["explain", "cases/two.toml", "--host", &fake("ok")]).check(1, &texts);
    folder.run(&["explain", "cases/one.toml", "--host", &fake("ok")]).check(0, &["\npass\n"]);
    folder
        .run(&["explain", "cases/one.toml", "--host", &fake("dies")])
        .check(2, &["script\n", "crashed: exit status 3"]);
    folder.run(&["explain", "cases", "--host", &fake("ok")]).check(2, &["`cases` means 2 cases; say which:\n  one\n"]);
    let other = ["explain", "cases/one.toml", "--abi", "0.1.0"];
    folder.run(&other).check(2, &["`one` does not run for ABI v0.1.0; it is for 0.2.1"]);
    folder.run(&["explain", "nothing_is_called_this"]).check(2, &["no case matches"]);
}

#[test]
fn abi_prints_the_table() {
    let folder = Folder::new("abi");
    folder.run(&["abi", "--abi", "0.1.0"]).check(0, &["Proxy-Wasm ABI v0.1.0\n", "  host  proxy_log(log_level: i32, "]);
    folder.run(&["abi", "--markdown"]).check(0, &["# The Proxy-Wasm ABI\n"]);
    let table = json(&folder.run(&["abi", "--json"]).out);
    assert_eq!(
        table.iter().filter(|row| row["kind"] == "host").count(),
        pw_abi::host_functions(pw_abi::Version::V0_2_1).count()
    );
}

#[test]
fn report_makes_badges_and_a_matrix() {
    let folder = Folder::of_cases("report", &[("one", "started"), ("two", "refused")]);
    folder.run(&["run", "cases", "--host", &fake("ok"), "--report", "fake.jsonl"]).check(1, &[]);
    let texts = ["wrote out/fake.badge.json\n", "wrote out/matrix.md\n", "wrote out/spec-questions.md\n"];
    folder.run(&["report", "fake.jsonl", "--out", "out"]).check(0, &texts);
    assert!(folder.read("out/fake.badge.json").contains("a part of the catalog: 1 of 2 required · 50 %"));
    assert!(folder.read("out/matrix.md").contains("| `two` it starts | ✗ |"));

    folder.write("half.jsonl", folder.read("fake.jsonl").split_inclusive('\n').next().unwrap_or_default());
    folder.run(&["report", "half.jsonl"]).check(2, &["half.jsonl: the record is truncated: it ends without a footer"]);
    folder.write("other.jsonl", &folder.read("fake.jsonl"));
    let twice = ["report", "fake.jsonl", "other.jsonl"];
    folder.run(&twice).check(2, &["other.jsonl: a second record of the host fake"]);
    folder.run(&["report", "no.jsonl"]).check(2, &["failed to read no.jsonl: "]);
}

#[test]
fn coverage_takes_records() {
    let folder = Folder::of_cases("coverage", &[("one", "started")]);
    folder.run(&["run", "cases", "--host", &fake("ok"), "--report", "fake.jsonl"]).check(0, &[]);
    folder.run(&["coverage", "fake.jsonl"]).check(0, &["(7) hold on fake 1.0\n", "of those that the text decides, "]);
    folder.run(&["coverage", "fake.jsonl", "--markdown"]).check(0, &["| missing | hold on fake 1.0 |\n"]);
    folder.run(&["coverage", "no.jsonl"]).check(2, &["failed to read no.jsonl: "]);
}

#[test]
fn help_completions_and_man_come_from_one_definition() {
    let folder = Folder::new("definition");
    folder.run(&["--help"]).check(0, &["Exit codes: 0 nothing failed"]);
    for shell in ["bash", "zsh", "fish"] {
        folder.run(&["completions", shell]).check(0, &["pw-conform", "junit"]);
    }
    folder.run(&["man"]).check(0, &[".TH pw-conform 1", ".TH pw-conform-run 1", "junit"]);
    folder.run(&["runn"]).check(2, &["a similar subcommand exists: 'run'"]);
}

#[test]
fn try_rejects_what_is_not_a_request() {
    let folder = Folder::new("try_bad");
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases/plugins/rust-0.2.5/headers.wasm");
    let plugin = plugin.to_string_lossy().into_owned();
    let rows: [(&[&str], &str); 11] = [
        (&["-H", "nocolon"], "\"nocolon\" is not a header: write `name: value`"),
        (&["-H", ": x"], "\": x\" is not a header"),
        (&["-H", "a b: c"], "\"a b: c\" is not a header"),
        (&["-H", "a: b\r\nc: d"], "\"a: b\\r\\nc: d\" is not a header"),
        (&["-X", ""], "\"\" is not a method"),
        (&["-X", "A\nB"], "\"A\\nB\" is not a method"),
        (&["config.json"], "\"config.json\" is not a path: write one that begins with `/`"),
        (&["/a b"], "\"/a b\" is not a path"),
        (&["--config", "confg.json"], "--config confg.json: there is no such file"),
        (&["--config", "cases"], "--config cases: it is a folder"),
        (&["--color", "mauve"], "possible values: auto, always, never"),
    ];
    for (args, text) in rows {
        let said = folder.run(&[&["try", &plugin], args].concat());
        said.check(2, &[text]);
        assert_eq!(said.out, "", "{args:?}");
    }
    folder
        .run(&["try", &plugin, "*", "-X", "OPTIONS", "-H", "Host:a", "--config", "{\"a\": 1}"])
        .check(0, &["client 0 <- "]);
    folder.run(&["try", &plugin, "--fuel", "0"]).check(2, &["invalid value '0' for '--fuel <N>'"]);
    folder.run(&["try", &plugin, "--fuel", "much"]).check(2, &["invalid value 'much' for '--fuel <N>'"]);
    folder.run(&["try", &plugin, "--fuel", "10"]).check(1, &["all fuel consumed", "`--fuel N` grants it more"]);
    folder.run(&["try", &plugin, "--fuel", "100000000"]).check(0, &["client 0 <- "]);
    folder.run(&["try", "cases/any.wat"]).check(2, &["failed to load cases/any.wat: ", "wat2wasm"]);
    folder.run(&["try", "no.wasm"]).check(2, &["failed to read no.wasm: "]);
}

#[test]
fn try_keeps_what_it_compiled_unless_no_cache_is_given() {
    let folder = Folder::new("try_cache");
    let plugin = format!("{}/../cases/plugins/rust-0.2.5/headers.wasm", env!("CARGO_MANIFEST_DIR"));
    let kept = || std::fs::read_dir(folder.path("cache/pw-conform/compiled")).is_ok();
    folder.run(&["try", &plugin, "--no-cache"]).check(0, &["client 0 <- "]);
    assert!(!kept());
    let first = folder.run(&["try", &plugin]);
    first.check(0, &["client 0 <- "]);
    assert!(kept());
    assert_eq!(folder.run(&["try", &plugin]).out, first.out);
    // Nowhere to keep it.
    let nowhere = [("XDG_CACHE_HOME", ""), ("HOME", "/proc/nobody")];
    assert_eq!(folder.run_with(&["try", &plugin], &nowhere).out, first.out);
}

#[test]
fn report_rejects_a_record_whose_host_name_is_a_path() {
    let folder = Folder::of_cases("report_foreign", &[("good", "started")]);
    folder.run(&["run", "cases", "--host", &fake("ok"), "--report", "r.jsonl"]).check(0, &[]);
    folder.write("up.jsonl", &folder.read("r.jsonl").replace("\"name\":\"fake\"", "\"name\":\"../up\""));
    folder.run(&["report", "up.jsonl", "--out", "out"]).check(2, &["up.jsonl: line 1 names a host \"../up\""]);
    assert!(!std::path::Path::new(&folder.path("up.badge.json")).exists());
    folder.run(&["report", "r.jsonl", "--out", "out"]).check(0, &["wrote out"]);
}

/// A plugin of v0.2.1 with this in its export `proxy_on_request_headers`, and this as the result of `proxy_on_configure`.
fn plugin(headers: &str, configure: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
            (func (export "proxy_on_context_create") (param i32 i32))
            (func (export "proxy_on_configure") (param i32 i32) (result i32) {configure})
            (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {headers}))"#
    );
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn try_fails_if_the_plugin_faults_or_does_not_start() {
    let folder = Folder::new("try_faults");
    let rows = [
        ("good", plugin("(i32.const 0)", "(i32.const 1)"), 0, "client 0 <- "),
        ("traps", plugin("unreachable", "(i32.const 1)"), 1, "a plugin faulted\n"),
        ("refuses", plugin("(i32.const 0)", "(i32.const 0)"), 1, "refuses.wasm was not started\n"),
        ("dies", plugin("(i32.const 0)", "unreachable"), 1, "dies.wasm was not started\n"),
    ];
    for (name, wasm, exit, text) in rows {
        folder.write_bytes(&format!("{name}.wasm"), &wasm);
        let said = folder.run(&["try", &format!("{name}.wasm"), "--no-cache"]);
        said.check(exit, &[text]);
        assert!(!said.err.contains("error: "), "{}", said.err);
    }
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf8_is_named() {
    use std::os::unix::ffi::OsStrExt;
    for command in ["run", "list", "explain"] {
        let case = std::ffi::OsStr::from_bytes(b"\xff.toml");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_pw-conform")).arg(command).arg(case).output();
        let output = output.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(output.status.code(), Some(2));
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(err.contains("\u{fffd}.toml\" is not UTF-8") && err.contains("rename the file"), "{err}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_exit_code_2() {
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    for arg in ["abi", "--help", "--version"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_pw-conform")).arg(arg).stdout(full()).output();
        let output = output.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(output.status.code(), Some(2), "{arg}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("error: failed to write the standard output: "));
    }
}
