//! What all threads of a campaign share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pw_abi::Version;
use pw_cases::known::ExpectedFailures;
use pw_fuzz::{against, generate};
use pw_harness::connection::Connection;
use pw_harness::interrupt::Interrupt;

use super::tally::Tally;

/// See the module.
pub(crate) struct Campaign {
    pub(crate) connection: Connection,
    pub(crate) host: String,
    pub(crate) failures: ExpectedFailures,
    pub(crate) version: Version,
    pub(crate) seed: u64,
    pub(crate) until: Instant,
    pub(crate) interrupt: Interrupt,
    pub(crate) tally: Mutex<Tally>,
}

impl Campaign {
    /// Whether more scenarios are to be run.
    pub(crate) fn is_due(&self) -> bool {
        Instant::now() < self.until && !self.interrupt.came()
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scenario with that number, if it can be streamed.
    pub(crate) fn scenario(&self, number: u64) -> Option<pw_cases::scenario::Scenario> {
        let mut random = fastrand::Rng::with_seed(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number);
        let mut bytes = vec![0; random.usize(150..700)];
        random.fill(&mut bytes);
        against::fit(generate::of_version(self.version, &bytes), &self.host, number)
    }
}
