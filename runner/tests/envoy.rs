//! The adapter for Envoy with a real Envoy, which `PW_CONFORM_ENVOY` or the PATH names:
//! `cargo test --workspace --test envoy -- --ignored`

use std::sync::Arc;
use std::time::Duration;

use pw_abi::Version;
use pw_cases::adapter::{Adapter, Outcome};
use pw_cases::data::{Data, Fields};
use pw_cases::scenario::{Guest, Plugin, PluginSettings, Scenario, Step};
use pw_cases::transcript::{Event, GrpcPart, Part};
use pw_harness::adapter::{Process, Program, Shapes};

/// Does not take its configuration.
const REFUSES: &str = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 0))"#;

/// The adapter, as `--host envoy` starts it.
struct Envoy(Process);

impl Envoy {
    fn start() -> Envoy {
        let words = [env!("CARGO_BIN_EXE_pw-conform"), "adapter", "envoy"].map(str::to_owned).to_vec();
        let (survey, shapes) = (Arc::default(), Shapes::default());
        let program = Program { words, timeout: Duration::from_secs(60), tap: None, survey, shapes };
        Envoy(Process::start(program).unwrap_or_else(|error| panic!("{error}")))
    }

    fn outcome(&mut self, plugins: Vec<Plugin>, steps: Vec<Step>, hazard: bool) -> Outcome {
        let scenario = Scenario { plugins, steps, hazard, ..Scenario::default() };
        self.0.run("test", Version::V0_2_1, &scenario).unwrap_or_else(|error| panic!("{error}"))
    }

    fn run(&mut self, plugins: Vec<Plugin>, steps: Vec<Step>, hazard: bool) -> Vec<Event> {
        match self.outcome(plugins, steps, hazard) {
            Outcome::Ran(transcript) => transcript.events,
            Outcome::Skipped(reason) => panic!("{reason}"),
        }
    }

    fn skips(&mut self, plugins: Vec<Plugin>, steps: Vec<Step>) -> bool {
        matches!(self.outcome(plugins, steps, false), Outcome::Skipped(_))
    }
}

/// A plugin of WAT: the module's fields, besides the marker, a memory and an allocator.
fn plugin(name: &str, fields: &str) -> Plugin {
    let text = format!(
        r#"(module
            (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
            (import "env" "proxy_http_call"
                (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_grpc_call"
                (func $grpc (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_get_buffer_bytes" (func $read (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
            {fields})"#
    );
    let mut plugin = Plugin::new(name, Guest::Module(wat::parse_str(text).expect("the module is valid")));
    plugin.settings.vm_id = "vm".into();
    plugin
}

/// The same plugin, set up in another way.
fn set(mut plugin: Plugin, change: impl FnOnce(&mut PluginSettings)) -> Plugin {
    change(&mut plugin.settings);
    plugin
}

/// Logs `text` in a callback with three parameters and then returns `result`.
fn logs(callback: &str, text: &str, result: u32) -> String {
    let size = text.len();
    format!(
        r#"(data (i32.const 64) "{text}")
           (func (export "{callback}") (param i32 i32 i32) (result i32)
               (drop (call $log (i32.const 3) (i32.const 64) (i32.const {size})))
               (i32.const {result}))"#
    )
}

fn fields(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| (Data::from(*name), Data::from(*value))).collect()
}

fn request(stream: u32, end_of_stream: bool) -> Step {
    let headers = fields(&[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")]);
    Step::RequestHeaders { stream, headers, end_of_stream }
}

fn response(stream: u32, status: &str) -> Step {
    Step::ResponseHeaders { stream, headers: fields(&[(":status", status)]), end_of_stream: true }
}

/// An event in a few words, without the headers that Envoy adds.
fn words(event: &Event) -> String {
    let part = |part: &Part| match part {
        Part::Headers { headers, end_of_stream } => {
            let status = headers.iter().find(|(name, _)| name.as_str() == Some(":status"));
            format!("headers {} {end_of_stream}", status.and_then(|(_, status)| status.as_str()).unwrap_or("-"))
        }
        Part::Body { body, end_of_stream } => format!("body {} {end_of_stream}", body.0.len()),
        Part::Trailers { .. } => "trailers".into(),
        Part::Opened => "opened".into(),
        Part::Reset => "reset".into(),
    };
    match event {
        Event::Step { index } => format!("step {index}"),
        Event::Log { plugin, level, message } => format!("{plugin} {level} {}", message.as_str().unwrap_or("?")),
        Event::Upstream { stream, part: it } => format!("upstream {stream} {}", part(it)),
        Event::Client { stream, part: it } => format!("client {stream} {}", part(it)),
        Event::HttpCall { call, upstream, .. } => format!("call {call} {upstream}"),
        Event::Grpc { call, part: GrpcPart::Opened { upstream, service, method, .. } } => {
            format!("gRPC {call} {upstream} {service} {method}")
        }
        Event::Grpc { call, part } => format!("gRPC {call} {part}"),
        Event::Metric { name, value } => format!("{name} is {value}"),
        Event::Fault { plugin, .. } => format!("{plugin} fault"),
        Event::Refused { plugin, .. } => format!("{plugin} refused"),
        Event::Died { how } => format!("died {how}"),
        other => format!("{other:?}"),
    }
}

#[track_caller]
fn check(events: &[Event], expected: &[&str]) {
    assert_eq!(events.iter().map(words).collect::<Vec<_>>(), expected);
}

#[test]
#[ignore = "needs an Envoy"]
fn scenarios_on_a_real_envoy() {
    let mut adapter = Envoy::start();
    assert_eq!(adapter.0.host().name, "envoy");

    let headers = |name, text| plugin(name, &logs("proxy_on_request_headers", text, 0));
    let body = Data::from(vec![b'x'; 1 << 20]);
    let steps = vec![
        request(0, false),
        Step::RequestBody { stream: 0, body: body.clone(), end_of_stream: false },
        Step::RequestTrailers { stream: 0, trailers: fields(&[("a", "b")]) },
        Step::ResponseHeaders { stream: 0, headers: fields(&[(":status", "201")]), end_of_stream: false },
        Step::ResponseBody { stream: 0, body, end_of_stream: false },
        Step::ResponseTrailers { stream: 0, trailers: fields(&[("a", "b")]) },
    ];
    check(
        &adapter.run(vec![headers("p", "hello"), headers("q", "world")], steps, false),
        &[
            "step 0",
            "p WARN hello",
            "q WARN world",
            "upstream 0 headers - false",
            "step 1",
            "upstream 0 body 1048576 false",
            "step 2",
            "upstream 0 trailers",
            "step 3",
            "client 0 headers 201 false",
            "step 4",
            "client 0 body 1048576 false",
            "step 5",
            "client 0 trailers",
        ],
    );

    let steps = vec![request(0, true), request(1, true), response(1, "201"), response(0, "200"), Step::Shutdown];
    let streams = [
        ["step 0", "upstream 0 headers - true"],
        ["step 1", "upstream 1 headers - true"],
        ["step 2", "client 1 headers 201 true"],
        ["step 3", "client 0 headers 200 true"],
    ];
    check(&adapter.run(vec![plugin("p", "")], steps, false), &[streams.as_flattened(), &["step 4"]].concat());

    let paused = plugin("p", &logs("proxy_on_request_headers", "stop", 1));
    check(
        &adapter.run(vec![paused], vec![request(0, true), response(0, "200")], false),
        &["step 0", "p WARN stop", "step 1"],
    );

    // Done in each of the plugin's VMs, reported of one.
    let call = r#"(data (i32.const 64) "auth")
        (data (i32.const 128) "\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\01\00\00\00\0a\00\00\00\01\00\00\00:method\00GET\00:path\00/\00:authority\00a\00")
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (i32.eqz (call $call (i32.const 64) (i32.const 4) (i32.const 128) (i32.const 61)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 5000) (i32.const 32))))"#;
    let answer = Step::CallReset { call: 0 };
    check(&adapter.run(vec![plugin("p", call)], vec![answer], false), &["call 0 auth", "step 0"]);

    kept(&mut adapter);
    tcp(&mut adapter);
    grpc(&mut adapter);
    metrics(&mut adapter);
    background(&mut adapter, call);
    rollout(&mut adapter);
    shared_vm(&mut adapter);

    let trap = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) unreachable)"#;
    check(
        &adapter.run(vec![headers("p", "hello"), plugin("q", trap)], vec![request(0, true)], false),
        &["step 0", "p WARN hello", "q fault", "client 0 headers 503 true"],
    );

    check(&adapter.run(vec![plugin("p", ""), plugin("q", REFUSES)], vec![request(0, true)], false), &["q refused"]);

    let kills = r#"(func $early (drop (call $log (i32.const 3) (i32.const 64) (i32.const 1)))) (start $early)"#;
    check(&adapter.run(vec![plugin("p", kills)], vec![request(0, true)], true), &["died SIGSEGV"]);
    check(&adapter.run(vec![plugin("p", kills)], vec![request(0, true)], false), &["died SIGSEGV"]);
    check(&adapter.run(Vec::new(), vec![Step::Advance { milliseconds: 1 }], false), &["step 0"]);
}

/// More steps for what runs, until there is another run.
fn kept(adapter: &mut Envoy) {
    assert!(adapter.0.more(Vec::new()).is_err());
    let hello = || vec![plugin("p", &logs("proxy_on_request_headers", "hello", 0))];
    let scenario = Scenario { plugins: hello(), steps: vec![request(0, true)], ..Scenario::default() };
    let Ok(Outcome::Ran(first)) = adapter.0.keep("kept", Version::V0_2_1, &scenario) else { panic!("it is not run") };
    let first = first.events;
    let mut more = |steps| adapter.0.more(steps).unwrap_or_else(|error| panic!("{error}")).events;
    check(&first, &["step 0", "p WARN hello", "upstream 0 headers - true"]);
    // The first stream still runs, so that the second has another connection.
    let further = more(vec![request(1, true), response(1, "201"), response(0, "200")]);
    let expected = [
        "step 0",
        "p WARN hello",
        "upstream 1 headers - true",
        "step 1",
        "client 1 headers 201 true",
        "step 2",
        "client 0 headers 200 true",
    ];
    check(&further, &expected);
    for stream in 2..5 {
        let events = more(vec![request(stream, true), Step::ClientReset { stream }]);
        let upstream = format!("upstream {stream} headers - true");
        let reset = format!("upstream {stream} reset");
        check(&events, &["step 0", "p WARN hello", &upstream, "step 1", &reset]);
    }
    check(
        &adapter.run(hello(), vec![request(0, true)], false),
        &["step 0", "p WARN hello", "upstream 0 headers - true"],
    );
    assert!(adapter.0.more(Vec::new()).is_err());
}

fn tcp(adapter: &mut Envoy) {
    let data = |stream, text: &str, end_of_stream| Step::ClientData { stream, data: Data::from(text), end_of_stream };
    let steps = vec![
        Step::Connect { stream: 0 },
        Step::Connect { stream: 1 },
        data(1, "ping", false),
        Step::UpstreamData { stream: 1, data: Data(vec![b'x'; 1 << 20]), end_of_stream: true },
        data(1, "", true),
        data(0, "ping", true),
        Step::UpstreamReset { stream: 0 },
        request(2, true),
    ];
    let tcp = || plugin("p", &logs("proxy_on_downstream_data", "data", 0));
    assert!(adapter.skips(vec![tcp()], steps.clone()));
    let streams = [
        [
            "step 0",
            "upstream 0 opened",
            "step 1",
            "upstream 1 opened",
            "step 2",
            "p WARN data",
            "upstream 1 body 4 false",
        ],
        [
            "step 3",
            "client 1 body 1048576 true",
            "step 4",
            "p WARN data",
            "upstream 1 body 0 true",
            "step 5",
            "p WARN data",
        ],
    ];
    let ends = ["upstream 0 body 4 true", "step 6", "client 0 reset"];
    check(&adapter.run(vec![tcp()], steps[..7].to_vec(), false), &[streams.as_flattened(), &ends].concat());
}

fn grpc(adapter: &mut Envoy) {
    let grpc = r#"(data (i32.const 64) "callout") (data (i32.const 96) "a.B") (data (i32.const 104) "C")
        (data (i32.const 112) "\00\00\00\00") (data (i32.const 128) "message")
        (func (export "proxy_on_grpc_receive") (param i32 i32 i32)
            (drop (call $log (i32.const 3) (i32.const 128) (local.get 2))))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $grpc (i32.const 64) (i32.const 7) (i32.const 96) (i32.const 3) (i32.const 104) (i32.const 1)
                (i32.const 112) (i32.const 4) (i32.const 128) (i32.const 7) (i32.const 5000) (i32.const 32)))"#;
    let steps = vec![
        request(0, true),
        Step::GrpcMessage { call: 0, message: Data::from("mess") },
        Step::GrpcClose { call: 0, status: 0, message: String::new(), metadata: Fields::new() },
        request(1, true),
        Step::ClientReset { stream: 1 },
        Step::Shutdown,
    ];
    let first =
        ["step 0", "gRPC 0 callout a.B C", r#"gRPC 0 message "message""#, "gRPC 0 end", "upstream 0 headers - true"];
    let second =
        ["step 3", "gRPC 1 callout a.B C", r#"gRPC 1 message "message""#, "gRPC 1 end", "upstream 1 headers - true"];
    let expected = [
        &first[..],
        &["step 1", "step 2", "p WARN mess"],
        &second,
        &["step 4", "upstream 1 reset", "step 5", "gRPC 1 reset", "upstream 0 reset"],
    ];
    check(&adapter.run(vec![plugin("p", grpc)], steps, false), &expected.concat());
}

fn metrics(adapter: &mut Envoy) {
    // A metric ends with the plugin that has it.
    let counts = r#"(data (i32.const 64) "count")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (drop (call $define (i32.const 0) (i32.const 64) (i32.const 5) (i32.const 32)))
            (call $increment (i32.load (i32.const 32)) (i64.const 7)))"#;
    for _ in 0..2 {
        let steps = vec![Step::ReadMetrics, request(0, true), Step::ReadMetrics];
        let expected = ["step 0", "step 1", "upstream 0 headers - true", "step 2", "count is 7"];
        check(&adapter.run(vec![plugin("p", counts)], steps, false), &expected);
    }
}

fn background(adapter: &mut Envoy, call: &str) {
    // The call is made by the VM that stays, on a thread that serves no stream.
    let background = || set(plugin("b", call), |settings| settings.background = true);
    let steps = vec![Step::CallReset { call: 0 }, request(0, true)];
    check(
        &adapter.run(vec![plugin("p", &logs("proxy_on_request_headers", "hello", 0)), background()], steps, false),
        &["call 0 auth", "step 0", "step 1", "p WARN hello", "upstream 0 headers - true"],
    );
    let refused = set(plugin("b", REFUSES), |settings| settings.background = true);
    check(&adapter.run(vec![refused], vec![request(0, true)], false), &["b refused"]);
    assert!(adapter.skips(vec![background()], vec![Step::Shutdown]));
}

/// Marks requests with the first letter of its configuration, and takes none that begins with a `!`.
const CONFIGURED: &str = r#"
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $read (i32.const 7) (i32.const 0) (i32.const 1) (i32.const 32) (i32.const 36)))
        (i32.ne (i32.load8_u (i32.const 4096)) (i32.const 33)))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $log (i32.const 3) (i32.const 4096) (i32.const 1)))
    (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
        (call $log (i32.const 4) (i32.const 4096) (i32.const 1)))"#;

fn rollout(adapter: &mut Envoy) {
    let reconfigure = |text: &str| Step::Reconfigure { plugin: "p".into(), configuration: Data::from(text) };
    let steps = vec![
        request(0, false),
        reconfigure("b"),
        request(1, true),
        reconfigure("!"),
        request(2, true),
        Step::RequestBody { stream: 0, body: Data::from("body"), end_of_stream: true },
        response(0, "200"),
    ];
    let configured = || set(plugin("p", CONFIGURED), |settings| settings.configuration = Data::from("a"));
    let expected = [
        "step 0",
        "p WARN a",
        "upstream 0 headers - false",
        "step 1",
        "step 2",
        "p WARN b",
        "upstream 1 headers - true",
        "step 3",
        "p refused",
        "step 4",
        "p WARN b",
        "upstream 2 headers - true",
        "step 5",
        // The VM is the same, and so is its memory.
        "p ERROR b",
        "upstream 0 body 4 true",
        "step 6",
        "client 0 headers 200 true",
    ];
    check(&adapter.run(vec![configured()], steps, false), &expected);
    let in_flight = vec![request(0, false), reconfigure("b"), Step::Shutdown];
    for (background, steps) in [(true, vec![reconfigure("b")]), (false, in_flight)] {
        let plugin = set(configured(), |settings| settings.background = background);
        assert!(adapter.skips(vec![plugin], steps));
    }
}

/// Plugins of one module are in one VM, where they count together and take each other's place.
fn shared_vm(adapter: &mut Envoy) {
    let counts = r#"
        (global $count (mut i32) (i32.const 48))
        (func $tell (param $level i32) (result i32)
            (global.set $count (i32.add (global.get $count) (i32.const 1)))
            (i32.store8 (i32.const 64) (global.get $count))
            (call $log (local.get $level) (i32.const 64) (i32.const 1)))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (drop (call $tell (i32.const 2))) (i32.const 1))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $tell (i32.const 3)))
        (func (export "proxy_on_done") (param i32) (result i32) (drop (call $tell (i32.const 4))) (i32.const 1))"#;
    let named = |name| plugin(name, counts);
    let plugins = vec![named("one"), named("two"), set(named("three"), |settings| settings.standby = true)];
    let steps = vec![
        Step::Replace { plugin: "one".into(), by: "three".into() },
        // There is no plugin to be replaced, or to replace it.
        Step::Replace { plugin: "one".into(), by: "three".into() },
        Step::Replace { plugin: "two".into(), by: "three".into() },
        request(0, true),
        response(0, "200"),
        Step::Remove { plugin: "two".into() },
        Step::Shutdown,
    ];
    let expected = [
        "one INFO 1",
        "two INFO 2",
        "step 0",
        "three INFO 3",
        "one ERROR 4",
        "step 1",
        "step 2",
        "step 3",
        "three WARN 5",
        "two WARN 6",
        "upstream 0 headers - true",
        "step 4",
        "three ERROR 7",
        "two ERROR 8",
        "client 0 headers 200 true",
        "step 5",
        "two ERROR 9",
        "step 6",
        "three ERROR :",
    ];
    check(&adapter.run(plugins, steps, false), &expected);
}
