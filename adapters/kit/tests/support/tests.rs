//! What is tested: the adapter as a child process, by its protocol.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use pw_adapter_kit::fields::field;
use pw_cases::data::Base64;
use pw_cases::data::{Data, Fields};
use pw_cases::protocol::{Guest, PROTOCOL, Plugin, Request, Response, Run};
use pw_cases::scenario::{PluginSettings, Step};
use pw_cases::transcript::{Event, Part};

/// The tests by name.
pub(crate) const ALL: &[(&str, fn())] = &[
    ("answers_what_is_not_a_scenario", answers_what_is_not_a_scenario),
    ("runs_streams_through_a_chain", runs_streams_through_a_chain),
    ("reports_calls_of_plugins", reports_calls_of_plugins),
    ("reports_a_rejected_plugin", reports_a_rejected_plugin),
    ("reports_a_crash", reports_a_crash),
    ("adds_steps_to_a_scenario", adds_steps_to_a_scenario),
    ("explains_a_host_that_does_not_start", explains_a_host_that_does_not_start),
    #[cfg(target_os = "linux")]
    ("stopped_adapter_ends_the_host", stopped_adapter_ends_the_host),
    #[cfg(target_os = "linux")]
    ("killed_adapter_takes_the_host_with_it", killed_adapter_takes_the_host_with_it),
    #[cfg(target_os = "linux")]
    ("adapter_killed_while_the_host_starts_takes_it_with_it", adapter_killed_while_the_host_starts_takes_it_with_it),
];

/// The name of the one module, which the host does not look at.
const MODULE: &str = "module";

struct Adapter {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Adapter {
    fn start() -> Adapter {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.arg("adapter").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this program can be started");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut adapter = Adapter { child, input, output };
        let module = Request::Module { id: MODULE.to_owned(), wasm: Base64::default() };
        assert_eq!(adapter.ask(&module), Response::Kept);
        adapter
    }

    fn write(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the adapter reads");
    }

    fn ask_line(&mut self, line: &str) -> Response {
        self.write(line);
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("the adapter answers");
        serde_json::from_str(&answer).expect("the answer is a response")
    }

    fn ask(&mut self, request: &Request) -> Response {
        self.ask_line(&serde_json::to_string(request).expect("it is plain data"))
    }

    fn run(&mut self, plugins: Vec<Plugin>, steps: Vec<Step>) -> Vec<String> {
        words(self.ask(&Request::Run(scenario(plugins, steps, false))))
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        // If it has ended already, there is nothing to stop.
        let _ = writeln!(self.input, r#"{{"type":"stop"}}"#);
        let _ = self.child.wait();
    }
}

fn scenario(plugins: Vec<Plugin>, steps: Vec<Step>, keep: bool) -> Run {
    Run {
        id: "test".into(),
        abi: "0.2.1".into(),
        plugins,
        steps,
        hazard: false,
        http1: false,
        choices: Default::default(),
        keep,
        trace: false,
    }
}

fn plugin(name: &str, configuration: &str) -> Plugin {
    let configuration = Data::from(configuration);
    let settings = PluginSettings { name: name.into(), configuration, ..PluginSettings::default() };
    Plugin { settings, guest: Guest::Module(MODULE.into()) }
}

fn request(stream: u32, path: &str, end_of_stream: bool) -> Step {
    let headers = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", path)];
    Step::RequestHeaders { stream, headers: fields(&headers), end_of_stream }
}

fn fields(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| field(name, value)).collect()
}

fn response(stream: u32, end_of_stream: bool) -> Step {
    Step::ResponseHeaders { stream, headers: fields(&[(":status", "200")]), end_of_stream }
}

/// The events in a few words each.
#[track_caller]
fn words(response: Response) -> Vec<String> {
    let Response::Ran { events } = response else { panic!("{response:?}") };
    let part = |part: &Part| match part {
        Part::Headers { headers, end_of_stream } => {
            let named = headers.iter().any(|(name, _)| name.as_str() == Some(super::CLIENT_PORT));
            assert!(!named, "the client's port is not reported");
            format!("headers {end_of_stream}")
        }
        Part::Body { body, end_of_stream } => format!("body {} {end_of_stream}", body.0.len()),
        Part::Trailers { trailers } => format!("trailers {}", trailers.len()),
        other => format!("{other:?}").to_lowercase(),
    };
    let words = |event: &Event| match event {
        Event::Step { index } => format!("step {index}"),
        Event::Log { plugin, message, .. } => format!("{plugin}: {}", message.as_str().unwrap_or("?")),
        Event::Upstream { stream, part: it } => format!("upstream {stream} {}", part(it)),
        Event::Client { stream, part: it } => format!("client {stream} {}", part(it)),
        Event::HttpCall { call, upstream, body, .. } => format!("call {call} {upstream} {}", body.0.len()),
        Event::Refused { plugin, reason } => format!("{plugin} refused: {reason}"),
        Event::Died { how } => format!("died: {how}"),
        other => format!("{other:?}"),
    };
    events.iter().map(words).collect()
}

fn answers_what_is_not_a_scenario() {
    let mut adapter = Adapter::start();
    assert!(matches!(adapter.ask(&Request::Start { protocol: PROTOCOL }), Response::Host(host) if host.name == "fake"));
    let errors = ["nonsense", r#"{"type":"start","protocol":0}"#, r#"{"type":"more","steps":[]}"#];
    for line in errors {
        assert!(matches!(adapter.ask_line(line), Response::Errored { .. }), "{line}");
    }
    let unknown = Plugin { guest: Guest::Module("unknown".into()), ..plugin("p", "") };
    let run = scenario(vec![unknown], Vec::new(), false);
    assert!(matches!(adapter.ask(&Request::Run(run)), Response::Errored { context } if context.contains("unknown")));
    let mut background = plugin("p", "");
    background.settings.background = true;
    let unsupported = [
        Run { abi: "0.1.0".into(), ..scenario(Vec::new(), Vec::new(), false) },
        scenario(Vec::new(), vec![Step::Advance { milliseconds: u64::MAX }], false),
        scenario(vec![background], Vec::new(), false),
    ];
    for run in unsupported {
        assert!(matches!(adapter.ask(&Request::Run(run)), Response::Skipped { .. }));
    }
}

fn runs_streams_through_a_chain() {
    let body = |stream, size| Step::RequestBody { stream, body: Data(vec![b'x'; size]), end_of_stream: false };
    let steps = vec![
        request(0, "/a", false),
        body(0, 1 << 20),
        request(1, "/b", true),
        Step::RequestTrailers { stream: 0, trailers: fields(&[("t", "1")]) },
        response(1, true),
        response(0, false),
        Step::ResponseBody { stream: 0, body: Data(vec![b'y'; 1 << 20]), end_of_stream: false },
        Step::ResponseTrailers { stream: 0, trailers: fields(&[("t", "1"), ("u", "2")]) },
    ];
    let expected = [
        "p: started",
        "q: started",
        "step 0",
        "p: request /a",
        "q: request /a",
        "upstream 0 headers false",
        "step 1",
        "upstream 0 body 1048576 false",
        "step 2",
        "p: request /b",
        "q: request /b",
        "upstream 1 headers true",
        "step 3",
        "upstream 0 trailers 1",
        "step 4",
        "p: response 200 OK",
        "q: response 200 OK",
        "client 1 headers true",
        "step 5",
        "p: response 200 OK",
        "q: response 200 OK",
        "client 0 headers false",
        "step 6",
        "client 0 body 1048576 false",
        "step 7",
        "client 0 trailers 2",
    ];
    assert_eq!(Adapter::start().run(vec![plugin("p", ""), plugin("q", "")], steps), expected);
}

fn reports_calls_of_plugins() {
    let headers = fields(&[(":status", "200")]);
    let answer = Step::CallResponse { call: 0, headers, body: Data::from("you"), trailers: Fields::new() };
    let steps = vec![request(0, "/call", true), answer, Step::ClientReset { stream: 0 }];
    let expected = [
        "p: started",
        "step 0",
        "p: request /call",
        "call 0 auth 4",
        "step 1",
        "p: answer 3",
        "upstream 0 headers true",
        "step 2",
        "upstream 0 reset",
    ];
    assert_eq!(Adapter::start().run(vec![plugin("p", "")], steps), expected);
}

fn reports_a_rejected_plugin() {
    let mut adapter = Adapter::start();
    let events = adapter.run(vec![plugin("p", ""), plugin("q", "reject")], vec![request(0, "/", true)]);
    assert_eq!(events, ["q refused: its configuration says so"]);
    // The next scenario has another process.
    assert_eq!(adapter.run(vec![plugin("p", "")], Vec::new()), ["p: started"]);
}

fn reports_a_crash() {
    let events = Adapter::start().run(vec![plugin("p", "")], vec![request(0, "/crash", true), response(0, true)]);
    assert_eq!(events[..3], ["p: started", "step 0", "p: request /crash"]);
    assert_eq!(events.last().map(String::as_str), Some("died: SIGABRT"));
    assert!(!events.contains(&"step 1".into()), "{events:?}");
}

fn adds_steps_to_a_scenario() {
    let mut adapter = Adapter::start();
    let run = scenario(vec![plugin("p", "")], vec![request(0, "/a", true)], true);
    let expected = ["p: started", "step 0", "p: request /a", "upstream 0 headers true"];
    assert_eq!(words(adapter.ask(&Request::Run(run))), expected);
    let steps = vec![response(0, true), request(1, "/b", true)];
    let expected =
        ["step 0", "p: response 200 OK", "client 0 headers true", "step 1", "p: request /b", "upstream 1 headers true"];
    assert_eq!(words(adapter.ask(&Request::More { steps })), expected);
}

fn explains_a_host_that_does_not_start() {
    let response = Adapter::start().ask(&Request::Run(scenario(vec![plugin("p", "exit")], Vec::new(), false)));
    let Response::Errored { context } = response else { panic!("{response:?}") };
    assert_eq!(context, "test: failed to start the host: it crashed: exit status 3\n  the port is not free");
}

#[cfg(target_os = "linux")]
fn stopped_adapter_ends_the_host() {
    let mut adapter = Adapter::start();
    adapter.ask(&Request::Run(scenario(vec![plugin("p", "")], Vec::new(), true)));
    let host = host_of(&adapter);
    drop(adapter);
    assert!(ends(host));
}

/// The adapter has no time to kill the host: the kernel does it.
#[cfg(target_os = "linux")]
fn killed_adapter_takes_the_host_with_it() {
    let mut adapter = Adapter::start();
    adapter.ask(&Request::Run(scenario(vec![plugin("p", "")], Vec::new(), true)));
    let host = host_of(&adapter);
    assert!(!has_ended(host));
    adapter.child.kill().expect("it runs");
    assert!(ends(host));
}

#[cfg(target_os = "linux")]
fn adapter_killed_while_the_host_starts_takes_it_with_it() {
    let mut adapter = Adapter::start();
    let run = Request::Run(scenario(vec![plugin("p", "hang")], Vec::new(), false));
    adapter.write(&serde_json::to_string(&run).expect("it is plain data"));
    let host = host_of(&adapter);
    adapter.child.kill().expect("it runs");
    assert!(ends(host));
}

/// The id of the adapter's child, once there is one.
#[cfg(target_os = "linux")]
fn host_of(adapter: &Adapter) -> i32 {
    let parent = i32::try_from(adapter.child.id()).expect("process ids are small");
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let processes = procfs::process::all_processes().expect("Linux has a table").flatten();
        let stats = processes.filter_map(|process| process.stat().ok());
        if let Some(child) = stats.into_iter().find(|stat| stat.ppid == parent) {
            return child.pid;
        }
        assert!(Instant::now() < deadline, "the adapter starts no host");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a process ends within ten seconds.
#[cfg(target_os = "linux")]
fn ends(process: i32) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !has_ended(process) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    has_ended(process)
}

/// Whether a process is gone, or waits for its parent to notice that it has ended.
#[cfg(target_os = "linux")]
fn has_ended(process: i32) -> bool {
    let stat = procfs::process::Process::new(process).and_then(|process| process.stat());
    stat.is_err() || stat.is_ok_and(|stat| matches!(stat.state, 'Z' | 'X'))
}
