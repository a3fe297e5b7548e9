//! What authors of adapters get: `init`, `smoke`, the skeletons and the manual.

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pw_abi::Version;
use pw_cases::data::Base64;
use pw_cases::probe::Template;
use pw_cases::protocol::{Feature, Guest, Plugin, Request, Response, Run};
use pw_cases::scenario::PluginSettings;
use pw_cases::script::Script;
use pw_cases::shape::Shape;
use pw_conform::smoke::CHECKS;
use serde_json::Value;
use support::{Folder, Said};

/// The adapter for the reference host that fills in the Python skeleton.
const FILLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/skeleton/filled.py");
const MANUAL: &str = include_str!("../../docs/adapters.md");

#[test]
fn a_skeleton_is_written_into_a_free_folder_only() {
    let folder = Folder::new("skeleton_init");
    let rows = [
        ("python", vec!["adapter.py", "docs/adapters.md"]),
        ("go", vec!["main.go", "go.mod", "docs/adapters.md"]),
        ("rust", vec!["src/main.rs", "Cargo.toml", "docs/adapters.md"]),
    ];
    for (language, files) in rows {
        let init = ["init", "adapter", "--lang", language, language];
        let said = folder.run(&init);
        said.check(0, &["\nNext, and after each TODO:\n", "smoke --host "]);
        for file in files {
            let name = format!("{language}/{file}");
            assert!(said.out.contains(&format!("wrote {name}\n")), "{}", said.out);
            folder.write(&name, "mine");
        }
        folder.run(&init).check(2, &["is there and not empty"]);
        assert_eq!(folder.read(&format!("{language}/docs/adapters.md")), "mine");
    }
}

#[test]
fn the_python_skeleton_says_what_is_to_be_written_next() {
    let folder = Folder::new("skeleton_python");
    folder.run(&["init", "adapter", "--lang", "python", "mine"]).check(0, &[]);
    let host = "python3 mine/adapter.py";
    says_what_is_next(&folder.run(&["smoke", "--host", host]));
    let said = folder.run(&["run", "http_fields", "--host", host]);
    said.check(2, &["error: the adapter `python3 mine/adapter.py` failed: survey: ", "TODO 2: load plugin survey"]);
    assert_eq!(said.out, "");
}

/// A skeleton passes the checks about messages, and then says which part of it is missing.
#[track_caller]
fn says_what_is_next(said: &Said) {
    said.check(1, &[" 1 ok    it starts", "my-host 0.1.0; ABI 0.2.1; features http\n", " 2 ok    ", " 3 FAIL  "]);
    said.check(1, &["TODO 2: load plugin ", "\nNext: Start your host", "section \"Refused plugins\""]);
    assert!(!said.out.contains(" 4 "), "{}", said.out);
}

#[cfg(unix)]
#[test]
fn a_stub_that_answers_nothing_is_reported_briefly() {
    let folder = Folder::new("skeleton_stub");
    for (stub, text) in [("sh -c 'cat >/dev/null'", "hung: no answer in 1 s"), ("true", "crashed: exit status 0")] {
        let smoke = folder.run(&["smoke", "--host", stub, "--timeout", "1"]);
        smoke.check(1, &[" 1 FAIL  ", text, "\nNext: "]);
        let run = folder.run(&["run", "--host", stub, "--timeout", "1"]);
        run.check(2, &[text]);
        for said in [smoke, run] {
            assert!(said.out.lines().count() + said.err.lines().count() < 80, "{}{}", said.out, said.err);
        }
    }
}

/// The command line of the filled skeleton, which makes the mistake of a mode.
fn filled(mode: &str) -> String {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../adapters/skeleton");
    format!("python3 '{FILLED}' '{python}' '{}' '{mode}'", env!("CARGO_BIN_EXE_pw-conform"))
}

#[test]
fn every_check_passes_on_a_skeleton_that_is_filled_in() {
    let folder = Folder::new("skeleton_filled");
    folder.run(&["smoke", "--host", &filled("")]).check(0, &["\n10 of 10 checks passed, 0 passed over."]);
    let verdicts = |host: &str| {
        folder.run(&["run", "http_fields", "--abi", "0.2.1", "--host", host, "--report", "record.jsonl"]).check(0, &[]);
        let record = folder.record("record.jsonl");
        record.into_iter().filter(|line| line["type"] == "case").map(|line| line["verdict"].clone()).collect::<Vec<_>>()
    };
    let (own, reference) = (verdicts(&filled("")), verdicts("reference"));
    let differ = own.iter().zip(&reference).filter(|(own, reference)| *own != "skip" && own != reference).count();
    let run = own.iter().filter(|own| *own != "skip").count();
    assert!(own.len() == reference.len() && run > 50 && differ == 0, "{differ} of {run} differ");
}

#[test]
fn a_mistake_fails_the_check_that_is_about_it() {
    let folder = Folder::new("skeleton_mistakes");
    let rows = [
        ("accepts_all", 3, "expected the event `refused`"),
        ("no_log", 4, "no log line of a plugin arrived"),
        ("prefix", 4, "have something in front of it"),
        ("cut", 4, "(1024 bytes)"),
        ("no_steps", 5, "reports the steps [] of 1"),
        ("no_client", 6, "expected status 201"),
        ("no_headers", 7, "expected header x-added"),
        ("waits_for_upstream", 8, "nothing reached the upstream"),
        ("one_plugin", 9, "lacks second/proxy_on_request_headers"),
        ("no_fault", 10, "expected a fault"),
    ];
    for (mode, number, text) in rows {
        let said = folder.run(&["smoke", "--host", &filled(mode)]);
        said.check(1, &[&format!("{number:2} FAIL  "), text, "\nNext: ", "docs/adapters.md, section"]);
        assert_eq!(said.out.matches(" ok    ").count(), number - 1, "{mode}: {}", said.out);
    }
}

#[test]
fn a_host_that_crashes_is_no_mistake_of_the_adapter() {
    let said = Folder::new("skeleton_dies").run(&["smoke", "--host", &filled("dies")]);
    said.check(
        0,
        &[
            "\n10 of 10 checks passed",
            "10 ok    a plugin that traps harms no later scenario: the trap crashes the host",
        ],
    );
}

#[test]
fn what_a_host_does_not_claim_is_passed_over() {
    let said = Folder::new("skeleton_no_http").run(&["smoke", "--host", &filled("no_http")]);
    let over = "passed over, since filled 0.1.0 does not claim the feature http\n";
    said.check(0, &["\n4 of 10 checks passed, 6 passed over.", over]);
}

#[test]
fn the_python_skeleton_puts_scripts_into_shapes() {
    let folder = Folder::new("skeleton_shape_python");
    folder.run(&["init", "adapter", "--lang", "python", "mine"]).check(0, &[]);
    let write = "open(\"module.wasm\", \"wb\").write(wasm)";
    fill_in(&folder, "mine/adapter.py", "raise NotImplementedError(f\"TODO 2", write);
    loads_what_was_sent(&folder, Command::new("python3").arg(folder.path("mine/adapter.py")));
}

#[test]
#[ignore = "builds with Go: .ci/run runs it"]
fn the_go_skeleton_is_as_the_python_one() {
    let folder = Folder::new("skeleton_go");
    folder.run(&["init", "adapter", "--lang", "go", "mine"]).check(0, &[]);
    let build = || succeeds(Command::new("go").args(["build", "-C", &folder.path("mine"), "-o", "adapter"]));
    succeeds(Command::new("go").args(["vet", "-C", &folder.path("mine")]));
    build();
    says_what_is_next(&folder.run(&["smoke", "--host", "./mine/adapter"]));
    fill_in(&folder, "mine/main.go", "return fmt.Errorf(\"TODO 2", "os.WriteFile(\"module.wasm\", p.wasm, 0o600)");
    build();
    loads_what_was_sent(&folder, &mut Command::new(folder.path("mine/adapter")));
}

#[test]
#[ignore = "builds with Cargo, and needs serde_json and base64 from its cache: .ci/run runs it"]
fn the_rust_skeleton_is_as_the_python_one() {
    let folder = Folder::new("skeleton_rust");
    folder.run(&["init", "adapter", "--lang", "rust", "mine"]).check(0, &[]);
    let manifest = folder.path("mine/Cargo.toml");
    let build = |flags: &str| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--offline", "--quiet", "--manifest-path", &manifest]).env("RUSTFLAGS", flags);
        succeeds(cargo.env_remove("RUSTC_WRAPPER").env("CARGO_TARGET_DIR", folder.path("target")));
    };
    build("--deny warnings");
    says_what_is_next(&folder.run(&["smoke", "--host", "./target/debug/adapter"]));
    let write = "std::fs::write(\"module.wasm\", wasm).map_err(|error| End::Failed(format!(\"{name}: {error}\")))";
    fill_in(&folder, "mine/src/main.rs", "Err(End::Failed(format!(\"TODO 2", write);
    build("");
    loads_what_was_sent(&folder, &mut Command::new(folder.path("target/debug/adapter")));
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Puts code in the place of the one line that begins in this way.
#[track_caller]
fn fill_in(folder: &Folder, file: &str, begin: &str, code: &str) {
    let text = folder.read(file);
    assert_eq!(text.matches(begin).count(), 1, "{begin} in {file}");
    let line = |line: &str| if line.trim_start().starts_with(begin) { code_at(line, code) } else { line.to_owned() };
    folder.write(file, &text.lines().map(|text| line(text) + "\n").collect::<String>());
}

/// Code with the indentation of a line.
fn code_at(line: &str, code: &str) -> String {
    line[..line.len() - line.trim_start().len()].to_owned() + code
}

/// An adapter that writes the module of its plugin to `module.wasm` writes a shape with its script, and a module as it was sent.
#[track_caller]
fn loads_what_was_sent(folder: &Folder, adapter: &mut Command) {
    let template = Template::full(&Script::new(Version::V0_2_1));
    let shape = Shape::new(&template, Shape::capacity(0)).expect("the probe is a module");
    let script: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let (id, wasm) = ("sent".to_owned(), Base64(shape.wasm.clone()));
    let sent = Request::Shape {
        id: id.clone(),
        wasm: wasm.clone(),
        offset: shape.offset,
        size: shape.size,
        address: shape.address,
    };
    let guest = Guest::Shape { id: id.clone(), script: Base64(script.clone()) };
    let with_script = shape.with_script(&script).expect("the script fits");
    assert_eq!(loaded(folder, adapter, sent, guest), with_script, "the shape with its script");
    let sent = Request::Module { id: id.clone(), wasm };
    assert!(loaded(folder, adapter, sent, Guest::Module(id)) == shape.wasm, "the module");
}

fn loaded(folder: &Folder, adapter: &mut Command, sent: Request, guest: Guest) -> Vec<u8> {
    let settings = PluginSettings { name: "plugin".to_owned(), ..PluginSettings::default() };
    let run = Request::Run(Run {
        id: "loads".to_owned(),
        abi: "0.2.1".to_owned(),
        plugins: vec![Plugin { settings, guest }],
        steps: Vec::new(),
        hazard: false,
        http1: false,
        choices: Default::default(),
        keep: false,
        trace: false,
    });
    let module = PathBuf::from(folder.path("module.wasm"));
    let _ = std::fs::remove_file(&module);
    let adapter = adapter.current_dir(folder.path("")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = adapter.spawn().unwrap_or_else(|error| panic!("{error}"));
    let mut input = child.stdin.take().expect("it is piped");
    for request in [sent, run, Request::Stop] {
        let line = serde_json::to_string(&request).expect("requests are JSON");
        writeln!(input, "{line}").unwrap_or_else(|error| panic!("{error}"));
    }
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("{error}"));
    let answers = String::from_utf8_lossy(&output.stdout);
    assert!(answers.contains("TODO 3"), "{answers}");
    std::fs::read(&module).unwrap_or_else(|error| panic!("{error}: {answers}"))
}

#[test]
fn the_examples_of_the_manual_are_messages() {
    let examples: Vec<&str> = MANUAL.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    let mut types: Vec<String> = Vec::new();
    for example in examples {
        let request = serde_json::from_str::<Request>(example).map(drop);
        if let (Err(request), Err(response)) = (request, serde_json::from_str::<Response>(example).map(drop)) {
            panic!("{example}\nis not a request ({request}) and not a response ({response})");
        }
        let value: Value = serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}"));
        types.extend(value["type"].as_str().map(str::to_owned));
    }
    types.sort();
    types.dedup();
    let all = ["errored", "event", "host", "kept", "module", "more", "ran", "run", "shape", "skipped", "start", "stop"];
    assert_eq!(types, all, "the manual has an example of each message");
}

#[test]
fn the_manual_lists_every_feature() {
    let rows = Feature::ALL.iter().map(|feature| format!("| `{}` | {} |\n", feature.name(), feature.description()));
    let table = format!("| feature | meaning |\n| --- | --- |\n{}\n", rows.collect::<String>());
    assert!(MANUAL.contains(&table), "docs/adapters.md lacks\n{table}");
}

#[test]
fn the_manual_has_the_sections_that_checks_name() {
    for check in &CHECKS {
        let heading = |line: &str| line.trim_start_matches('#').trim() == check.section && line.starts_with('#');
        assert!(MANUAL.lines().any(heading), "docs/adapters.md has no section \"{}\"", check.section);
    }
    let anchors = MANUAL.split("](#").skip(1).filter_map(|rest| rest.split(')').next());
    let slug = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    for anchor in anchors {
        let is_heading = MANUAL.lines().any(|line| line.starts_with('#') && slug(line) == anchor);
        assert!(is_heading, "docs/adapters.md links to #{anchor}");
    }
}

#[test]
fn skeletons_name_the_manual_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for file in ["adapter.py", "go/main.go", "rust/src/main.rs"] {
        let path = root.join("adapters/skeleton").join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(
            text.contains("docs/adapters.md") && (1..=6).all(|todo| text.contains(&format!("TODO {todo}"))),
            "{file}"
        );
    }
}
