//! The JSON Schemas say what is written: of records what a run writes, of the protocol every message that there is.

mod support;

use std::collections::BTreeSet;

use jsonschema::Validator;
use pw_cases::data::Data;
use pw_cases::protocol::{Feature, Host, PROTOCOL, Plugin, Request, Response, Run};
use pw_cases::scenario::{Failure, LIMITS, Step};
use pw_cases::transcript::{Event, GrpcPart, Part, Returned};
use serde::Serialize;
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
    let without_reason = json!({
        "type": "case", "id": "a", "abi": "0.2.1", "level": "required", "title": "t", "clause": ["c"], "file": "f",
        "verdict": "skip",
    });
    assert!(!validator.is_valid(&without_reason));
}

#[test]
fn messages_are_as_the_schema_says() {
    let schema = schema("protocol.json");
    let validator = validator(&schema);
    for request in requests() {
        check(&validator, &json_of(&request));
    }
    for response in responses() {
        check(&validator, &json_of(&response));
    }
    let own = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
    let sampled = |values: Vec<Value>, key: &str| values.iter().filter_map(|value| own(value, key)).collect();
    let sets: [(&str, &str, BTreeSet<String>); 3] = [
        ("step", "do", sampled(steps().iter().map(json_of).collect(), "do")),
        ("event", "event", sampled(events().iter().map(json_of).collect(), "event")),
        ("part", "part", sampled(parts().iter().map(json_of).collect(), "part")),
    ];
    for (name, key, samples) in sets {
        assert_eq!(named(&schema["$defs"][name], key), samples, "the variants of {name}");
    }
    let capabilities: Vec<Value> = capabilities().iter().map(json_of).collect();
    assert_eq!(schema["$defs"]["capability"]["enum"], Value::Array(capabilities));
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

/// The names that a schema of variants has for `key`.
fn named(schema: &Value, key: &str) -> BTreeSet<String> {
    let variants = schema["oneOf"].as_array().into_iter().flatten().map(|variant| &variant["properties"][key]);
    let names = variants.flat_map(|it| it["enum"].as_array().cloned().unwrap_or_else(|| vec![it["const"].clone()]));
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn json_of(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| panic!("{error}"))
}

fn fields() -> Vec<(Data, Data)> {
    vec![("x-a".into(), "text".into()), ("x-b".into(), Data(vec![0, 0xFF]))]
}

fn requests() -> Vec<Request> {
    let plugin = Plugin {
        name: "plugin".to_owned(),
        vm_id: String::new(),
        vm_configuration: Data(vec![0xFF]),
        configuration: "text".into(),
        background: false,
        standby: true,
        log_only: true,
        limits: LIMITS.map(|name| (name.to_owned(), 7)).into(),
        failure: Failure::Reload,
        capabilities: Some(vec!["proxy_log".to_owned()]),
        environment: [("NAME".to_owned(), "value".to_owned())].into(),
        wasm: "AGFzbQEAAAA=".to_owned(),
    };
    let run = Run {
        id: "a/b".to_owned(),
        abi: "0.2.1".to_owned(),
        plugins: vec![plugin],
        steps: steps(),
        hazard: true,
        keep: true,
    };
    let more = Request::More { steps: steps() };
    vec![Request::Start { protocol: PROTOCOL }, Request::Run(run), more, Request::Stop]
}

fn responses() -> Vec<Response> {
    let host = Host {
        name: "envoy".to_owned(),
        version: "1.40.0".to_owned(),
        abi: pw_abi::Version::ALL.iter().map(|version| version.name().to_owned()).collect(),
        capabilities: capabilities(),
    };
    vec![
        Response::Host(host),
        Response::Ran { events: events() },
        Response::Skipped { reason: "why".to_owned() },
        Response::Errored { context: "what".to_owned() },
    ]
}

/// One of each; a new one does not compile until it is here.
fn capabilities() -> Vec<Feature> {
    let next = |capability| match capability {
        Feature::Http => Some(Feature::Tcp),
        Feature::Tcp => Some(Feature::ConcurrentStreams),
        Feature::ConcurrentStreams => Some(Feature::Chains),
        Feature::Chains => Some(Feature::HttpCalls),
        Feature::HttpCalls => Some(Feature::Grpc),
        Feature::Grpc => Some(Feature::ForeignCalls),
        Feature::ForeignCalls => Some(Feature::Metrics),
        Feature::Metrics => Some(Feature::Background),
        Feature::Background => Some(Feature::Failure),
        Feature::Failure => Some(Feature::Limits),
        Feature::Limits => Some(Feature::Capabilities),
        Feature::Capabilities => Some(Feature::Reconfigure),
        Feature::Reconfigure => Some(Feature::Replace),
        Feature::Replace => Some(Feature::Canary),
        Feature::Canary => Some(Feature::LogOnly),
        Feature::LogOnly => Some(Feature::SharedVms),
        Feature::SharedVms => Some(Feature::Time),
        Feature::Time => Some(Feature::Environment),
        Feature::Environment => Some(Feature::Faults),
        Feature::Faults => Some(Feature::MixedCaseHeaders),
        Feature::MixedCaseHeaders => Some(Feature::Shutdown),
        Feature::Shutdown => Some(Feature::Keep),
        Feature::Keep => None,
    };
    std::iter::successors(Some(Feature::Http), |capability| next(*capability)).collect()
}

fn steps() -> Vec<Step> {
    let (stream, call, end_of_stream) = (1, 2, true);
    vec![
        Step::RequestHeaders { stream, headers: fields(), end_of_stream },
        Step::RequestBody { stream, body: "a".into(), end_of_stream },
        Step::RequestTrailers { stream, trailers: fields() },
        Step::ResponseHeaders { stream, headers: fields(), end_of_stream },
        Step::ResponseBody { stream, body: "a".into(), end_of_stream },
        Step::ResponseTrailers { stream, trailers: fields() },
        Step::Connect { stream },
        Step::ClientData { stream, data: "a".into(), end_of_stream },
        Step::UpstreamData { stream, data: "a".into(), end_of_stream },
        Step::ClientReset { stream },
        Step::UpstreamReset { stream },
        Step::CallResponse { call, headers: fields(), body: "a".into(), trailers: fields() },
        Step::CallReset { call },
        Step::GrpcInitialMetadata { call, metadata: fields() },
        Step::GrpcMessage { call, message: "a".into() },
        Step::GrpcClose { call, status: 7, message: "a".to_owned(), metadata: fields() },
        Step::GrpcReset { call },
        Step::ForeignCall { function: 7, arguments: "a".into() },
        Step::Reconfigure { plugin: "plugin".to_owned(), configuration: "a".into() },
        Step::Replace { plugin: "plugin".to_owned(), by: "other".to_owned() },
        Step::Canary { plugin: "plugin".to_owned(), by: "other".to_owned(), share: 50, faults: 10 },
        Step::Promote { plugin: "plugin".to_owned() },
        Step::RollBack { plugin: "plugin".to_owned() },
        Step::Remove { plugin: "plugin".to_owned() },
        Step::ReadMetrics,
        Step::Advance { milliseconds: 5 },
        Step::Shutdown,
    ]
}

fn parts() -> Vec<Part> {
    vec![
        Part::Opened,
        Part::Headers { headers: fields(), end_of_stream: false },
        Part::Body { body: Data(vec![0x80]), end_of_stream: true },
        Part::Trailers { trailers: fields() },
        Part::Reset,
    ]
}

fn grpc_parts() -> Vec<GrpcPart> {
    let text = || "a".to_owned();
    vec![
        GrpcPart::Opened { upstream: text(), service: text(), method: text(), metadata: fields() },
        GrpcPart::Message { message: "a".into() },
        GrpcPart::End,
        GrpcPart::Reset,
    ]
}

fn events() -> Vec<Event> {
    let plugin = || "plugin".to_owned();
    let returned = [
        Returned::Number(u64::MAX),
        Returned::Bytes(Data(vec![0xFF])),
        Returned::Untouched,
        Returned::Odd { pointer: 1, size: u32::MAX },
    ];
    let returned = returned.map(|value| ("value".to_owned(), value)).to_vec();
    let call = |action| Event::Call {
        plugin: plugin(),
        function: "proxy_log".to_owned(),
        action,
        args: vec!["INFO".to_owned()],
        status: 0,
        returned: returned.clone(),
    };
    let mut events = vec![
        Event::Step { index: 0 },
        Event::Refused { plugin: plugin(), reason: "why".to_owned() },
        Event::Log { plugin: plugin(), level: "INFO".to_owned(), message: "text".into() },
        Event::HttpCall { call: 0, upstream: "auth".to_owned(), headers: fields(), body: "".into(), trailers: vec![] },
        Event::Metric { name: "a".to_owned(), value: u64::MAX },
        Event::Fault { plugin: plugin(), reason: "why".to_owned() },
        Event::Discarded { plugin: plugin(), stream: 0, what: "answer 403".to_owned() },
        Event::RolledBack { plugin: plugin() },
        Event::Died { how: "SIGSEGV".to_owned() },
        Event::Callback { plugin: plugin(), name: "proxy_on_tick".to_owned(), args: vec![1] },
        Event::Returned { plugin: plugin(), name: "proxy_on_tick".to_owned(), result: None },
        Event::Returned { plugin: plugin(), name: "proxy_on_done".to_owned(), result: Some(1) },
        call(Some(3)),
        call(None),
    ];
    events.extend(grpc_parts().into_iter().map(|part| Event::Grpc { call: 0, part }));
    events.extend(parts().into_iter().map(|part| Event::Upstream { stream: 0, part }));
    events.extend(parts().into_iter().map(|part| Event::Client { stream: 0, part }));
    events
}
