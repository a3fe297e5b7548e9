//! An adapter for tests: `fake_adapter MODE [PART]` misbehaves as MODE says at scenarios whose id has PART in it, and
//! says of all others that nothing but their steps was seen. Modes that begin with `start_` misbehave at once;
//! `keeps FILE` writes what it is asked to a file.

use std::fs::File;
use std::io::{BufRead, Write, stdin, stdout};
use std::process::exit;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

fn main() {
    let mut args = std::env::args().skip(1);
    let mode = args.next().unwrap_or("ok".to_owned());
    let part = args.next().unwrap_or_default();
    if mode == "start_deaf" {
        sleep(Duration::from_secs(600));
    }
    let mut kept = if mode == "keeps" { File::create(&part).ok() } else { None };
    for line in stdin().lock().lines() {
        if let (Some(kept), Ok(line)) = (&mut kept, &line) {
            let _ = writeln!(kept, "{line}");
        }
        let Ok(Ok(request)) = line.map(|line| serde_json::from_str::<Value>(&line)) else { exit(4) };
        match request["type"].as_str() {
            Some("start") => answer(&start(&mode)),
            Some("shape" | "module") => answer(&json!({ "type": "kept" })),
            // The survey gets what a host says that has everything.
            Some("run") if request["id"] == "survey" => answer(&surveyed()),
            Some("run") => run(&mode, &part, &request),
            _ => return,
        }
    }
}

/// A report of the probe, and nothing that was refused.
fn surveyed() -> Value {
    let report = json!({ "event": "log", "plugin": "survey", "level": "INFO", "message": "pw 00000000 c 00000000" });
    json!({ "type": "ran", "events": [report] })
}

fn start(mode: &str) -> Value {
    match mode {
        "start_dies" => {
            eprintln!("no host found: install it by `make host`");
            exit(7);
        }
        "start_errors" => json!({ "type": "errored", "context": "no host found" }),
        "start_wrong_type" => json!({ "type": "ran", "events": [] }),
        "start_wrong_name" => host("../up", json!(["0.2.1"])),
        "start_first_protocol" => {
            json!({ "type": "host", "name": "fake", "version": "1.0", "abi": ["0.2.1"], "capabilities": ["http"] })
        }
        "start_wrong_abi" => host("fake", json!(["9.9"])),
        _ => host("fake", json!(["0.2.0", "0.2.1"])),
    }
}

fn host(name: &str, abi: Value) -> Value {
    json!({ "type": "host", "name": name, "version": "1.0", "abi": abi, "features": ["http"], "protocol": 2 })
}

fn run(mode: &str, part: &str, request: &Value) {
    let is_meant = request["id"].as_str().is_some_and(|id| id.contains(part));
    let count = request["steps"].as_array().map_or(0, Vec::len);
    let steps: Vec<Value> = (0..count).map(|index| json!({ "event": "step", "index": index })).collect();
    let ran = json!({ "type": "ran", "events": steps });
    match mode {
        _ if !is_meant => answer(&ran),
        "dies" => {
            eprintln!("first words\nlast words");
            exit(3);
        }
        "aborts" => std::process::abort(),
        "hangs" => sleep(Duration::from_secs(600)),
        "half_line" => {
            write("{\"type\":\"ran\",\"ev");
            exit(0);
        }
        "half_line_hangs" => {
            write("{\"type\":\"ran\",\"ev");
            sleep(Duration::from_secs(600));
        }
        "not_json" => write("Listening on port 80\n"),
        "wrong_type" => answer(&start("ok")),
        "unknown_type" => answer(&json!({ "type": "walked" })),
        "unknown_field" => answer(&json!({ "type": "ran", "events": [], "took": 3 })),
        "chatty" => {
            answer(&ran);
            write("one more thing\n");
        }
        "flood" => flood(&"flood ".repeat(1 << 16)),
        "flood_lines" => flood(&("flood ".repeat(1 << 16) + "\n")),
        "no_steps" => answer(&json!({ "type": "ran", "events": [] })),
        "errors" => answer(&json!({ "type": "errored", "context": "the host did not listen" })),
        "skips" => answer(&json!({ "type": "skipped", "reason": "it is too late" })),
        "host_dies" => answer(&json!({ "type": "ran", "events": [{ "event": "died", "how": "SIGSEGV" }] })),
        _ => answer(&ran),
    }
}

/// Writes until the reader closes the pipe.
fn flood(text: &str) {
    while stdout().write_all(text.as_bytes()).is_ok() {}
}

fn answer(message: &Value) {
    write(&format!("{message}\n"));
}

fn write(text: &str) {
    let _ = stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush());
}
