//! The command `check`, as it is typed.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use pw_cases::catalog;
use pw_cases::scenario::Guest;
use pw_host::{Engine, Metering, Module};
use pw_plugin::check::finding::Kind;
use pw_plugin::check::hosts::HOSTS;
use serde_json::Value;
use support::Folder;

const CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cases/catalog");
const MEMORY: &str = "(memory (export \"memory\") 1)";
const ALLOCATOR: &str = "(func (export \"proxy_on_memory_allocate\") (param i32) (result i32) (i32.const 1024))";

/// A module for v0.2.1 that has what every plugin has; imports and types go before.
fn plugin(before: &str, after: &str) -> String {
    format!("(module {before} {MEMORY} {ALLOCATOR} (func (export \"proxy_abi_version_0_2_1\")) {after})")
}

fn assembled(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}: {wat}"))
}

/// A folder with that plugin in it.
fn folder(name: &str, wasm: &[u8]) -> Folder {
    let folder = Folder::new(&format!("check_{name}"));
    folder.write_bytes("p.wasm", wasm);
    folder
}

/// What is said of files, as the schema has it.
#[track_caller]
fn said(folder: &Folder, files: &[&str]) -> Vec<Value> {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/check.json");
    let schema = std::fs::read_to_string(schema).unwrap_or_else(|error| panic!("{error}"));
    let schema: Value = serde_json::from_str(&schema).unwrap_or_else(|error| panic!("{error}"));
    let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{error}"));
    let out = folder.run(&[&["check", "--json"], files].concat()).out;
    let said: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
    let errors: Vec<String> = validator.iter_errors(&said).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{out}\n{}", errors.join("\n"));
    said.as_array().cloned().unwrap_or_default()
}

/// The host's entry.
fn host<'a>(module: &'a Value, name: &str) -> &'a Value {
    let hosts = module["hosts"].as_array().into_iter().flatten();
    hosts.into_iter().find(|host| host["host"] == name).unwrap_or(&Value::Null)
}

/// The findings, those that are errors with a `!`, and which hosts load the module.
#[track_caller]
fn check(name: &str, wat: &str, findings: &[&str], loads: [bool; 2]) {
    let wasm = assembled(wat);
    let folder = folder(name, &wasm);
    let module = &said(&folder, &["p.wasm"])[0];
    let found = module["findings"].as_array().into_iter().flatten();
    let found = found.map(|finding| {
        let mark = if finding["severity"] == "error" { "!" } else { "" };
        format!("{mark}{}", finding["kind"].as_str().unwrap_or_default())
    });
    assert_eq!(found.collect::<Vec<_>>(), findings, "{module:#}");
    assert_eq!(["reference", "envoy"].map(|name| &host(module, name)["loads"] == true), loads, "{module:#}");
    let engine = Engine::new(Metering::None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(Module::new(&engine, &wasm).is_ok(), loads[0], "the reference host itself; {module:#}");
    let exit = i32::from(findings.iter().any(|finding| finding.starts_with('!')));
    folder.run(&["check", "p.wasm"]).check(exit, &["p.wasm: "]);
}

#[test]
fn plugins_of_the_sdk_kit_pass() {
    let modules = |build: &str| {
        let folder = Path::new(CATALOG).with_file_name("plugins").join(build);
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let modules = files.filter(|path| path.extension().is_some_and(|extension| extension == "wasm"));
        modules.filter_map(|path| path.to_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let folder = Folder::new("check_kit");
    for build in ["rust-0.2.5", "rust-0.1.4", "c", "assemblyscript-gcore", "assemblyscript-solo"] {
        let files = modules(build);
        assert!(files.len() >= 7, "{build}: {files:?}");
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        for module in said(&folder, &files) {
            assert_eq!(host(&module, "reference")["loads"], true, "{module:#}");
            assert_eq!(host(&module, "envoy")["loads"], true, "{module:#}");
            if ["rust-0.2.5", "c"].contains(&build) {
                assert_eq!((&module["verdict"], &module["findings"]), (&"passes".into(), &Value::Array(vec![])));
            }
        }
        folder.run(&[&["check"], &files[..]].concat()).check(0, &["0 errors, "]);
    }
}

#[test]
fn markers_are_read() {
    let with = |markers: &str| format!("(module {MEMORY} {ALLOCATOR} {markers})");
    let marker = |version: &str| format!("(func (export \"proxy_abi_version_{version}\"))");
    check("none", &with(""), &["!no_marker"], [false, false]);
    check("two", &with(&(marker("0_1_0") + &marker("0_2_1"))), &["!several_markers"], [false, true]);
    check("next", &with(&marker("0_x_x")), &["!next_marker"], [true, false]);
    check("tomorrow", &with(&(marker("0_2_1") + &marker("9_0_0"))), &["unknown_marker"], [true, true]);
    let typed = "(func (export \"proxy_abi_version_0_2_1\") (result i32) (i32.const 1))";
    check("typed", &with(typed), &["!marker_type"], [false, true]);
    let global = "(global (export \"proxy_abi_version_0_2_0\") i32 (i32.const 1))";
    check("global", &with(global), &["!no_marker", "marker_type"], [false, false]);
}

#[test]
fn of_several_markers_each_is_checked_for() {
    let headers = "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (i32.const 0))";
    let wat = |first: &str, second: &str| {
        format!(
            "(module {MEMORY} {ALLOCATOR} (func (export \"proxy_abi_version_{first}\")) \
             (func (export \"proxy_abi_version_{second}\")) {headers})"
        )
    };
    let older = folder("older_first", &assembled(&wat("0_1_0", "0_2_0")));
    let module = &said(&older, &["p.wasm"])[0];
    assert_eq!(module["findings"][1]["abi"], serde_json::json!(["0.1.0"]), "{module:#}");
    assert_eq!((&host(module, "envoy")["abi"], &host(module, "envoy")["loads"]), (&"0.1.0".into(), &false.into()));
    older.run(&["check", "p.wasm"]).check(1, &["v0.1.0: the module exports `proxy_on_request_headers` as"]);
    let newer = folder("newer_first", &assembled(&wat("0_2_0", "0_1_0")));
    let module = &said(&newer, &["p.wasm"])[0];
    assert_eq!((&host(module, "envoy")["abi"], &host(module, "envoy")["loads"]), (&"0.2.0".into(), &true.into()));
}

#[test]
fn memory_allocator_and_start_are_looked_at() {
    let marker = "(func (export \"proxy_abi_version_0_2_1\"))";
    check("no_memory", &format!("(module {ALLOCATOR} {marker})"), &["!no_memory"], [false, true]);
    let named = format!("(module (memory (export \"mem\") 1) {ALLOCATOR} {marker})");
    check("memory_name", &named, &["!memory_name"], [false, true]);
    check("no_allocator", &format!("(module {MEMORY} {marker})"), &["!no_allocator"], [false, false]);
    check("start", &plugin("", "(func $start) (start $start)"), &["start_section"], [true, true]);
    let reactor = "(func (export \"_initialize\")) (func (export \"_start\"))";
    check("start_beside_initialize", &plugin("", reactor), &["never_called"], [true, true]);
    let main = "(func (export \"main\"))";
    check("main_alone", &plugin("", main), &["!export_type", "never_called"], [false, true]);
    let both = format!("{main} (func (export \"_initialize\"))");
    check("main_of_wrong_type", &plugin("", &both), &["!export_type"], [false, false]);
}

#[test]
fn imports_are_looked_up() {
    let import = |module: &str, name: &str, ty: &str| plugin(&format!("(import \"{module}\" \"{name}\" {ty})"), "");
    let wasi = "wasi_snapshot_preview1";
    let status = "(func (result i32))";
    check(
        "import_other",
        &import("env", "proxy_continue_request", "(func)"),
        &["!import_of_other_version"],
        [false; 2],
    );
    check("import_unknown", &import("env", "proxy_lgo", status), &["!import_unknown"], [false; 2]);
    check("import_type", &import("env", "proxy_log", status), &["!import_type"], [false; 2]);
    check("import_beyond", &import(wasi, "sched_yield", status), &["import_beyond"], [true; 2]);
    check(
        "import_of_envoy",
        &import("env", "envoy_resolve_dns", "(func (param i32 i32 i32) (result i32))"),
        &["!import_unknown"],
        [false, true],
    );
    check("import_of_wasi", &import(wasi, "fd_sync", "(func (param i32) (result i32))"), &["import_beyond"], [true; 2]);
    check("import_of_wasi_type", &import(wasi, "fd_sync", status), &["!import_type", "!import_beyond"], [false; 2]);
    let link = "(func (param i32 i32 i32 i32 i32 i32 i32) (result i32))";
    check("import_not_of_envoy", &import(wasi, "path_link", link), &["!import_beyond"], [true, false]);
    let raise = "(func (param i32) (result i32))";
    check("import_unknown_to_envoy", &import(wasi, "proc_raise", raise), &["!import_beyond"], [true, false]);
    let random = "(func (param i32 i32) (result i32))";
    check("import_unstable", &import("wasi_unstable", "random_get", random), &["import_beyond"], [true; 2]);
    check("import_memory", &import("env", "m", "(memory 1)"), &["!import_of_memory"], [false, true]);
    check("import_global", &import("env", "g", "(global i32)"), &["!import_of_global"], [false; 2]);
    let of_0_1_0 = |ty| import("env", "proxy_continue_request", ty).replace("0_2_1", "0_1_0");
    check("without_status", &of_0_1_0("(func)"), &["!import_without_status"], [true, false]);
    check("with_status", &of_0_1_0(status), &["import_with_status"], [true, true]);
}

#[test]
fn exports_are_looked_up() {
    let export = |name: &str, ty: &str| plugin("", &format!("(func (export \"{name}\") {ty} unreachable)"));
    let three = "(param i32 i32 i32)";
    check("export_misspelt", &export("proxy_on_grpc_trailing_metadata", three), &["export_unknown"], [true; 2]);
    check(
        "export_type",
        &export("proxy_on_request_headers", "(param i32 i32) (result i32)"),
        &["!export_type"],
        [false; 2],
    );
    let headers = |lanes: &str| export("proxy_on_request_headers", lanes).replace("0_2_1", "0_1_0");
    check("export_type_0_1_0", &headers("(param i32 i32 i32) (result i32)"), &["!export_type"], [false; 2]);
    check("export_0_1_0", &headers("(param i32 i32) (result i32)"), &[], [true; 2]);
    let later = export("proxy_on_foreign_function", three).replace("0_2_1", "0_1_0");
    check("export_later", &later, &["export_of_other_version"], [true; 2]);
    let metadata = "proxy_on_request_metadata";
    check("export_beyond", &export(metadata, "(param i32 i32) (result i32)"), &["export_beyond"], [true; 2]);
    check("export_beyond_type", &export(metadata, three), &["!export_beyond"], [true, false]);
    let global = plugin("", "(global (export \"proxy_on_tick\") i32 (i32.const 1))");
    check("export_global", &global, &["!export_no_function"], [false, true]);
}

#[test]
fn code_is_validated() {
    let exceptions = "(tag $t) (func (throw $t))";
    check("exceptions", &plugin("", exceptions), &["!invalid"], [false, true]);
}

#[test]
fn findings_name_the_way_out() {
    #[track_caller]
    fn says(name: &str, wat: &str, exit: i32, text: &str) {
        folder(name, &assembled(wat)).run(&["check", "p.wasm"]).check(exit, &[text]);
    }
    let import = |module: &str, name: &str| plugin(&format!("(import \"{module}\" \"{name}\" (func))"), "");
    let text = "`env.proxy_lgo`, which ABI v0.2.1 does not have, did you mean `env.proxy_log`?\n";
    says("meant", &import("env", "proxy_lgo"), 1, text);
    says("moved", &import("env", "random_get"), 1, ", did you mean `wasi_snapshot_preview1.random_get`?\n");
    says("older", &import("env", "proxy_clear_route_cache"), 1, "v0.2.1 does not have, but v0.1.0 has it\n");
    says("typed", &import("env", "proxy_log"), 1, "as () -> (), but it is (i32, i32, i32) -> i32\n");
    let misspelt = plugin("", "(func (export \"proxy_on_grpc_trailing_metadata\"))");
    says(
        "misspelt",
        &misspelt,
        0,
        "so that no host calls it, did you mean `proxy_on_grpc_receive_trailing_metadata`?\n",
    );
    says("no_marker", "(module)", 1, "p.wasm: no version, checked as ABI v0.2.1, 3 errors, 0 warnings; reference ");
}

#[test]
fn what_is_no_module_is_named_and_the_others_are_checked() {
    let wasm = assembled(&plugin("", "(data (i32.const 0) \"more than a few bytes\")"));
    let folder = folder("unreadable", &wasm);
    let write = |name: &str, bytes: &[u8]| {
        folder.write_bytes(name, bytes);
    };
    write("cut.wasm", &wasm[..wasm.len() - 5]);
    write("component.wasm", &assembled("(component)"));
    write("text.wat", plugin("", "").as_bytes());
    write("empty.wasm", b"");
    write("notes.txt", b"not a module");
    let rows = [
        ("cut.wasm", "failed to read cut.wasm, not a valid WebAssembly module: "),
        ("component.wasm", "component.wasm is a WebAssembly component, but plugins are core modules: build for "),
        ("text.wat", "text.wat is WebAssembly in its text format: assemble it first"),
        ("empty.wasm", "empty.wasm is empty"),
        ("notes.txt", "notes.txt is not a WebAssembly module"),
        ("missing.wasm", "failed to read missing.wasm: "),
    ];
    for (file, text) in rows {
        folder.run(&["check", file, "p.wasm"]).check(2, &[text, "p.wasm: ABI v0.2.1, 0 errors"]);
        let modules = said(&folder, &[file, "p.wasm"]);
        assert_eq!((&modules[0]["verdict"], &modules[1]["verdict"]), (&"unreadable".into(), &"passes".into()));
    }
    // A module that ends where a section does may be whole.
    for at in (0..wasm.len()).step_by(7) {
        write("cut.wasm", &wasm[..at]);
        let said = folder.run(&["check", "cut.wasm"]);
        assert!(matches!(said.exit, 0..=2), "{at} bytes: {said:?}");
    }
}

/// What is refused when it starts, and not for its shape.
const AT_RUN_TIME: [&str; 1] = ["integration/clock_in_initialize"];

#[test]
fn what_is_said_of_hosts_is_what_they_were_recorded_to_do() {
    let (cases, errors) = catalog::load(Path::new(CATALOG));
    assert!(errors.is_empty(), "{errors:?}");
    let mut compared = BTreeSet::new();
    for (name, record) in [("reference", "reference"), ("envoy", "envoy-1.40")] {
        let record = Path::new(CATALOG).join(format!("../../reports/{record}.jsonl"));
        let record = std::fs::read_to_string(record).unwrap_or_else(|error| panic!("{error}"));
        let lines = record.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}")));
        for line in lines.filter(|line: &Value| line["answer"].is_string()) {
            let (id, abi) = (line["id"].as_str().unwrap_or_default(), line["abi"].as_str().unwrap_or_default());
            let started = match line["answer"].as_str().and_then(|answer| answer.split(';').next()) {
                Some("started") => true,
                Some("refused") if !AT_RUN_TIME.contains(&id) => false,
                _ => continue,
            };
            // Generated cases have no module of their own.
            if id.starts_with("generated/") {
                continue;
            }
            let case = cases.iter().find(|case| case.id == id).unwrap_or_else(|| panic!("no case {id}"));
            let version = pw_abi::Version::parse(abi).unwrap_or_else(|| panic!("{abi}"));
            let lowered = case.lower(version).unwrap_or_else(|error| panic!("{error:?}"));
            let Some(Guest::Module(wasm)) = lowered.scenario.plugins.first().map(|plugin| &plugin.guest) else {
                continue;
            };
            let module = &said(&folder("recorded", wasm), &["p.wasm"])[0];
            assert_eq!(host(module, name)["loads"], started, "{name}: {id} for {abi}: {module:#}");
            compared.insert((name, id.to_owned()));
        }
    }
    assert!(compared.len() > 20, "{compared:?}");
}

#[test]
fn rules_name_cases_that_there_are_and_the_schema_all_kinds() {
    let (cases, _) = catalog::load(Path::new(CATALOG));
    for rule in HOSTS.iter().flat_map(|host| host.rules).filter(|rule| !rule.case.is_empty()) {
        assert!(cases.iter().any(|case| case.id == rule.case), "{rule:?}");
    }
    let schema: Value = serde_json::from_str(include_str!("../schemas/check.json")).unwrap_or_default();
    let kinds: Vec<&str> = Kind::ALL.iter().map(|(_, name)| *name).collect();
    assert_eq!(schema["$defs"]["kind"]["enum"], serde_json::json!(kinds));
}
