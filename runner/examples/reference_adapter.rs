//! An adapter of the reference host for tests: `reference_adapter MODE`. `honest` reports what that did,
//! `forgets` leaves out what the upstream got, `dies` says at every hundredth request that the host has crashed, `aborts` crashes at
//! a case whose id has `abort` in it, and `lacks FUNCTION` refuses plugins that import the function. These can do all that it
//! can: `unimplemented` answers that to every
//! call, `has_nothing` has nothing of what was set, `hangs` does so once a plugin has crashed, and `twice` sends each request twice.

use std::io::{stdin, stdout};

use pw_abi::Version;
use pw_cases::adapter::{Adapter, Outcome, Sink};
use pw_cases::protocol::{Feature, Host};
use pw_cases::scenario::{Scenario, Step};
use pw_cases::serve::serve;
use pw_cases::transcript::{Event, Part, Transcript};
use pw_reference::InProcess;

struct Elsewhere {
    mode: String,
    function: String,
    host: Host,
    reference: InProcess,
    requests: u32,
}

fn main() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let (mode, function) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let reference = InProcess::new()?;
    let host = Host {
        name: "reference-elsewhere".to_owned(),
        version: "1.0".to_owned(),
        abi: vec!["0.2.1".to_owned()],
        features: match mode.as_str() {
            "unimplemented" | "has_nothing" | "hangs" | "twice" => reference.host().features.clone(),
            _ => vec![Feature::Http, Feature::HttpCalls, Feature::Grpc, Feature::Keep],
        },
        in_process: mode == "aborts",
        ..reference.host().clone()
    };
    let mut adapter = Elsewhere { mode, function, host, reference, requests: 0 };
    serve(&mut adapter, stdin().lock(), stdout()).map_err(|error| error.to_string())
}

const OK: &str = "00000000";
const NOT_FOUND: &str = "00000001";
const UNIMPLEMENTED: &str = "0000000c";

/// Puts another status into the report of a call, by whether the call returned bytes.
fn answer(event: &mut Event, status: impl Fn(bool) -> &'static str) {
    let Event::Log { message, .. } = event else { return };
    let Some(text) = message.as_str() else { return };
    let mut fields: Vec<&str> = text.split(' ').collect();
    let ["pw", _, "a", _, OK, ..] = fields[..] else { return };
    let returns = fields.iter().skip(5).any(|field| field.starts_with('x'));
    fields[4] = status(returns);
    *message = fields.join(" ").as_str().into();
}

/// The head of a message to the upstream comes twice.
fn twice(event: Event) -> Vec<Event> {
    match &event {
        Event::Upstream { part: Part::Headers { .. }, .. } => vec![event.clone(), event],
        _ => vec![event],
    }
}

impl Elsewhere {
    fn lacks(&self, scenario: &Scenario) -> Option<Event> {
        if self.mode != "lacks" {
            return None;
        }
        let imports = |wasm: Vec<u8>| wasm.windows(self.function.len()).any(|name| name == self.function.as_bytes());
        let refused = scenario.plugins.iter().find(|plugin| plugin.guest.wasm().is_ok_and(imports))?;
        let plugin = refused.settings.name.clone();
        Some(Event::Refused { plugin, reason: format!("missing import {}", self.function) })
    }

    /// A black box is seen by its log and its sockets.
    fn black_box(&self, transcript: Transcript) -> Transcript {
        let mut events = transcript.events;
        events.retain(|event| !matches!(event, Event::Callback { .. } | Event::Returned { .. } | Event::Call { .. }));
        match self.mode.as_str() {
            "forgets" => events.retain(|event| !matches!(event, Event::Upstream { .. })),
            "unimplemented" => events.iter_mut().for_each(|event| answer(event, |_| UNIMPLEMENTED)),
            "has_nothing" => {
                events.iter_mut().for_each(|event| answer(event, |returns| if returns { NOT_FOUND } else { OK }));
            }
            "hangs" => {
                let mut hangs = false;
                events.retain(|event| {
                    hangs |= matches!(event, Event::Fault { .. });
                    !hangs || matches!(event, Event::Step { .. } | Event::Fault { .. })
                });
            }
            "twice" => events = events.into_iter().flat_map(twice).collect(),
            _ => {}
        }
        Transcript { events }
    }

    fn outcome(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Ran(transcript) => Outcome::Ran(self.black_box(transcript)),
            skipped @ Outcome::Skipped(_) => skipped,
        }
    }
}

impl Adapter for Elsewhere {
    fn host(&self) -> &Host {
        &self.host
    }

    fn run(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<Outcome, String> {
        if self.mode == "aborts" && id.contains("abort") {
            std::process::abort();
        }
        if let Some(refused) = self.lacks(scenario) {
            return Ok(Outcome::Ran(Transcript { events: vec![refused] }));
        }
        let outcome = self.reference.run(id, version, scenario)?;
        Ok(self.outcome(outcome))
    }

    fn trace(&mut self, id: &str, version: Version, scenario: &Scenario, seen: &Sink) -> Result<Outcome, String> {
        let outcome = self.reference.trace(id, version, scenario, seen)?;
        if self.mode == "aborts" && id.contains("abort") {
            std::process::abort();
        }
        Ok(self.outcome(outcome))
    }

    fn keep(&mut self, id: &str, version: Version, scenario: &Scenario) -> Result<Outcome, String> {
        let outcome = self.reference.keep(id, version, scenario)?;
        Ok(self.outcome(outcome))
    }

    fn more(&mut self, steps: Vec<Step>) -> Result<Transcript, String> {
        self.requests += 1;
        let transcript = self.reference.more(steps)?;
        let mut transcript = self.black_box(transcript);
        if self.mode == "dies" && self.requests.is_multiple_of(100) {
            transcript.events.push(Event::Died { how: "boredom".into() });
        }
        Ok(transcript)
    }
}
