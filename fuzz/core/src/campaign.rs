//! A campaign: inputs one after the other, those kept that reach something new, and changed versions of these tried too.
//!
//! The same seed brings the same inputs in the same order. Knows no clock, no thread and no file.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use pw_cases::probe::{Template, assemble};
use pw_cases::scenario::{Guest, Scenario};
use pw_host::Choices;
use pw_reference::Reference;

use crate::coverage::{Coverage, Reached};
use crate::drive::silence;
use crate::generate;
use crate::model::Finding;
use crate::oracle;
use crate::share::joined;

/// Planted bugs that no scenario of the generator shows: they need a log-only canary, or sizes and numbers that no scenario has. Those that are about numbers the target `attack` finds.
#[cfg(feature = "planted")]
pub const NOT_SHOWN: &[pw_host::Planted] = &[
    pw_host::Planted::PromotedStaysLogOnly,
    pw_host::Planted::CompactionFolds,
    pw_host::Planted::QuadraticMap,
    pw_host::Planted::QueueStorm,
    pw_host::Planted::EndlessWait,
    pw_host::Planted::Recursion,
];

/// Bytes of an input.
const SIZES: std::ops::Range<usize> = 230..420;
/// The slower oracles check one input in this many.
const SLOW: u64 = 256;

/// The input that is being run, for who waits for its end.
pub type Current = Arc<Mutex<Option<Arc<Scenario>>>>;

/// An input that reached something new when it was run.
#[derive(Clone, Debug)]
pub struct Input {
    /// What the scenario is made of.
    pub bytes: Vec<u8>,
    /// What it reached.
    pub coverage: Coverage,
}

/// Makes inputs, runs them, and remembers what they reached.
pub struct Campaign {
    host: Reference,
    current: Current,
    random: Rng,
    /// Given inputs that were not run yet.
    given: VecDeque<Vec<u8>>,
    kept: Vec<Input>,
    reached: Reached,
    /// How many inputs were run.
    pub runs: u64,
    /// How many of them made at least eight calls.
    pub full: u64,
    /// How many calls they made.
    pub calls: u64,
}

/// The same scenario with a module for each plugin, none of which was compiled before.
pub fn compiled(scenario: &Scenario) -> Result<Scenario, String> {
    let mut scenario = joined(scenario).into_owned();
    for plugin in &mut scenario.plugins {
        if let Guest::Probe(script) = &plugin.guest {
            let text = Template::smallest(script).wat(&script.bytes());
            plugin.guest = Guest::Module(assemble(&text).map_err(|error| error.to_string())?);
        }
    }
    Ok(scenario)
}

/// The same scenario on a host that answers open questions at random, of which the model knows nothing.
pub fn with_choices(scenario: &Scenario, seed: u64) -> Scenario {
    let drawn = Choices::drawn(seed);
    let choices = Choices::NAMES.iter().filter_map(|name| Some(((*name).to_owned(), drawn.get(name)?))).collect();
    Scenario { choices, ..scenario.clone() }
}

/// An input that has shown something that could not be so.
#[derive(Clone, Debug)]
pub struct Find {
    /// Which input of the campaign it was.
    pub run: u64,
    /// The input.
    pub scenario: Scenario,
    /// What it has shown.
    pub finding: Finding,
}

impl Campaign {
    /// A campaign on a host that has not begun.
    pub fn new(host: Reference, seed: u64) -> Campaign {
        let (random, reached) = (Rng::with_seed(seed), Reached::default());
        Campaign {
            host,
            current: Current::default(),
            random,
            given: VecDeque::new(),
            kept: Vec::new(),
            reached,
            runs: 0,
            full: 0,
            calls: 0,
        }
    }

    /// Inputs to run before any others.
    pub fn give(&mut self, inputs: impl IntoIterator<Item = Vec<u8>>) {
        self.given.extend(inputs);
    }

    /// Whether inputs that were given are still to be run.
    pub fn has_given(&self) -> bool {
        !self.given.is_empty()
    }

    /// The inputs that are kept: no more than there is to reach.
    pub fn kept(&self) -> &[Input] {
        &self.kept
    }

    /// Where the input is that is being run.
    pub fn current(&self) -> Current {
        self.current.clone()
    }

    /// What was reached so far.
    pub fn reached(&self) -> &Reached {
        &self.reached
    }

    /// The next input, run and judged. An error is ours.
    pub fn advance(&mut self) -> Result<Option<Find>, String> {
        let bytes = self.given.pop_front().unwrap_or_else(|| self.bytes());
        let mut scenario = generate::scenario(&bytes);
        silence(&mut scenario, true);
        let scenario = Arc::new(scenario);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(scenario.clone());
        let mut verdict = oracle::model(&self.host, &scenario)?;
        self.runs += 1;
        self.calls += verdict.coverage.calls;
        self.full += u64::from(verdict.coverage.calls >= 8);
        // In an empty one there is nothing to change.
        if self.reached.add(&verdict.coverage) && !bytes.is_empty() {
            self.kept.push(Input { bytes, coverage: std::mem::take(&mut verdict.coverage) });
        }
        let mut shown = scenario.clone();
        if verdict.findings.is_empty() && self.runs.is_multiple_of(SLOW) {
            verdict.findings = oracle::beyond(&self.host, &scenario);
            if verdict.findings.is_empty() {
                shown = Arc::new(with_choices(&scenario, self.runs));
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown.clone());
                verdict.findings = oracle::beyond(&self.host, &shown);
            }
        }
        let run = self.runs;
        Ok(verdict.findings.into_iter().next().map(|finding| Find { run, scenario: (*shown).clone(), finding }))
    }

    /// New bytes, or kept ones with something changed.
    fn bytes(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        if self.kept.is_empty() || random.bool() {
            let mut bytes = vec![0; random.usize(SIZES)];
            random.fill(&mut bytes);
            return bytes;
        }
        let mut bytes = self.kept[random.usize(..self.kept.len())].bytes.clone();
        for _ in 0..random.usize(1..6) {
            let place = random.usize(..bytes.len());
            match random.u8(..5) {
                0 => bytes[place] = random.u8(..),
                1 => bytes[place] = bytes[place].wrapping_add(1),
                2 if bytes.len() < SIZES.end => bytes.insert(place, random.u8(..)),
                3 if bytes.len() > SIZES.start => drop(bytes.remove(place)),
                _ => {
                    let other = &self.kept[random.usize(..self.kept.len())].bytes;
                    let from = random.usize(..other.len());
                    let size = (other.len() - from).min(bytes.len() - place).min(64);
                    bytes[place..place + size].copy_from_slice(&other[from..from + size]);
                }
            }
        }
        bytes
    }
}
