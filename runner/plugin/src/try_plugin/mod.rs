//! The command `try`: one request through a plugin, or a chain of them, on the reference host.

mod args;
mod cache;
mod chain;
mod load;
mod request;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use pw_cases::data::{Data, Fields};
use pw_cases::files;
use pw_cases::scenario::Step;
use pw_cases::transcript::{Event, Transcript};
use pw_harness::console::Console;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_host::{Choices, Engine, Limits, Module, PluginConfig};
use pw_reference::{Trace, World};

pub use self::args::TryArgs;
use self::load::{engine, limits, load};

/// What the canned upstream answers.
const ANSWER: &str = "hello from the upstream\n";

/// How much time passes at most for a plugin that waits: steps, and the milliseconds of each.
const MAX_WAIT_STEPS: u32 = 100;
const WAIT_STEP_MS: u64 = 100;

/// What wasmtime says of a plugin that has used up its fuel, and what there is to do.
const OUT_OF_FUEL: &str = "all fuel consumed";
const MORE_FUEL: &str = "# a callback burned all of its fuel: `--fuel N` grants it more\n";

/// Sends the request, and prints what the upstream saw, what the client got, what was logged, and what was called. A plugin
/// that does not start, or faults, is [`Exit::Failed`].
///
/// # Errors
///
/// A flag or a file is wrong, or a module cannot be loaded.
pub fn run(args: &TryArgs, console: &Console) -> Result<Exit, HarnessError> {
    let engine = engine(args.no_cache)?;
    let limits = limits(args.fuel);
    let mut attempt = Attempt::new(args.trace, args.choices.choices()?);
    let headers = match (args.wasm_plugins.as_slice(), &args.plugin, &args.path) {
        ([], Some(plugin), path) => {
            let module = load(&engine, plugin)?;
            let headers = request::headers(args, path.as_deref())?;
            let name = plugin.file_stem().map_or("plugin".to_owned(), |stem| stem.to_string_lossy().into_owned());
            let config = PluginConfig { name, configuration: configuration(args)?, limits, ..PluginConfig::default() };
            if !attempt.start("the plugin starts", module, config) {
                return Ok(attempt.not_started(&plugin.display().to_string(), console));
            }
            headers
        }
        ([], None, _) => {
            return Err(HarnessError::new("which plugin? name its module, or a resource by --wasm-plugin"));
        }
        (_, Some(plugin), Some(_)) => {
            let message = format!("{}: with --wasm-plugin the resources name the modules", plugin.display());
            return Err(HarnessError::new(message));
        }
        // The one word that is there is the path.
        (files, path, _) => {
            let path = path.as_ref().map(|path| path.to_string_lossy());
            let headers = request::headers(args, path.as_deref())?;
            if let Some(stopped) = attempt.start_chain(&engine, limits, files, request::port(&headers))? {
                return Ok(attempt.not_started(&format!("{stopped} is not FAIL_OPEN, and"), console));
            }
            headers
        }
    };
    attempt.exchange(args, headers);
    console.print(&attempt.report());
    let faults = attempt.faults();
    if faults == 0 {
        return Ok(Exit::Passed);
    }
    console.status(&match faults {
        1 => "a plugin faulted".to_owned(),
        _ => format!("plugins faulted {faults} times"),
    });
    Ok(Exit::Failed)
}

struct Attempt {
    world: World,
    trace: Option<Trace>,
    text: String,
    answered: u32,
    /// It was said that something is left out.
    cut: bool,
}

impl Attempt {
    fn new(trace: bool, choices: Choices) -> Attempt {
        let mut world = World::of(None, choices);
        let trace = trace.then(Trace::default);
        if let Some(trace) = &trace {
            world.proxy().observe(Box::new(trace.clone()));
        }
        Attempt { world, trace, text: String::new(), answered: 0, cut: false }
    }

    /// Starts a plugin, which is the last of the chain then; false if it does not start.
    fn start(&mut self, what: &str, module: Module, config: PluginConfig) -> bool {
        let started = self.world.start(Ok(module), config, false);
        self.show(what);
        started
    }

    /// The text, and what to do about it.
    fn report(&self) -> String {
        let hint = if self.text.contains(OUT_OF_FUEL) { MORE_FUEL } else { "" };
        format!("{}{hint}", self.text)
    }

    /// Prints what was seen until a plugin did not start.
    fn not_started(&self, what: &str, console: &Console) -> Exit {
        console.print(&self.report());
        console.status(&format!("{what} was not started"));
        Exit::Failed
    }

    fn faults(&self) -> usize {
        self.world.events.iter().filter(|event| matches!(event, Event::Fault { .. })).count()
    }

    /// Starts the plugins that the resources put on the stream, and returns the name of the one that ends it: one that does
    /// not start, and does not fail open.
    fn start_chain(
        &mut self,
        engine: &Engine,
        limits: Limits,
        files: &[PathBuf],
        port: u16,
    ) -> Result<Option<String>, HarnessError> {
        let chain = chain::read(files, port)?;
        self.text.push_str(&chain.listing());
        for (module, config) in chain.load(engine)? {
            let (name, open) = (config.name.clone(), config.failure.open);
            let config = PluginConfig { limits, ..config };
            if self.start(&format!("{name} starts"), module, config) {
                continue;
            }
            if !open {
                return Ok(Some(name));
            }
            let _ = writeln!(self.text, "{name} is FAIL_OPEN: the chain continues without it");
        }
        Ok(None)
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
        self.step("all is removed", &Step::Shutdown);
    }

    fn step(&mut self, what: &str, step: &Step) {
        self.world.step(step);
        self.world.drain("");
        self.show(what);
    }

    /// Answers the plugin's calls, and lets time pass, until something of that kind was seen.
    fn wait(&mut self, seen: impl Fn(&Event) -> bool) {
        for _ in 0..MAX_WAIT_STEPS {
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
                self.step("time passes", &Step::Advance { milliseconds: WAIT_STEP_MS });
            }
        }
        let _ = writeln!(self.text, "… the stream stays paused");
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
        if self.world.is_full() && !self.cut {
            self.cut = true;
            self.text += "# the plugin sends and logs more than 256 MiB: the rest is left out\n";
        }
        self.world.events.push(Event::Step { index: shown as u32 });
    }
}

/// The file of that name, or else the text itself, unless that reads as a file's name.
fn configuration(args: &TryArgs) -> Result<Vec<u8>, HarnessError> {
    match &args.config {
        None => Ok(Vec::new()),
        Some(file) if Path::new(file).is_file() => {
            files::read(Path::new(file), files::TEXT).map_err(|error| HarnessError::io("read", file, &error))
        }
        Some(name) if Path::new(name).is_dir() => {
            Err(HarnessError::new(format!("--config {name}: it is a folder: name a file in it")))
        }
        Some(name) if is_file_name(name) => Err(HarnessError::new(format!(
            "--config {name}: there is no such file; if this is the configuration itself, write it into a file and name that"
        ))),
        Some(text) => Ok(text.clone().into_bytes()),
    }
}

/// Whether a text is one word that ends as the names of configuration files do.
fn is_file_name(text: &str) -> bool {
    const ENDS: [&str; 7] = ["json", "yaml", "yml", "toml", "txt", "conf", "bin"];
    let end = Path::new(text).extension().and_then(|end| end.to_str());
    !text.contains(|c: char| c.is_whitespace() || "{}[]\"".contains(c)) && end.is_some_and(|end| ENDS.contains(&end))
}
