//! A host driven through a program that speaks the adapter protocol. A program that breaks the protocol, hangs or crashes fails the
//! case at hand, is started again for the next one, and is given up after a few such failures in a row. If the host is in the
//! program's own process, a crash is not a failure of ours, but what the host did.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pw_abi::Version;
use pw_cases::adapter::{Adapter, Outcome, Sink};
use pw_cases::data::Base64;
use pw_cases::probe::Template;
use pw_cases::protocol::{self, Host, PROTOCOL, Request, Response, Run};
use pw_cases::scenario::{Guest, Plugin, Scenario, Step};
use pw_cases::script::Script;
use pw_cases::shape::Shape;
use pw_cases::transcript::{Event, Transcript};

use crate::adapter::child::{Child, END_TIMEOUT, KILLED, MAX_LINE_MIB, ReadError};
use crate::adapter::tap::Tap;
use crate::error::HarnessError;
use crate::invocation::PROGRAM;
use crate::record;
use crate::survey::Survey;

/// After this number of failures in a row the program is not started again.
const MAX_FAILURES: u32 = 3;
/// How long the program gets to stop its host at the end.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How to start an adapter.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// How long it may take to answer.
    pub timeout: Duration,
    /// Gets a copy of each line.
    pub tap: Option<Tap>,
    /// The functions that the host lacks: probes do not import them.
    pub survey: Arc<Survey>,
    /// The shapes of probes, for all programs that run side by side.
    pub shapes: Shapes,
}

/// Shapes that were assembled once. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shapes(Arc<Mutex<HashMap<ShapeKey, Arc<Shape>>>>);

/// What makes two shapes the same: the module, and the number of bytes for its script.
type ShapeKey = (Template, usize);

impl Shapes {
    fn shape(&self, key: &ShapeKey) -> Result<Arc<Shape>, HarnessError> {
        let mut shapes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shape) = shapes.get(key) {
            return Ok(shape.clone());
        }
        let shape = Arc::new(Shape::new(&key.0, key.1)?);
        shapes.insert(key.clone(), shape.clone());
        Ok(shape)
    }
}

/// A host driven through a program.
pub struct Process {
    program: Program,
    host: Host,
    running: Option<Running>,
    failures: u32,
    last: String,
}

/// A program that runs, and what it keeps.
struct Running {
    child: Child,
    shapes: HashMap<ShapeKey, String>,
    modules: HashMap<Vec<u8>, String>,
}

/// Why there is no answer.
struct NoAnswer {
    /// In words.
    error: HarnessError,
    /// The program crashed, or hung: how.
    crash: Option<String>,
}

impl NoAnswer {
    fn new(error: HarnessError) -> NoAnswer {
        NoAnswer { error, crash: None }
    }
}

impl Process {
    /// Starts the program, and asks which host it drives.
    ///
    /// # Errors
    ///
    /// The program cannot be started, or does not answer as the protocol demands.
    pub fn start(program: Program) -> Result<Process, HarnessError> {
        let (running, host) = program.greet()?;
        Ok(Process { program, host, running: Some(running), failures: 0, last: String::new() })
    }

    /// Has the program keep the modules of plugins, without a run.
    ///
    /// # Errors
    ///
    /// It does not answer as the protocol demands.
    pub fn keep_modules(&mut self, version: Version, plugins: &[Plugin]) -> Result<(), HarnessError> {
        let mut running = self.take().map_err(|none| none.error)?;
        for plugin in plugins {
            self.plugin(&mut running, plugin, version).map_err(|none| none.error)?;
        }
        self.running = Some(running);
        Ok(())
    }

    fn run_or_keep(
        &mut self,
        id: &str,
        version: Version,
        scenario: &Scenario,
        keep: bool,
    ) -> Result<Outcome, HarnessError> {
        self.check_failures()?;
        match self.try_run(id, version, scenario, (keep, false), &mut Vec::new()) {
            Ok(response) => {
                self.failures = 0;
                self.outcome(response)
            }
            Err(NoAnswer { crash: Some(how), .. }) if self.host.in_process => {
                Ok(Outcome::Ran(self.crashed(id, version, scenario, how)))
            }
            Err(NoAnswer { error, .. }) => Err(self.failed(error)),
        }
    }

    /// Runs a scenario that crashed the host once more, and has it report each event at once.
    fn crashed(&mut self, id: &str, version: Version, scenario: &Scenario, how: String) -> Transcript {
        let mut events = Vec::new();
        let how = match self.try_run(id, version, scenario, (false, true), &mut events) {
            Err(NoAnswer { crash: Some(again), .. }) if again == how => how,
            Err(NoAnswer { crash: Some(again), .. }) => format!("{how}, and {again} when it was run again"),
            Ok(_) | Err(NoAnswer { crash: None, .. }) => format!("{how}, but not when it was run again"),
        };
        let place =
            if events.is_empty() { "; no message `event` came (docs/adapters.md, section Crashes)" } else { "" };
        events.push(Event::Died { how: how + place });
        Transcript { events }
    }

    /// Has a scenario run. Traced, its events come in `seen`.
    fn try_run(
        &mut self,
        id: &str,
        version: Version,
        scenario: &Scenario,
        (keep, trace): (bool, bool),
        seen: &mut Vec<Event>,
    ) -> Result<Response, NoAnswer> {
        let mut running = self.take()?;
        let plugins = scenario.plugins.iter().map(|plugin| self.plugin(&mut running, plugin, version));
        let plugins = plugins.collect::<Result<_, _>>()?;
        let (id, abi) = (id.to_owned(), version.name().to_owned());
        let Scenario { steps, hazard, http1, choices, .. } = scenario.clone();
        let request = Request::Run(Run { id, abi, plugins, steps, hazard, http1, choices, keep, trace });
        let response = self.program.exchange(&mut running.child, &request, seen)?;
        self.running = Some(running);
        Ok(response)
    }

    /// The program, started again if it has to be.
    fn take(&mut self) -> Result<Running, NoAnswer> {
        match self.running.take() {
            Some(running) => Ok(running),
            None => self.program.greet().map(|(running, _)| running).map_err(NoAnswer::new),
        }
    }

    /// A plugin for the program, which gets the module first if it does not keep it.
    fn plugin(&self, running: &mut Running, plugin: &Plugin, version: Version) -> Result<protocol::Plugin, NoAnswer> {
        let guest = match &plugin.guest {
            Guest::Probe(script) => {
                let template = self.template(script, version);
                let template = template.with_results(self.program.survey.with_results(version));
                let script = script.bytes();
                let size = Shape::capacity(script.len());
                let id = self.shape(running, template, size)?;
                protocol::Guest::Shape { id, script: Base64(script) }
            }
            Guest::Module(wasm) => protocol::Guest::Module(self.module(running, wasm)?),
            Guest::Shaped(..) => {
                let wasm = plugin.guest.wasm().map_err(|error| NoAnswer::new(HarnessError::new(error)))?;
                protocol::Guest::Module(self.module(running, &wasm)?)
            }
        };
        Ok(protocol::Plugin { settings: plugin.settings.clone(), guest })
    }

    /// A host in the adapter's own process compiles a shape once, so that one for many scripts is the cheapest. Another compiles each run's
    /// module, and a small one is.
    fn template(&self, script: &Script, version: Version) -> Template {
        if !self.host.in_process {
            return Template::smallest(script);
        }
        // What the script calls is imported even if the host lacks it: its answer may be to refuse the module.
        let called: Vec<&str> = script.functions().into_iter().map(|row| row.name).collect();
        let lacks = self.program.survey.lacks(version).iter().copied();
        let lacks: Vec<&'static str> = lacks.filter(|name| !called.contains(name)).collect();
        Template::full(script).lacking(&lacks)
    }

    fn shape(&self, running: &mut Running, template: Template, size: usize) -> Result<String, NoAnswer> {
        let key = (template, size);
        if let Some(id) = running.shapes.get(&key) {
            return Ok(id.clone());
        }
        let shape = self.program.shapes.shape(&key).map_err(NoAnswer::new)?;
        let id = format!("shape-{}", running.shapes.len());
        let Shape { wasm, offset, size, address } = (*shape).clone();
        let request = Request::Shape { id: id.clone(), wasm: Base64(wasm), offset, size, address };
        self.keep_module(running, &request)?;
        running.shapes.insert(key, id.clone());
        Ok(id)
    }

    fn module(&self, running: &mut Running, wasm: &[u8]) -> Result<String, NoAnswer> {
        if let Some(id) = running.modules.get(wasm) {
            return Ok(id.clone());
        }
        let id = format!("module-{}", running.modules.len());
        self.keep_module(running, &Request::Module { id: id.clone(), wasm: Base64(wasm.to_vec()) })?;
        running.modules.insert(wasm.to_vec(), id.clone());
        Ok(id)
    }

    fn keep_module(&self, running: &mut Running, request: &Request) -> Result<(), NoAnswer> {
        match self.program.exchange(&mut running.child, request, &mut Vec::new())? {
            Response::Kept => Ok(()),
            other => Err(NoAnswer::new(self.program.unexpected(request, &other))),
        }
    }

    fn outcome(&self, response: Response) -> Result<Outcome, HarnessError> {
        match response {
            Response::Ran { events } => Ok(Outcome::Ran(Transcript { events })),
            Response::Skipped { reason } => Ok(Outcome::Skipped(reason)),
            Response::Errored { context } => Err(self.program.error(format!("failed: {context}"))),
            other => Err(self.program.error(format!("answered `run` with a message of type `{}`", kind(&other)))),
        }
    }

    /// Fails if the program was given up.
    fn check_failures(&self) -> Result<(), HarnessError> {
        if self.failures < MAX_FAILURES {
            return Ok(());
        }
        let last = &self.last;
        Err(HarnessError::new(format!(
            "not run: the adapter failed {MAX_FAILURES} times in a row, the last time: {last}"
        )))
    }

    fn failed(&mut self, error: HarnessError) -> HarnessError {
        self.failures += 1;
        self.last = error.to_string();
        error
    }
}

impl Adapter for Process {
    fn host(&self) -> &Host {
        &self.host
    }

    fn run(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<Outcome, String> {
        self.run_or_keep(id, version, scenario, false).map_err(|error| error.to_string())
    }

    fn trace(&mut self, id: &str, version: Version, scenario: &Scenario, seen: &Sink) -> Result<Outcome, String> {
        if !self.host.in_process {
            return self.run(id, version, scenario);
        }
        let mut events = Vec::new();
        let response = self.try_run(id, version, scenario, (false, true), &mut events);
        events.iter().for_each(|event| seen(event));
        match response {
            Ok(response) => self.outcome(response).map_err(|error| error.to_string()),
            Err(NoAnswer { error, .. }) => Err(error.to_string()),
        }
    }

    fn keep(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<Outcome, String> {
        self.run_or_keep(id, version, scenario, true).map_err(|error| error.to_string())
    }

    fn more(&mut self, steps: Vec<Step>) -> Result<Transcript, String> {
        self.check_failures().map_err(|error| error.to_string())?;
        let request = Request::More { steps };
        let mut running = self.running.take().ok_or("the adapter keeps nothing: it crashed")?;
        match self.program.exchange(&mut running.child, &request, &mut Vec::new()) {
            Ok(response) => {
                (self.running, self.failures) = (Some(running), 0);
                match response {
                    Response::Ran { events } => Ok(Transcript { events }),
                    other => Err(self.program.unexpected(&request, &other).to_string()),
                }
            }
            Err(NoAnswer { crash: Some(how), .. }) if self.host.in_process => {
                Ok(Transcript { events: vec![Event::Died { how }] })
            }
            Err(NoAnswer { error, .. }) => Err(self.failed(error).to_string()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(Running { mut child, .. }) = self.running.take() {
            child.send(&json(&Request::Stop));
            child.end(STOP_TIMEOUT);
        }
    }
}

impl Program {
    /// Starts the program, and asks which host it drives.
    fn greet(&self) -> Result<(Running, Host), HarnessError> {
        let failed = |error| HarnessError::io("start the adapter", name(&self.words), &error);
        let mut child = Child::start(&self.words).map_err(failed)?;
        let request = Request::Start { protocol: PROTOCOL };
        let answer = self.exchange(&mut child, &request, &mut Vec::new());
        match answer.map_err(|none| HarnessError::new(format!("{}\n{}", none.error, self.not_an_adapter())))? {
            Response::Host(host) => {
                let host = self.checked(host)?;
                Ok((Running { child, shapes: HashMap::new(), modules: HashMap::new() }, host))
            }
            other => Err(self.unexpected(&request, &other)),
        }
    }

    /// The host, if its name can be used in file names, and its versions are those of this ABI and of this protocol.
    fn checked(&self, host: Host) -> Result<Host, HarnessError> {
        if host.protocol != PROTOCOL {
            return Err(self.error(format!(
                "speaks version {} of the adapter protocol, and this program version {PROTOCOL}: it has to be \
                 changed as docs/adapters.md says, or used with the release that it was written for",
                host.protocol
            )));
        }
        if !record::is_host_name(&host.name) {
            return Err(self
                .error(format!("calls its host {:?}: a name has only letters, digits, `-`, `_` and `.`", host.name)));
        }
        match host.abi.iter().find(|name| Version::parse(name).is_none_or(|version| version.name() != *name)) {
            Some(unknown) => {
                let names: Vec<&str> = Version::ALL.into_iter().map(Version::name).collect();
                let names = names.join(", ");
                Err(self.error(format!("says that its host has ABI {unknown:?}: the versions are {names}")))
            }
            None => Ok(host),
        }
    }

    /// Sends a request and reads the answer; events before it are added to `seen`. After an error the child is gone.
    fn exchange(&self, child: &mut Child, request: &Request, seen: &mut Vec<Event>) -> Result<Response, NoAnswer> {
        if let Some(line) = child.waiting_line() {
            let what = format!("wrote a line that was not asked for: {}", excerpt(&line));
            return Err(NoAnswer::new(self.error(what)));
        }
        let line = json(request);
        self.tap('>', &line);
        child.send(&line);
        loop {
            let line = child.line(self.timeout).map_err(|error| self.no_line(child, error))?;
            self.tap('<', &line);
            let response =
                read(&line).map_err(|what| NoAnswer::new(self.error(format!("wrote {what}{}", last_words(child)))))?;
            match response {
                Response::Event { event } => seen.push(event),
                response => return Ok(response),
            }
        }
    }

    fn tap(&self, direction: char, line: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.write(direction, line);
        }
    }

    fn no_line(&self, child: &mut Child, error: ReadError) -> NoAnswer {
        let half = |unfinished: &[u8]| match unfinished {
            [] => String::new(),
            line => format!("; it had written half a line: {}", excerpt(line)),
        };
        let (what, crash) = match &error {
            ReadError::Timeout(unfinished) => {
                child.kill();
                let seconds = self.timeout.as_secs();
                let how = format!("no answer in {seconds} s");
                (format!("hung: {how} (--timeout), so it was killed{}", half(unfinished)), Some(how))
            }
            ReadError::Eof(unfinished) => {
                let how = child.end(END_TIMEOUT);
                if how == KILLED {
                    (
                        "closed its standard output and did not end, so it was killed".to_owned() + &half(unfinished),
                        None,
                    )
                } else {
                    (format!("crashed: {how}{}", half(unfinished)), Some(how))
                }
            }
            ReadError::LineTooLong => {
                child.kill();
                (format!("wrote a line of more than {MAX_LINE_MIB} MiB, so it was killed"), None)
            }
        };
        NoAnswer { error: self.error(what + &last_words(child)), crash }
    }

    fn unexpected(&self, request: &Request, response: &Response) -> HarnessError {
        let request = match request {
            Request::Start { .. } => "start",
            Request::Shape { .. } => "shape",
            Request::Module { .. } => "module",
            Request::Run(_) => "run",
            Request::More { .. } => "more",
            Request::Stop => "stop",
        };
        match response {
            Response::Errored { context } => self.error(format!("failed: {context}{}", way_out(context))),
            other => self.error(format!("answered `{request}` with a message of type `{}`", kind(other))),
        }
    }

    /// What to do about a program that does not answer the first request.
    fn not_an_adapter(&self) -> String {
        let words = shlex::try_join(self.words.iter().map(String::as_str)).unwrap_or_default();
        format!(
            "it has to answer the requests on its standard input, of which the first is `start`: see docs/adapters.md, \
             or check it step by step with `{PROGRAM} smoke --host {}`",
            shlex::try_quote(&words).unwrap_or_default()
        )
    }

    fn error(&self, what: String) -> HarnessError {
        HarnessError::new(format!("the adapter {} {what}", name(&self.words)))
    }
}

/// What can be done about two errors of Linux that come from too much at once: EMFILE and EADDRINUSE.
fn way_out(context: &str) -> &'static str {
    match context {
        text if text.contains("(os error 24)") => "; raise the limit by `ulimit -n`, or use fewer --jobs",
        text if text.contains("(os error 98)") => "; all local ports are in use: use fewer --jobs, or wait a minute",
        _ => "",
    }
}

fn kind(response: &Response) -> &'static str {
    match response {
        Response::Host(_) => "host",
        Response::Kept => "kept",
        Response::Event { .. } => "event",
        Response::Ran { .. } => "ran",
        Response::Skipped { .. } => "skipped",
        Response::Errored { .. } => "errored",
    }
}

/// Reads a line of an adapter, without its end. The error says in one line what it is instead.
pub fn read(line: &[u8]) -> Result<Response, String> {
    serde_json::from_slice(line).map_err(|error| {
        if let Some(version) = other_protocol(line) {
            return format!(
                "that its host speaks version {version} of the adapter protocol, and this program speaks version {PROTOCOL}: \
                 docs/adapters.md says what is different"
            );
        }
        let what = if error.is_data() { "a line that is not a message of the protocol" } else { "a line that is not JSON" };
        let error = error.to_string().replace(char::is_control, "\u{fffd}");
        format!("{what} ({error}): {}", excerpt(line))
    })
}

/// The version of the protocol that a host says it speaks, if it is not this one.
fn other_protocol(line: &[u8]) -> Option<u64> {
    let message: serde_json::Value = serde_json::from_slice(line).ok()?;
    let version = message.get("protocol").map_or(Some(1), serde_json::Value::as_u64)?;
    (message["type"] == "host" && version != u64::from(PROTOCOL)).then_some(version)
}

fn last_words(child: &Child) -> String {
    match child.last_words() {
        words if words.is_empty() => String::new(),
        words => format!("\nits standard error ends with:\n  {}", words.replace('\n', "\n  ")),
    }
}

fn json(request: &Request) -> Vec<u8> {
    serde_json::to_vec(request).expect("requests have text keys only, so that they always are JSON")
}

fn name(words: &[String]) -> String {
    format!("`{}`", shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" ")))
}

fn excerpt(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line).replace(char::is_control, "\u{fffd}");
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: the words of an error repeat what they are about.
    #[test]
    fn an_error_about_a_message_is_one_line() {
        let error = read(b"{\"type\":\"ra\\n\\u001b[2Jn\"}");
        assert!(error.as_ref().is_err_and(|error| error.contains("`ra\u{fffd}\u{fffd}[2Jn`")), "{error:?}");
    }
}
