//! No file makes the program abort, hang, or fill the memory: each is a message that names the place, and exit code 2.

mod support;

use support::{Folder, HEAD, PLUGIN};

const STEP: &str = "level = \"required\"\n";

#[test]
fn what_a_case_asks_too_much_of_is_said_with_its_line() {
    let folder = Folder::new("too_much");
    let long = "x".repeat(2_000);
    let probe = "[[step]]\nstart = true\n[[step.guest]]\nin = \"proxy_on_configure\"\n";
    let tick = "call = \"proxy_set_tick_period_milliseconds\"\nargs = { tick_period = 1 }\n";
    let body = format!("[[step]]\nrequest_body = {{ repeat = \"{long}\", times = 16777216 }}\n");
    let many: String = "[[step]]\nrequest_body = { repeat = \"x\", times = 16000000 }\n".repeat(9);
    let calls = "[[step.guest]]\nin = \"proxy_on_configure\"\ncall = \"random_get\"\nargs = { buffer_size = 65536 }\n"
        .repeat(80);
    let plugins: String = (0..10_001).map(|number| format!("[[plugin]]\nname = \"p{number}\"\n")).collect();
    let chain: String = (0..5_000).map(|number| format!("[[plugin]]\nname = \"p{number}\"\n")).collect();
    let steps = "[[step]]\nrequest_body = \"\"\n".repeat(1_000);
    let rows = [
        ("repeat", body, ":6: ", "repeat less"),
        ("repeat_many", many, ":22: ", "repeat less"),
        ("advance", "[[step]]\nadvance = 4294967295\n".to_owned(), ":6: ", "expected a number from 0 to 3600000"),
        (
            "ticks",
            format!("{probe}{tick}[[step]]\nadvance = 200_000\n"),
            ":11: ",
            "advance by less, or set a longer period",
        ),
        ("ticks_of_a_module", format!("{PLUGIN}[[step]]\nadvance = 200_000\n"), ":7: ", "advance by less"),
        ("calls", format!("[[step]]\nstart = true\n{calls}"), ":1: ", "the probe has room for"),
        ("plugins", plugins, ":20005: ", "10000 are the limit of a case"),
        ("chain", format!("{chain}{steps}"), ":11605: ", "so split the case"),
    ];
    for (name, text, line, way_out) in rows {
        let file = format!("cases/{name}.toml");
        folder.write(&file, &format!("{HEAD}{STEP}{text}"));
        folder.run(&["run", &file]).check(2, &[&format!("{file}{line}"), way_out]);
    }
}

/// The module logs a megabyte at each tick, or makes sixty of each body: a small file asks for more than fits into memory.
#[test]
fn a_transcript_that_is_too_long_is_an_error_of_the_case() {
    let folder = Folder::new("too_long");
    let module = |call: &str| {
        format!(
            r#"(module
                (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
                (import "env" "proxy_set_buffer_bytes" (func $set (param i32 i32 i32 i32 i32) (result i32)))
                (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
                (memory (export "memory") 1000)
                (func (export "proxy_abi_version_0_2_1"))
                (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
                (func (export "proxy_on_configure") (param i32 i32) (result i32)
                    (drop (call $tick (i32.const 1))) (i32.const 1))
                (func (export "proxy_on_tick") (param i32)
                    (drop (call $log (i32.const 2) (i32.const 0) (i32.const 1000000))))
                (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) {call} (i32.const 0)))"#
        )
    };
    folder.write("logs.wat", &module(""));
    let set = "(drop (call $set (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 60000000)))";
    folder.write("bodies.wat", &module(set));
    let headers = "[[step]]\nrequest_headers = [[\":method\", \"POST\"], [\":path\", \"/\"], [\":authority\", \"a\"]]\nend_of_stream = false\n";
    let body = "[[step]]\nrequest_body = \"x\"\nend_of_stream = false\n";
    let rows = [("logs", "[[step]]\nadvance = 2000\n".to_owned()), ("bodies", format!("{headers}{}", body.repeat(10)))];
    for (name, steps) in rows {
        let file = format!("cases/{name}.toml");
        folder.write(&file, &format!("{HEAD}{STEP}[[plugin]]\nmodule = \"../{name}.wat\"\n{steps}"));
        folder.run(&["run", &file]).check(2, &[name, "256 MiB", "make its steps fewer or smaller"]);
    }
}

#[test]
fn what_is_long_but_within_the_limits_is_read() {
    let folder = Folder::new("long");
    let headers = "[[step]]\nrequest_headers = []\n";
    let steps = headers.to_owned() + &"[[step]]\nrequest_body = \"x\"\nend_of_stream = false\n".repeat(20_000);
    folder.write("cases/long.toml", &format!("{HEAD}{STEP}[[plugin]]\nwithout = [\"proxy_on_request_body\"]\n{steps}"));
    folder.run(&["run", "cases/long.toml"]).check(0, &["1 passed"]);
}

/// Each of these needed a look at all steps that follow.
#[test]
fn many_streams_without_a_body_are_read_in_one_pass() {
    let folder = Folder::new("many_streams");
    let step = |stream: u32| format!("[[step]]\nrequest_headers = []\nstream = {stream}\n");
    let steps: String = (0..60_000).map(step).collect();
    folder.write("cases/many.toml", &format!("{HEAD}{STEP}{steps}[[step]]\nadvance = \"x\"\n"));
    folder.run(&["run", "cases/many.toml"]).check(2, &["cases/many.toml:180006: expected a number"]);
}

#[cfg(unix)]
#[test]
fn devices_pipes_and_directories_are_no_files() {
    let folder = Folder::new("no_files");
    folder.write("cases/zero.toml", &format!("{HEAD}{STEP}[[plugin]]\nmodule = \"../zero.wasm\"\n"));
    std::os::unix::fs::symlink("/dev/zero", folder.path("zero.wasm")).unwrap_or_else(|error| panic!("{error}"));
    let made = std::process::Command::new("mkfifo").arg(folder.path("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo runs here");
    for name in ["zero.wasm", "pipe"] {
        let message = "it is a pipe, a device or a socket: write what comes from it to a file first";
        for args in [&["check", name][..], &["try", name], &["try", "--wasm-plugin", name], &["report", name]] {
            folder.run(args).check(2, &[name, message]);
        }
        folder.run(&["run", "cases/", "--known", name]).check(2, &["a device or a socket"]);
    }
    folder.run(&["run", "cases/zero.toml"]).check(2, &["cases/zero.toml:6: failed to read the module ../zero.wasm"]);
    folder.run(&["check", "cases"]).check(2, &["cases: it is a directory: name a file in it"]);
}

#[cfg(unix)]
#[test]
fn links_that_go_round_are_not_followed() {
    let folder = Folder::of_cases("links", &[("a", "refused")]);
    for name in ["one", "other"] {
        std::os::unix::fs::symlink(".", folder.path(&format!("cases/{name}")))
            .unwrap_or_else(|error| panic!("{error}"));
    }
    folder.run(&["run", "cases/"]).check(2, &["cases/one: it is a symbolic link to a folder", "1 passed"]);
}

#[test]
fn modules_that_the_limits_refuse_are_an_error_of_the_check() {
    let folder = Folder::new("beyond");
    let nested = format!("(module (func {} {}))", "loop ".repeat(600), "end ".repeat(600));
    let exports: String = (0..20_001).map(|number| format!("(export \"{number}\" (func 0))")).collect();
    let rows = [
        ("nested", nested, "limit `loop_nesting`"),
        ("exports", format!("(module (func) {exports})"), "limit `exports`"),
    ];
    for (name, text, limit) in rows {
        let file = format!("{name}.wasm");
        let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
        folder.write_bytes(&file, &wasm);
        folder.run(&["check", &file]).check(1, &["error", limit, "reference 0.1.0 refuses it"]);
        folder.run(&["check", "--json", &file]).check(1, &["\"kind\": \"limit\""]);
        folder.run(&["try", &file]).check(2, &["failed to load", limit]);
    }
}

/// wasmtime reserves gigabytes of addresses for a VM: too little memory is an error of the run, not a failure of the host.
#[cfg(target_os = "linux")]
#[test]
fn too_little_memory_is_not_the_failure_of_a_host() {
    let folder = Folder::of_cases("files_memory", &[("good", "started")]);
    let limited = format!("ulimit -v 2500000; '{}' run cases", env!("CARGO_BIN_EXE_pw-conform"));
    let output = std::process::Command::new("sh").args(["-c", &limited]).current_dir(folder.path("")).output();
    let output = output.unwrap_or_else(|error| panic!("{error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("(os error 12)") && text.contains("raise the limit of memory"), "{text}");
}
