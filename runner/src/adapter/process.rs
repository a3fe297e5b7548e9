//! A host behind a program that speaks the adapter protocol. A program that breaks the protocol, hangs or dies costs the
//! case at hand, is started again for the next, and is given up after a few such in a row.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pw_abi::Version;
use pw_cases::probe::{Template, assemble};
use pw_cases::protocol::{Host, PROTOCOL, Plugin, Request, Response, Run};
use pw_cases::scenario::{Guest, Scenario, Step};
use pw_cases::transcript::Transcript;

use crate::adapter::child::{Child, GRACE, KILLED, MOST, Silence};
use crate::adapter::{Adapter, Outcome};
use crate::error::HarnessError;
use crate::record;

/// After so many broken runs in a row the program is not started again.
const PATIENCE: u32 = 3;
/// How long the program gets to stop its host at the end.
const PARTING: Duration = Duration::from_secs(10);

/// A host behind a program.
#[derive(Debug)]
pub struct Process {
    words: Vec<String>,
    timeout: Duration,
    host: Host,
    child: Option<Child>,
    broken: u32,
    last: String,
}

impl Process {
    /// Starts the program, and asks who it is.
    pub fn start(words: Vec<String>, timeout: Duration) -> Result<Process, HarnessError> {
        let (child, host) = greet(&words, timeout)?;
        Ok(Process { words, timeout, host, child: Some(child), broken: 0, last: String::new() })
    }

    /// Has a scenario run.
    fn begin(&mut self, run: Run) -> Result<Outcome, HarnessError> {
        match self.answer(&Request::Run(run))? {
            Response::Ran { events } => Ok(Outcome::Ran(Transcript { events })),
            Response::Skipped { reason } => Ok(Outcome::Skipped(reason)),
            other => Err(unexpected(&self.words, "run", &other)),
        }
    }

    /// The answer to a request, unless the adapter was given up.
    fn answer(&mut self, request: &Request) -> Result<Response, HarnessError> {
        if self.broken == PATIENCE {
            let Process { last, .. } = self;
            return Err(HarnessError::new(format!(
                "not run: the adapter broke {PATIENCE} times in a row, the last time so: {last}"
            )));
        }
        let response = self.ask(request).inspect_err(|error| {
            self.broken += 1;
            self.last = error.to_string();
        })?;
        self.broken = 0;
        Ok(response)
    }

    /// The answer to a request, which may be that the adapter failed; an error is about an adapter that is gone.
    fn ask(&mut self, request: &Request) -> Result<Response, HarnessError> {
        let mut child = match self.child.take() {
            Some(child) => child,
            None => greet(&self.words, self.timeout)?.0,
        };
        match exchange(&mut child, &self.words, request, self.timeout)? {
            response @ Response::Host(_) => Err(unexpected(&self.words, "run", &response)),
            response => {
                self.child = Some(child);
                Ok(response)
            }
        }
    }
}

impl Adapter for Process {
    fn host(&self) -> &Host {
        &self.host
    }

    fn run(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<Outcome, HarnessError> {
        self.begin(message(id, version, scenario)?)
    }

    fn keep(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<Outcome, HarnessError> {
        self.begin(Run { keep: true, ..message(id, version, scenario)? })
    }

    fn more(&mut self, steps: Vec<Step>) -> Result<Transcript, HarnessError> {
        match self.answer(&Request::More { steps })? {
            Response::Ran { events } => Ok(Transcript { events }),
            other => Err(unexpected(&self.words, "more", &other)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.send(json(&Request::Stop));
            child.end(PARTING);
        }
    }
}

/// Starts the program, and asks who it is.
fn greet(words: &[String], timeout: Duration) -> Result<(Child, Host), HarnessError> {
    let mut child = Child::start(words).map_err(|error| HarnessError::io("start the adapter", name(words), &error))?;
    match exchange(&mut child, words, &Request::Start { protocol: PROTOCOL }, timeout)? {
        Response::Host(host) => known(host).map(|host| (child, host)),
        other => Err(unexpected(words, "start", &other)),
    }
}

/// The host, if what it says of itself can be used in file names and is about this ABI.
fn known(host: Host) -> Result<Host, HarnessError> {
    if !record::is_host_name(&host.name) {
        return Err(HarnessError::new(format!(
            "the adapter calls its host {:?}: a name is letters, digits, `-`, `_` and `.`",
            host.name
        )));
    }
    match host.abi.iter().find(|name| Version::parse(name).is_none_or(|version| version.name() != *name)) {
        Some(unknown) => {
            let names: Vec<&str> = Version::ALL.into_iter().map(Version::name).collect();
            let names = names.join(", ");
            Err(HarnessError::new(format!("the adapter says that its host has ABI {unknown:?}: there are {names}")))
        }
        None => Ok(host),
    }
}

/// Sends a request and reads the answer. After an error the child is gone.
fn exchange(
    child: &mut Child,
    words: &[String],
    request: &Request,
    timeout: Duration,
) -> Result<Response, HarnessError> {
    let name = name(words);
    let broken = |what: String| HarnessError::new(format!("the adapter {name} {what}"));
    if let Some(line) = child.waiting_line() {
        return Err(broken(format!("wrote a line that nobody had asked for: {}", excerpt(&line))));
    }
    child.send(json(request));
    let line = child.line(timeout).map_err(|silence| broken(silent(child, silence, timeout)))?;
    read(&line).map_err(|what| broken(format!("wrote {what}{}", last_words(child))))
}

/// Reads a line of an adapter's, without its end; an error says in one line what it is instead.
pub fn read(line: &[u8]) -> Result<Response, String> {
    serde_json::from_slice(line).map_err(|error| {
        let what = if error.is_data() { "no message of the protocol" } else { "no JSON" };
        let error = error.to_string().replace(char::is_control, "\u{fffd}");
        format!("{what} ({error}): {}", excerpt(line))
    })
}

fn silent(child: &mut Child, silence: Silence, timeout: Duration) -> String {
    match silence {
        Silence::TooLong(unfinished) => {
            child.kill();
            let half = if unfinished.is_empty() { String::new() } else { half(&unfinished) };
            let seconds = timeout.as_secs();
            format!("hung: no answer in {seconds} s (--timeout), so it was killed{half}{}", last_words(child))
        }
        Silence::Ended(unfinished) => {
            let how = match child.end(GRACE) {
                how if how == KILLED => "closed its standard output and lived on, so it was killed".to_owned(),
                how => format!("died: {how}"),
            };
            let half = if unfinished.is_empty() { String::new() } else { half(&unfinished) };
            format!("{how}{half}{}", last_words(child))
        }
        Silence::TooMuch => {
            child.kill();
            format!("wrote a line of more than {MOST} MiB, so it was killed{}", last_words(child))
        }
    }
}

fn half(unfinished: &[u8]) -> String {
    format!("; it had written half a line: {}", excerpt(unfinished))
}

fn last_words(child: &Child) -> String {
    match child.last_words() {
        words if words.is_empty() => String::new(),
        words => format!("\nits standard error ends with:\n  {}", words.replace('\n', "\n  ")),
    }
}

fn unexpected(words: &[String], request: &str, response: &Response) -> HarnessError {
    let kind = match response {
        Response::Errored { context } => {
            return HarnessError::new(format!("the adapter {} failed: {context}", name(words)));
        }
        Response::Host(_) => "host",
        Response::Ran { .. } => "ran",
        Response::Skipped { .. } => "skipped",
    };
    HarnessError::new(format!("the adapter {} answered `{request}` with a message of type `{kind}`", name(words)))
}

fn message(id: &str, version: Version, scenario: &Scenario) -> Result<Run, HarnessError> {
    let plugin = |plugin: &pw_cases::scenario::Plugin| {
        let wasm = match &plugin.guest {
            Guest::Module(bytes) => bytes.clone(),
            Guest::Probe(script) => assemble(&Template::smallest(script).wat(&script.bytes()))
                .map_err(|error| HarnessError::new(format!("failed to assemble the probe: {error}")))?,
        };
        Ok(Plugin {
            name: plugin.name.clone(),
            vm_id: plugin.vm_id.clone(),
            vm_configuration: plugin.vm_configuration.clone(),
            configuration: plugin.configuration.clone(),
            background: plugin.background,
            standby: plugin.standby,
            log_only: plugin.log_only,
            limits: plugin.limits.clone(),
            failure: plugin.failure,
            capabilities: plugin.capabilities.clone(),
            environment: plugin.environment.clone(),
            wasm: STANDARD.encode(wasm),
        })
    };
    Ok(Run {
        id: id.to_owned(),
        abi: version.name().to_owned(),
        plugins: scenario.plugins.iter().map(plugin).collect::<Result<_, HarnessError>>()?,
        steps: scenario.steps.clone(),
        hazard: scenario.hazard,
        keep: false,
    })
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
    fn what_is_no_message_is_told_in_one_line() {
        let told = read(b"{\"type\":\"ra\\n\\u001b[2Jn\"}");
        assert!(told.as_ref().is_err_and(|told| told.contains("`ra\u{fffd}\u{fffd}[2Jn`")), "{told:?}");
    }
}
