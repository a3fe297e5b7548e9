//! What a soak is asked to do.

use std::time::Duration;

/// The size of a soak.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long it takes, after a warm-up of a tenth of that.
    pub time: Duration,
    /// The number of plugins, each in its own VM.
    pub plugins: u16,
    /// The number of plugins that misbehave; fewer than `plugins`.
    pub bad: u16,
    /// Decides which plugins get which requests.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { time: Duration::from_secs(60), plugins: 200, bad: 20, seed: 0 }
    }
}
