//! What a campaign has reached: promises of the specification, and functions with statuses and callbacks.

use pw_abi::{Function, Version};
use pw_cases::script;

/// The number of statuses that are distinguished; WASI's errno is the longest.
const STATUSES: usize = 64;

/// Which (function, status, callback) triples were reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Function, status, callback, and whether the version is v0.2.1; sorted where they were merged.
    triples: Vec<u32>,
    /// How many calls were made.
    pub calls: u64,
}

/// All that a campaign has reached so far.
pub struct Reached {
    triples: Vec<bool>,
    latest: Vec<bool>,
    count: usize,
}

impl Coverage {
    pub(crate) fn call(&mut self, function: &'static Function, status: u32, callback: usize, version: Version) {
        self.calls += 1;
        let number = script::function_number(function).unwrap_or(0);
        let place = (number * STATUSES + (status as usize).min(STATUSES - 1)) * callbacks() + callback;
        self.triples.push((place as u32) << 1 | u32::from(version == Version::V0_2_1));
    }
}

impl Default for Reached {
    fn default() -> Reached {
        let size = script::functions().count() * STATUSES;
        Reached { triples: vec![false; size * callbacks()], latest: vec![false; size], count: 0 }
    }
}

impl Reached {
    /// Adds what an input has reached; whether any of it is new.
    pub fn add(&mut self, coverage: &Coverage) -> bool {
        let before = self.count;
        for triple in &coverage.triples {
            let place = (triple >> 1) as usize;
            self.count += usize::from(!std::mem::replace(&mut self.triples[place], true));
            self.latest[place / callbacks()] |= triple & 1 == 1;
        }
        self.count > before
    }

    /// Adds what another campaign has reached.
    pub fn join(&mut self, other: &Reached) {
        let either =
            |own: &mut Vec<bool>, other: &[bool]| own.iter_mut().zip(other).for_each(|(own, other)| *own |= other);
        either(&mut self.triples, &other.triples);
        either(&mut self.latest, &other.latest);
        self.count = self.triples.iter().filter(|reached| **reached).count();
    }

    /// How many (function, status, callback) triples were reached.
    pub fn triples(&self) -> usize {
        self.count
    }

    /// The promises of v0.2.1, as clauses, each with whether it was reached. What ends the guest is reached by no return.
    pub fn promises(&self) -> Vec<(String, bool)> {
        let rows = script::functions().enumerate().filter(|(_, row)| row.versions.contains(Version::V0_2_1));
        let promises = rows
            .flat_map(|(number, row)| row.promises(Version::V0_2_1).map(move |promise| (number, row.name, promise)));
        promises
            .map(|(number, name, promise)| {
                (format!("{name}/{}", promise.name), self.latest[number * STATUSES + promise.value as usize])
            })
            .collect()
    }
}

fn callbacks() -> usize {
    // Asked for every call, and the same for ever.
    static COUNT: std::sync::LazyLock<usize> = std::sync::LazyLock::new(|| script::callbacks().count());
    *COUNT
}
