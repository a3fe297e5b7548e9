//! The reference host, in process.

use pw_abi::Version;
use pw_cases::adapter::{Adapter, Outcome, Sink};
use pw_cases::protocol::{Feature, Host, PROTOCOL};
use pw_cases::scenario::{Scenario, Step};
use pw_cases::transcript::{Event, Transcript};
use pw_host::Choices;

use crate::live::Live;
use crate::reference::Reference;
use crate::world::World;

/// Runs scenarios on the reference host.
pub struct InProcess {
    host: Host,
    reference: Reference,
    /// The world that is kept for more steps.
    kept: Option<World>,
}

impl InProcess {
    /// A host with nothing in it.
    pub fn new() -> Result<InProcess, String> {
        InProcess::with_choices(Choices::default())
    }

    /// A host with these answers to open questions, which its version names where they are not the usual ones.
    pub fn with_choices(choices: Choices) -> Result<InProcess, String> {
        Ok(InProcess::of(Reference::new()?, choices))
    }

    /// This host, with these answers to open questions.
    pub fn of(reference: Reference, choices: Choices) -> InProcess {
        let reference = reference.with_choices(choices);
        let version = env!("CARGO_PKG_VERSION");
        let version = if choices == Choices::default() { version.to_owned() } else { format!("{version} {choices}") };
        let host = Host {
            protocol: PROTOCOL,
            name: "reference".to_owned(),
            version,
            abi: Version::ALL.iter().map(|version| version.name().to_owned()).collect(),
            features: Feature::ALL.to_vec(),
            in_process: true,
        };
        InProcess { host, reference, kept: None }
    }
}

impl Adapter for InProcess {
    fn host(&self) -> &Host {
        &self.host
    }

    fn run(&mut self, _id: &str, _version: Version, scenario: &Scenario) -> Result<Outcome, String> {
        self.reference.run(scenario).map(Outcome::Ran)
    }

    fn trace(&mut self, _id: &str, _version: Version, scenario: &Scenario, seen: &Sink) -> Result<Outcome, String> {
        let mut world = self.reference.world(scenario)?;
        let live = Live::new(seen.clone());
        world.proxy().observe(Box::new(live.clone()));
        let mut started = true;
        for plugin in &scenario.plugins {
            live.starts(&plugin.settings.name);
            started = started && self.reference.launch(&mut world, plugin)?;
            live.know(world.names());
        }
        let steps = if started { scenario.steps.as_slice() } else { &[] };
        for (index, step) in steps.iter().enumerate() {
            seen(&Event::Step { index: index as u32 });
            world.run_one(index, step);
            live.know(world.names());
        }
        Ok(Outcome::Ran(Transcript { events: world.take_events()? }))
    }

    fn keep(&mut self, _id: &str, _version: Version, scenario: &Scenario) -> Result<Outcome, String> {
        let mut world = self.reference.world(scenario)?;
        if self.reference.start(&mut world, scenario)? {
            world.run(&scenario.steps);
        }
        let events = world.take_events()?;
        self.kept = Some(world);
        Ok(Outcome::Ran(Transcript { events }))
    }

    fn more(&mut self, steps: Vec<Step>) -> Result<Transcript, String> {
        let world = self.kept.as_mut().ok_or_else(|| "there is no scenario to continue".to_owned())?;
        world.run(&steps);
        Ok(Transcript { events: world.take_events()? })
    }
}
