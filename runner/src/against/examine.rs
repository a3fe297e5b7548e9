//! New differences are run again, each in a new host, made small, and written to files.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use pw_cases::report::decode;
use pw_cases::scenario::Scenario;
use pw_fuzz::against::{Difference, Key, case, compare};
use pw_fuzz::shrink::{Reduce, shrink};
use pw_reference::Reference;

use super::campaign::Campaign;
use super::tally::Kept;
use pw_cases::adapter::{Adapter, Outcome};
use pw_harness::error::HarnessError;

/// The number of smaller scenarios that are tried.
const MAX_TRIES: u32 = 60;
/// The time for which new differences are run again after the campaign.
const EXAMINE_TIMEOUT: Duration = Duration::from_secs(90);

/// A scenario that shows something new.
pub(super) struct Suspect {
    pub(super) number: u64,
    pub(super) scenario: Scenario,
    pub(super) difference: Difference,
}

pub(super) struct Examiner {
    campaign: Arc<Campaign>,
    suspects: Receiver<Suspect>,
    out: PathBuf,
}

impl Examiner {
    pub(super) fn new(campaign: Arc<Campaign>, suspects: Receiver<Suspect>, out: PathBuf) -> Examiner {
        Examiner { campaign, suspects, out }
    }

    /// Runs suspects again until there are no more, or until the time for that is over.
    pub(super) fn run(self) -> Result<(), HarnessError> {
        let mut adapter = self.campaign.connection.open()?;
        let reference = Reference::new()?;
        while let Ok(suspect) = self.suspects.recv() {
            let late = Instant::now() > self.campaign.until + EXAMINE_TIMEOUT;
            if !late && self.campaign.tally().wants(&suspect.difference.key()) {
                self.examine(suspect, adapter.as_mut(), &reference)?;
            }
        }
        Ok(())
    }

    fn examine(&self, suspect: Suspect, adapter: &mut dyn Adapter, reference: &Reference) -> Result<(), HarnessError> {
        let Suspect { number, mut scenario, difference } = suspect;
        scenario.hazard = difference.is_crash();
        let key = difference.key();
        // A host may crash a little earlier or later.
        let is_it = |found: &Difference| found.key() == key || difference.is_crash() && found.is_crash();
        let mut differences = |scenario: &Scenario| self.differences(scenario, adapter, reference);
        if !differences(&scenario)?.iter().any(is_it) {
            let only = vec!["other scenarios, in one host: alone it shows nothing".to_owned()];
            return if difference.is_crash() {
                self.keep(number, &scenario, (&key, &difference), only, reference)
            } else {
                Ok(())
            };
        }
        let tries = if scenario.hazard { MAX_TRIES / 2 } else { MAX_TRIES };
        let small = shrink(&scenario, Reduce::Sent, tries, |smaller| {
            Ok::<bool, HarnessError>(differences(smaller)?.iter().any(is_it))
        })?;
        let found = differences(&small)?;
        let Some(at) = found.iter().position(is_it) else { return Ok(()) };
        let after = found[..at].iter().map(|earlier| format!("{}: {}", earlier.clause, earlier.instead)).collect();
        self.keep(number, &small, (&key, &found[at]), after, reference)
    }

    /// Writes the case of a difference, and keeps its path.
    fn keep(
        &self,
        number: u64,
        scenario: &Scenario,
        (key, difference): (&Key, &Difference),
        after: Vec<String>,
        reference: &Reference,
    ) -> Result<(), HarnessError> {
        let expected = decode(reference.run(scenario)?, scenario);
        let text = case(scenario, difference, &expected, self.campaign.version);
        let seed = self.campaign.seed;
        let file = self.write(difference, &format!("# Scenario {number} of seed {seed}.\n{text}"))?;
        let Difference { expected, seen, .. } = difference.clone();
        self.campaign.tally().keep(key, Kept { file, after, expected, seen });
        Ok(())
    }

    /// The differences of a scenario that is run alone. One that the host cannot run shows none.
    fn differences(
        &self,
        scenario: &Scenario,
        adapter: &mut dyn Adapter,
        reference: &Reference,
    ) -> Result<Vec<Difference>, HarnessError> {
        let version = self.campaign.version;
        let expected = reference.run(scenario)?;
        match adapter.run("fuzz", version, scenario)? {
            Outcome::Ran(seen) => {
                Ok(compare(&decode(expected, scenario), &decode(seen, scenario), version, &self.campaign.host))
            }
            Outcome::Skipped(_) => Ok(Vec::new()),
        }
    }

    /// Writes a case, and returns its path.
    fn write(&self, difference: &Difference, text: &str) -> Result<String, HarnessError> {
        let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        let name: String = format!("{}_{}", difference.clause, difference.instead).chars().map(word).take(80).collect();
        let file = self.out.join(name).with_extension("toml");
        std::fs::create_dir_all(&self.out).map_err(|error| HarnessError::io("make", self.out.display(), &error))?;
        std::fs::write(&file, text).map_err(|error| HarnessError::io("write", file.display(), &error))?;
        Ok(file.display().to_string())
    }
}
