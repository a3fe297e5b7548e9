//! Scenarios one after the other into one running host: each is numbered on from the last, and what comes back is numbered
//! as if it had been alone.

use pw_abi::Version;
use pw_cases::data::Data;
use pw_cases::probe::{Template, assemble};
use pw_cases::report::{decode, taken};
use pw_cases::scenario::{Guest, Plugin, Scenario, Step};
use pw_cases::transcript::{Event, GrpcPart, Transcript};

/// How far the numbers of a running host have come.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    streams: u32,
    calls: u32,
    grpc: u32,
    scripts: u32,
}

/// The scenario without steps that the others are streamed into: their plugin, with a probe that takes scripts.
pub fn base(scenario: &Scenario, version: Version) -> Result<Scenario, String> {
    let plugin = scenario.plugins.first().ok_or("there is no plugin")?;
    let wasm = assemble(&Template::streamed(version).wat(&[])).map_err(|error| error.to_string())?;
    let plugin = Plugin { guest: Guest::Module(wasm), ..plugin.clone() };
    Ok(Scenario { plugins: vec![plugin], ..Scenario::default() })
}

impl Stream {
    /// The steps of a scenario with one stream, whose request brings the script; none if that is too long.
    pub fn steps(&mut self, scenario: &Scenario) -> Option<Vec<Step>> {
        let Guest::Probe(script) = &scenario.plugins.first()?.guest else { return None };
        self.scripts += 1;
        let (name, text) = script.header(self.scripts)?;
        let mut steps = scenario.steps.clone();
        for step in &mut steps {
            if let Step::RequestHeaders { headers, .. } = step {
                headers.push((name.clone(), text.clone()));
            }
            self.renumber(step);
        }
        Some(steps)
    }

    fn renumber(&self, step: &mut Step) {
        if let Some(stream) = step.stream_mut() {
            *stream += self.streams;
        }
        match step {
            Step::CallResponse { call, .. } | Step::CallReset { call } => *call += self.calls,
            Step::GrpcInitialMetadata { call, .. }
            | Step::GrpcMessage { call, .. }
            | Step::GrpcClose { call, .. }
            | Step::GrpcReset { call } => *call += self.grpc,
            _ => {}
        }
    }

    /// What was seen of the scenario of the latest [`Stream::steps`], its reports read; none if it is of another, since its
    /// script was not taken.
    pub fn seen(&mut self, transcript: Transcript, scenario: &Scenario) -> Option<Transcript> {
        let mark = |event: &Event| matches!(event, Event::Log { message, .. } if self.is_mark(message));
        let begun = transcript.events.iter().any(mark);
        let (streams, calls, grpc) = (self.streams, self.calls, self.grpc);
        self.streams += 1;
        let mut events = Vec::new();
        for event in transcript.events {
            if self.is_own(&event, (streams, calls, grpc)) {
                events.push(event);
            }
        }
        begun.then(|| decode(Transcript { events }, scenario))
    }

    fn is_mark(&self, message: &Data) -> bool {
        taken(message) == Some(self.scripts)
    }

    /// Counts calls, and leaves out marks and what is left of earlier scenarios.
    fn is_own(&mut self, event: &Event, (streams, calls, grpc): (u32, u32, u32)) -> bool {
        match event {
            Event::Upstream { stream, .. } | Event::Client { stream, .. } => *stream >= streams,
            Event::HttpCall { call, .. } => {
                self.calls = call + 1;
                *call >= calls
            }
            Event::Grpc { call, part } => {
                self.grpc += u32::from(matches!(part, GrpcPart::Opened { .. }));
                *call >= grpc
            }
            Event::Log { message, .. } => taken(message).is_none(),
            _ => true,
        }
    }
}
