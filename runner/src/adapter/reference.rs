//! The reference host, in process.

use pw_abi::Version;
use pw_cases::protocol::{Capability, Host};
use pw_cases::scenario::{Scenario, Step};
use pw_cases::transcript::Transcript;
use pw_reference::World;

use crate::adapter::{Adapter, Outcome};
use crate::error::HarnessError;

/// Runs scenarios on the reference host.
pub struct Reference {
    host: Host,
    reference: pw_reference::Reference,
    /// What goes on.
    kept: Option<World>,
}

impl Reference {
    /// A host with nothing in it.
    pub fn new() -> Result<Reference, HarnessError> {
        let reference = pw_reference::Reference::new().map_err(HarnessError::new)?;
        let host = Host {
            name: "reference".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            abi: Version::ALL.iter().map(|version| version.name().to_owned()).collect(),
            capabilities: vec![
                Capability::Http,
                Capability::Tcp,
                Capability::ConcurrentStreams,
                Capability::Chains,
                Capability::HttpCalls,
                Capability::Grpc,
                Capability::ForeignCalls,
                Capability::Metrics,
                Capability::Background,
                Capability::Failure,
                Capability::Limits,
                Capability::Capabilities,
                Capability::Reconfigure,
                Capability::Replace,
                Capability::Canary,
                Capability::LogOnly,
                Capability::SharedVms,
                Capability::Time,
                Capability::Environment,
                Capability::Faults,
                Capability::MixedCaseHeaders,
                Capability::Shutdown,
                Capability::Keep,
            ],
        };
        Ok(Reference { host, reference, kept: None })
    }
}

impl Adapter for Reference {
    fn host(&self) -> &Host {
        &self.host
    }

    fn run(&mut self, _id: &str, _version: Version, scenario: &Scenario) -> Result<Outcome, HarnessError> {
        self.reference.run(scenario).map(Outcome::Ran).map_err(HarnessError::new)
    }

    fn keep(&mut self, _id: &str, _version: Version, scenario: &Scenario) -> Result<Outcome, HarnessError> {
        let mut world = World::new();
        if self.reference.start(&mut world, scenario).map_err(HarnessError::new)? {
            world.run(&scenario.steps);
        }
        let events = world.take_events().map_err(HarnessError::new)?;
        self.kept = Some(world);
        Ok(Outcome::Ran(Transcript { events }))
    }

    fn more(&mut self, steps: Vec<Step>) -> Result<Transcript, HarnessError> {
        let world = self.kept.as_mut().ok_or_else(|| HarnessError::new("there is no scenario that goes on"))?;
        world.run(&steps);
        Ok(Transcript { events: world.take_events().map_err(HarnessError::new)? })
    }
}
