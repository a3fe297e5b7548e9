//! The command `try`: one request through a plugin on the reference host.

use std::fmt::Write;
use std::path::Path;

use pw_cases::data::{Data, Fields};
use pw_cases::scenario::Step;
use pw_cases::transcript::{Event, Transcript};
use pw_host::{Engine, Metering, Module, PluginConfig};
use pw_reference::{Trace, World};

use crate::cli::TryArgs;
use crate::error::HarnessError;

/// What the canned upstream answers.
const ANSWER: &str = "hello from the upstream\n";

/// How much time passes at the most for a plugin that waits, in steps of milliseconds.
const PATIENCE: (u32, u64) = (100, 100);

/// Sends the request, and tells what the upstream saw, what the client got, what was logged, and what was called.
pub fn run(args: &TryArgs) -> Result<String, HarnessError> {
    let shown = args.plugin.display();
    let wasm = std::fs::read(&args.plugin).map_err(|error| HarnessError::io("read", &shown, &error))?;
    let engine = Engine::new(Metering::Fuel);
    let engine = engine.map_err(|error| HarnessError::new(format!("failed to set up wasmtime: {error:#}")))?;
    let module = Module::new(&engine, &wasm).map_err(|error| {
        let hint = if wasm.starts_with(b"\0asm") {
            ""
        } else {
            "; a plugin is a compiled module, as a compiler or wat2wasm writes it"
        };
        HarnessError::new(format!("failed to load {shown}: {error}{hint}"))
    })?;
    let headers = headers(args)?;
    let mut attempt = Attempt::new(args.trace);
    let name = args.plugin.file_stem().map_or("plugin".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let config = PluginConfig { name, configuration: configuration(args)?, ..PluginConfig::default() };
    let started = attempt.world.start(Ok(module), config, false);
    attempt.show("the plugin starts");
    if !started {
        return Err(HarnessError::new(format!("{}\n{shown} was not started", attempt.text.trim_end())));
    }
    attempt.exchange(args, headers);
    Ok(attempt.text)
}

struct Attempt {
    world: World,
    trace: Option<Trace>,
    text: String,
    answered: u32,
}

impl Attempt {
    fn new(trace: bool) -> Attempt {
        let mut world = World::of(None);
        let trace = trace.then(Trace::default);
        if let Some(trace) = &trace {
            world.proxy().observe(Box::new(trace.clone()));
        }
        Attempt { world, trace, text: String::new(), answered: 0 }
    }

    fn exchange(&mut self, args: &TryArgs, headers: Fields) {
        let body = args.data.as_deref();
        self.step(
            "the client sends a request",
            &Step::RequestHeaders { stream: 0, headers, end_of_stream: body.is_none() },
        );
        if let Some(body) = body {
            self.step(
                "the client sends the body",
                &Step::RequestBody { stream: 0, body: body.into(), end_of_stream: true },
            );
        }
        self.wait(|event| matches!(event, Event::Upstream { .. } | Event::Client { .. }));
        let status = vec![(Data::from(":status"), Data::from("200")), ("content-type".into(), "text/plain".into())];
        self.step("the upstream answers", &Step::ResponseHeaders { stream: 0, headers: status, end_of_stream: false });
        self.step(
            "the upstream sends the body",
            &Step::ResponseBody { stream: 0, body: ANSWER.into(), end_of_stream: true },
        );
        self.wait(|event| matches!(event, Event::Client { .. }));
        self.step("the plugin is removed", &Step::Shutdown);
    }

    fn step(&mut self, what: &str, step: &Step) {
        self.world.step(step);
        self.world.drain("");
        self.show(what);
    }

    /// Answers the plugin's calls, and lets time pass, until something of that kind was seen.
    fn wait(&mut self, seen: impl Fn(&Event) -> bool) {
        for _ in 0..PATIENCE.0 {
            if self.world.events.iter().any(&seen) {
                return;
            }
            if self.calls() > self.answered {
                let headers = vec![(Data::from(":status"), Data::from("200"))];
                let step =
                    Step::CallResponse { call: self.answered, headers, body: ANSWER.into(), trailers: Fields::new() };
                self.answered += 1;
                self.step("the server of the plugin's call answers", &step);
            } else {
                self.step("time passes", &Step::Advance { milliseconds: PATIENCE.1 });
            }
        }
        let _ = writeln!(self.text, "… the plugin holds the stream for good");
    }

    fn calls(&self) -> u32 {
        self.world.events.iter().filter(|event| matches!(event, Event::HttpCall { .. })).count() as u32
    }

    /// Shows what is new; nothing where nothing is.
    fn show(&mut self, what: &str) {
        let shown = self.world.events.iter().filter(|event| matches!(event, Event::Step { .. })).count();
        let marks =
            self.world.events.iter().rposition(|event| matches!(event, Event::Step { .. })).map_or(0, |mark| mark + 1);
        let mut events: Vec<Event> = match self.trace.take() {
            Some(trace) => {
                let world = &self.world;
                let events = trace.take(|id| world.name(id, "plugin"));
                self.trace = Some(trace);
                events
            }
            None => Vec::new(),
        };
        events.extend(self.world.events[marks..].iter().cloned());
        if !events.is_empty() {
            let _ = write!(self.text, "# {what}\n{}", Transcript { events });
        }
        self.world.events.push(Event::Step { index: shown as u32 });
    }
}

/// The file of that name, or else the text itself, unless that reads as a file's name.
fn configuration(args: &TryArgs) -> Result<Vec<u8>, HarnessError> {
    match &args.config {
        None => Ok(Vec::new()),
        Some(file) if Path::new(file).is_file() => {
            std::fs::read(file).map_err(|error| HarnessError::io("read", file, &error))
        }
        Some(name) if Path::new(name).is_dir() || is_file_name(name) => {
            Err(HarnessError::new(format!("--config {name}: there is no such file; a text of that form goes into one")))
        }
        Some(text) => Ok(text.clone().into_bytes()),
    }
}

/// Whether a text is one word that ends as the names of configuration files do.
fn is_file_name(text: &str) -> bool {
    const ENDS: [&str; 7] = ["json", "yaml", "yml", "toml", "txt", "conf", "bin"];
    let end = Path::new(text).extension().and_then(|end| end.to_str());
    !text.contains(|c: char| c.is_whitespace() || "{}[]\"".contains(c)) && end.is_some_and(|end| ENDS.contains(&end))
}

/// The characters of method and header names.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

fn headers(args: &TryArgs) -> Result<Fields, HarnessError> {
    let method = args.method.as_deref().unwrap_or(if args.data.is_some() { "POST" } else { "GET" });
    if !is_token(method) {
        return Err(HarnessError::new(format!("{method:?} is no method: write one such as `PUT`")));
    }
    if !(args.path.starts_with('/') || args.path == "*")
        || args.path.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err(HarnessError::new(format!(
            "{:?} is no path: write one that begins with `/`, without blanks",
            args.path
        )));
    }
    let pseudo =
        [(":method", method), (":scheme", "http"), (":authority", "example.test"), (":path", args.path.as_str())];
    let mut fields: Fields = pseudo.iter().map(|(name, value)| (Data::from(*name), Data::from(*value))).collect();
    for header in &args.headers {
        let parts = header
            .split_once(':')
            .filter(|(name, value)| is_token(name) && !value.contains(|c: char| c.is_control() && c != '\t'));
        let Some((name, value)) = parts else {
            return Err(HarnessError::new(format!("{header:?} is no header: write `name: value`")));
        };
        let name = name.to_ascii_lowercase();
        match fields.iter_mut().find(|(known, _)| name == "host" && known.0 == b":authority") {
            Some((_, authority)) => *authority = value.trim().into(),
            None => fields.push((Data(name.into_bytes()), value.trim().into())),
        }
    }
    Ok(fields)
}
