//! One adapter with one running host: scenario after scenario.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use pw_cases::report::decode;
use pw_cases::scenario::Scenario;
use pw_cases::transcript::{Event, Transcript};
use pw_fuzz::against::{Difference, Stream, base, compare};
use pw_reference::Reference;

use super::campaign::Campaign;
use super::examine::Suspect;
use pw_cases::adapter::{Adapter, Outcome};
use pw_harness::error::HarnessError;

/// The number of scenarios in a row without a result after which the campaign ends.
const MAX_LOST: u32 = 50;

pub(super) struct Worker {
    campaign: Arc<Campaign>,
    suspects: Sender<Suspect>,
    /// The number of the next scenario, and the distance to the one after it.
    next: u64,
    step: u64,
    /// The running host, and the numbers that it has reached.
    stream: Option<Stream>,
    lost: u32,
    last: Option<Last>,
}

/// The scenario before.
struct Last {
    number: u64,
    scenario: Scenario,
    expected: Transcript,
    seen: Transcript,
}

impl Worker {
    pub(super) fn new(campaign: Arc<Campaign>, suspects: Sender<Suspect>, first: u64, step: u64) -> Worker {
        Worker { campaign, suspects, next: first, step, stream: None, lost: 0, last: None }
    }

    /// Runs scenarios until the time is over.
    pub(super) fn run(mut self) -> Result<(), HarnessError> {
        let mut adapter = self.campaign.connection.open()?;
        let reference = Reference::new()?;
        while self.campaign.is_due() {
            let number = self.next;
            self.next += self.step;
            let Some(scenario) = self.campaign.scenario(number) else { continue };
            self.one(number, &scenario, adapter.as_mut(), &reference)?;
        }
        Ok(())
    }

    fn one(
        &mut self,
        number: u64,
        scenario: &Scenario,
        adapter: &mut dyn Adapter,
        reference: &Reference,
    ) -> Result<(), HarnessError> {
        if self.stream.is_none() {
            self.start(scenario, adapter)?;
        }
        let Some(steps) = self.stream.as_mut().and_then(|stream| stream.steps(scenario)) else { return Ok(()) };
        let transcript = adapter.more(steps)?;
        let death = transcript.events.iter().find(|event| matches!(event, Event::Died { .. })).cloned();
        let faulted = transcript.events.iter().any(|event| matches!(event, Event::Fault { .. }));
        let seen = self.stream.as_mut().and_then(|stream| stream.seen(transcript, scenario));
        if death.is_some() || faulted || seen.is_none() {
            self.stream = None;
        }
        self.campaign.tally().ran(death.is_some(), faulted);
        let last = self.last.take();
        let Some(seen) = seen else { return self.lost(last, death) };
        self.lost = 0;
        let expected = decode(reference.run(scenario)?, scenario);
        let found = compare(&expected, &seen, self.campaign.version, &self.campaign.host);
        self.campaign.tally().calls += calls(&seen);
        self.report(number, scenario, &found);
        self.last = Some(Last { number, scenario: scenario.clone(), expected, seen });
        Ok(())
    }

    /// A scenario has no result.
    fn lost(&mut self, last: Option<Last>, death: Option<Event>) -> Result<(), HarnessError> {
        self.lost += 1;
        match (death, last) {
            (Some(death), Some(last)) => self.crashed_afterwards(last, death),
            _ if self.lost == MAX_LOST => {
                return Err(HarnessError::new("the host does not read scripts: its plugin reports nothing"));
            }
            _ => self.campaign.tally().lost += 1,
        }
        Ok(())
    }

    /// The host crashed before it read another script, so the scenario before it was the cause.
    fn crashed_afterwards(&self, Last { number, scenario, expected, mut seen }: Last, death: Event) {
        seen.events.push(death);
        let found = compare(&expected, &seen, self.campaign.version, &self.campaign.host);
        let crashes: Vec<Difference> = found.into_iter().filter(Difference::is_crash).collect();
        self.report(number, &scenario, &crashes);
    }

    /// Counts differences, and passes on what is new.
    fn report(&self, number: u64, scenario: &Scenario, found: &[Difference]) {
        let suspects = self.campaign.tally().add(number, found, &self.campaign.failures, self.campaign.version);
        for difference in suspects {
            let suspect = Suspect { number, scenario: scenario.clone(), difference };
            // The receiver is gone when the campaign has failed.
            let _ = self.suspects.send(suspect);
        }
    }

    /// Starts the plugin that reads the scripts.
    fn start(&mut self, scenario: &Scenario, adapter: &mut dyn Adapter) -> Result<(), HarnessError> {
        let base = base(scenario, self.campaign.version)?;
        match adapter.keep("fuzz", self.campaign.version, &base)? {
            Outcome::Ran(transcript) => {
                let refused = transcript
                    .events
                    .iter()
                    .find(|event| matches!(event, Event::Refused { .. } | Event::Died { .. } | Event::Fault { .. }));
                if let Some(refused) = refused {
                    return Err(HarnessError::new(format!("the host does not start the probe: {refused}")));
                }
                self.stream = Some(Stream::default());
                Ok(())
            }
            Outcome::Skipped(reason) => Err(HarnessError::new(format!("the host runs no scenarios: {reason}"))),
        }
    }
}

fn calls(transcript: &Transcript) -> u64 {
    transcript.events.iter().filter(|event| matches!(event, Event::Call { .. })).count() as u64
}
