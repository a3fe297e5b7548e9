//! An adapter for tests, with the reference host behind it: `reference_adapter MODE`. `honest` tells what that did,
//! `forgets` leaves out what the upstream got, and `dies` says of every hundredth request that the host has died.

use std::io::{BufRead, Write, stdin, stdout};

use base64::{Engine, engine::general_purpose::STANDARD};
use pw_cases::protocol::{Feature, Host, Request, Response, Run};
use pw_cases::scenario::{Guest, Plugin, Scenario, Step};
use pw_cases::transcript::Event;
use pw_reference::{Reference, World};

struct Adapter {
    mode: String,
    reference: Reference,
    kept: World,
    requests: u32,
}

fn main() -> Result<(), String> {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let mut adapter = Adapter { mode, reference: Reference::new()?, kept: World::new(), requests: 0 };
    for line in stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let response = match serde_json::from_str(&line).map_err(|error| error.to_string())? {
            Request::Start { .. } => Response::Host(Host {
                name: "reference-elsewhere".into(),
                version: "1.0".into(),
                abi: vec!["0.2.1".into()],
                capabilities: vec![Feature::Http, Feature::HttpCalls, Feature::Grpc, Feature::Keep],
            }),
            Request::Run(run) => adapter.run(run)?,
            Request::More { steps } => adapter.more(&steps),
            Request::Stop => break,
        };
        let text = serde_json::to_string(&response).map_err(|error| error.to_string())?;
        let mut out = stdout();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

impl Adapter {
    fn run(&mut self, run: Run) -> Result<Response, String> {
        let plugins = run.plugins.into_iter().map(|plugin| {
            let wasm = STANDARD.decode(&plugin.wasm).map_err(|error| error.to_string())?;
            Ok(Plugin {
                name: plugin.name,
                vm_id: plugin.vm_id,
                vm_configuration: plugin.vm_configuration,
                configuration: plugin.configuration,
                background: plugin.background,
                standby: plugin.standby,
                log_only: plugin.log_only,
                limits: plugin.limits,
                failure: plugin.failure,
                capabilities: plugin.capabilities,
                environment: plugin.environment,
                guest: Guest::Module(wasm),
            })
        });
        let scenario =
            Scenario { plugins: plugins.collect::<Result<_, String>>()?, steps: run.steps, hazard: run.hazard };
        self.kept = World::new();
        if self.reference.start(&mut self.kept, &scenario)? {
            self.kept.run(&scenario.steps);
        }
        Ok(self.told())
    }

    fn more(&mut self, steps: &[Step]) -> Response {
        self.requests += 1;
        self.kept.run(steps);
        if self.mode == "dies" && self.requests.is_multiple_of(100) {
            self.kept.events.push(Event::Died { how: "boredom".into() });
        }
        self.told()
    }

    fn told(&mut self) -> Response {
        let mut events = std::mem::take(&mut self.kept.events);
        // A black box is seen by its log and its sockets.
        events.retain(|event| !matches!(event, Event::Callback { .. } | Event::Returned { .. } | Event::Call { .. }));
        if self.mode == "forgets" {
            events.retain(|event| !matches!(event, Event::Upstream { .. }));
        }
        Response::Ran { events }
    }
}
