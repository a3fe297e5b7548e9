//! The JSON Schemas say what is written: of records what a run writes, of the protocol every message that there is.

mod support;

use std::collections::BTreeSet;

use jsonschema::Validator;
use pw_cases::format::{self, Node, Value as TomlValue};
use pw_cases::protocol::Feature;
use serde_json::{Value, json};
use support::{Folder, HEAD, PLUGIN, fake};

fn schema(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("{error}"))
}

/// A message that is valid, and is not with another field or another type.
#[track_caller]
fn check(validator: &Validator, message: &Value) {
    let errors: Vec<String> = validator.iter_errors(message).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{message:#}\n{}", errors.join("\n"));
    let with = |key: &str, value: Value| {
        let mut other = message.clone();
        other[key] = value;
        other
    };
    assert!(!validator.is_valid(&with("unheard_of", json!(1))), "{message:#}");
    assert!(!validator.is_valid(&with("type", json!("unheard_of"))), "{message:#}");
}

#[test]
fn records_are_as_their_schema_says() {
    let validator = validator(&schema("record.json"));
    let folder = Folder::of_cases(
        "schema",
        &[("fails", "refused"), ("known", "refused"), ("passes", "started"), ("stale", "started")],
    );
    let entry =
        |case: &str| format!("[[known]]\ncase = \"{case}\"\nclause = \"proxy_log/OK\"\ndoes = \"a\"\nwhy = \"b\"\n");
    folder.write("known.toml", &(entry("known") + &entry("stale")));
    let open = "level = \"unspecified\"\nquestion = \"may it?\"\n";
    folder.write("cases/open.toml", &format!("{HEAD}{open}{PLUGIN}[expect]\nstart = [\"refused\", \"started\"]\n"));
    let run = |mode: &str| {
        let host = fake(mode);
        folder.run(&["run", "cases", "--host", &host, "--known", "known.toml", "--report", "record.jsonl"]);
        let record = folder.record("record.jsonl");
        record.iter().for_each(|line| check(&validator, line));
        record.iter().filter_map(|line| line["verdict"].as_str().map(str::to_owned)).collect::<BTreeSet<_>>()
    };
    assert_eq!(run("ok"), BTreeSet::from(["fail", "known", "pass", "stale", "unspecified"].map(str::to_owned)));
    assert_eq!(run("skips"), BTreeSet::from(["skip".to_owned()]));
    assert_eq!(run("errors"), BTreeSet::from(["error".to_owned()]));
    folder.run(&["run", "--report", "record.jsonl"]);
    folder.record("record.jsonl").iter().for_each(|line| check(&validator, line));
}

/// A value of TOML as JSON.
fn json_of(node: &Node) -> Value {
    match &node.value {
        TomlValue::Integer(number) => (*number).into(),
        TomlValue::Text(text) => text.as_str().into(),
        TomlValue::Boolean(flag) => (*flag).into(),
        TomlValue::List(items) => items.iter().map(json_of).collect(),
        TomlValue::Table(entries) => entries.iter().map(|(key, node)| (key.clone(), json_of(node))).collect(),
    }
}

#[test]
fn case_files_are_as_their_schema_says() {
    let validator = validator(&schema("case.json"));
    let (cases, errors) = pw_harness::embedded::Catalog::new(None).unwrap_or_else(|error| panic!("{error}")).cases();
    assert!(errors.is_empty() && cases.len() > 1000, "{errors:?}");
    for case in &cases {
        let node = format::read(&case.source).unwrap_or_else(|complaint| panic!("{}: {complaint:?}", case.id));
        let errors: Vec<String> = validator.iter_errors(&json_of(&node)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}\n{}", case.id, errors.join("\n"));
    }
    // What the reader refuses, the schema refuses.
    let good = json!({
        "title": "t", "clause": ["proxy_log/OK"], "level": "required",
        "plugin": [{ "name": "one" }],
        "step": [{ "request_headers": [["a", "b"]], "guest": [{ "call": "proxy_log", "args": { "message": "m" } }] }],
        "expect": { "client": ["nothing", { "status": 200 }] },
    });
    assert!(validator.is_valid(&good));
    for (place, wrong) in [
        ("/level", json!("binding")),
        ("/plugin/0/name", json!(7)),
        ("/plugin/0", json!({ "failure": "maybe" })),
        ("/step/0", json!({ "request_headers": [["a", "b"]], "shutdown": true })),
        ("/step/0", json!({ "request_headers": [["a"]] })),
        ("/step/0", json!({ "advance": 1, "stream": 1 })),
        ("/step/0", json!({ "connect": false })),
        ("/step/0", json!({ "advance": 3_600_001 })),
        ("/step/0/guest/0/call", json!("proxy_unheard_of")),
        ("/expect/client/1", json!({ "state": 200 })),
        ("/expect", json!({ "unheard_of": 1 })),
    ] {
        let mut other = good.clone();
        *other.pointer_mut(place).expect("the place is there") = wrong;
        assert!(!validator.is_valid(&other), "{place}: {other:#}");
    }
}

#[test]
fn schemas_are_those_of_the_program() {
    for (name, file) in [("case", "case.json"), ("protocol", "protocol.json"), ("record", "record.json")] {
        let said = Folder::new("schemas").run(&["schema", name]);
        let printed: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}"));
        assert!(printed == schema(file), "runner/schemas/{file} is out of date: run .ci/regenerate");
    }
}

#[test]
fn the_schema_describes_every_feature() {
    let schema = schema("protocol.json");
    let features = schema["$defs"]["Feature"]["oneOf"].as_array().cloned().unwrap_or_default();
    let described: Vec<(&str, &str)> = features
        .iter()
        .filter_map(|feature| Some((feature["const"].as_str()?, feature["description"].as_str()?)))
        .collect();
    let expected: Vec<(&str, &str)> =
        Feature::ALL.iter().map(|feature| (feature.name(), feature.description())).collect();
    assert_eq!(described, expected);
}

#[test]
fn requests_of_a_run_are_as_the_schema_says() {
    let validator = validator(&schema("protocol.json"));
    let folder = Folder::new("schema_requests");
    folder.run(&["run", "http_calls/", "readme", "--host", &fake("keeps requests.jsonl")]).check(1, &[]);
    let requests = folder.record("requests.jsonl");
    assert!(requests.len() > 10 && requests.last() == Some(&json!({ "type": "stop" })));
    requests.iter().for_each(|request| check(&validator, request));
}

#[test]
fn messages_are_as_the_schema_says() {
    let validator = validator(&schema("protocol.json"));
    let folder = Folder::new("schema_messages");
    folder.run(&["run", "http_fields", "http_calls", "grpc", "metrics", "--trace-adapter", "lines"]).check(0, &[]);
    let lines = folder.read("lines");
    assert!(lines.lines().count() > 100);
    for line in lines.lines() {
        let message = serde_json::from_str(&line[2..]).unwrap_or_else(|error| panic!("{error}"));
        check(&validator, &message);
    }
}
