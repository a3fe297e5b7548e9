//! A soak: many plugins of which some misbehave all the time, under requests through the others.
//!
//! Two proxies take turns, slice by slice and each first every other time: one without the bad plugins, one with them. A
//! slice is the same number of requests on either side, and what is compared is the CPU time that they took.
//!
//! The side with the bad plugins also has hostile clients, servers and an operator who changes plugins all the time.

mod bombs;
mod call;
mod clients;
mod clock;
mod exchange;
mod fields;
mod fleet;
mod histogram;
mod hostile;
mod kinds;
mod memory;
mod operator;
mod options;
mod promises;
mod render;
mod report;
mod servers;
mod tally;
mod ticker;
mod traffic;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pw_host::{Engine, Metering, Pool};

use crate::fleet::{Fleet, Modules};
pub use crate::options::Options;
use crate::promises::judged;
use crate::report::Held;
pub use crate::report::Report;
use crate::ticker::Ticker;
use crate::traffic::Traffic;

/// Requests per slice until the time that they take was measured.
const FIRST_SLICE_REQUESTS: u64 = 500;
/// VMs beside those of the plugins: of canaries, and of plugins that end.
const SPARE_VMS: u32 = 64;
/// Bytes that stay in RAM of the memory of a VM that has ended: what the pool keeps would look like what the proxy keeps.
const RESIDENT_BYTES: usize = 0;
/// The time for which the healthy ones continue alone before memory is measured.
const SETTLING: Duration = Duration::from_secs(2);
/// Pairs of slices after which a soak ends although not everything had its turn.
const MAX_PAIRS: u64 = 2_000;

/// Runs a soak. `progress` gets the seconds that have passed, those that there are, and what is done.
///
/// # Errors
///
/// No plugin is healthy, or wasmtime cannot be set up for so many plugins.
pub fn run(args: Options, progress: &mut dyn FnMut(usize, usize, &str)) -> Result<Report, String> {
    let (plugins, bad) = (usize::from(args.plugins), usize::from(args.bad));
    let healthy = plugins.checked_sub(bad).filter(|healthy| *healthy > 0).ok_or_else(|| {
        let at_most = plugins.saturating_sub(1);
        format!("--bad {bad} leaves none of --plugins {plugins} healthy: at most {at_most} can be bad")
    })?;
    let instances = 2 * (u32::from(args.plugins) + SPARE_VMS);
    let pool = Pool { instances, resident: RESIDENT_BYTES, ..Pool::default() };
    let engine = Engine::with_pool(Metering::Epochs, pool)
        .map_err(|error| format!("failed to set up wasmtime for {plugins} plugins: {error:#}"))?;
    let modules = Arc::new(Modules::compile(&engine)?);
    let empty = memory::resident();
    let ticker = Ticker::start(&engine);
    let mut soak = Soak {
        calm: Traffic::new(Fleet::start(&modules, healthy, 0, args.seed)?, args.seed),
        rough: Traffic::new(Fleet::start(&modules, healthy, bad, args.seed)?, args.seed),
        turn: false,
    };
    let warm_up = (args.time / 10).clamp(Duration::from_millis(200), Duration::from_secs(10));
    soak.run(warm_up, FIRST_SLICE_REQUESTS, progress, "warm-up");
    let before = soak.held();
    let per_second = soak.calm.tally.requests as f64 / soak.calm.tally.time.as_secs_f64().max(f64::EPSILON);
    let span = (args.time / 40).clamp(Duration::from_millis(5), Duration::from_millis(100));
    let requests = (per_second * span.as_secs_f64()).max(1.0) as u64;
    soak.calm.clear();
    soak.rough.clear();
    soak.run(args.time, requests, progress, "soak");
    let after = soak.held();
    drop(ticker);
    let miscounts = soak.calm.miscounts() + soak.rough.miscounts();
    let tallies = [&soak.calm.tally, &soak.rough.tally];
    Ok(judged(args, empty, [before, after], tallies, miscounts))
}

/// Both sides.
struct Soak {
    calm: Traffic,
    rough: Traffic,
    /// Whether the calm side is second.
    turn: bool,
}

impl Soak {
    /// Pairs of slices until the time is over and everything that is bad had its turn, and one at least.
    fn run(&mut self, time: Duration, requests: u64, progress: &mut dyn FnMut(usize, usize, &str), what: &str) {
        let begun = Instant::now();
        for pairs in 1.. {
            let Soak { calm, rough, turn } = self;
            let pair = if *turn { [rough, calm] } else { [calm, rough] };
            pair.into_iter().for_each(|traffic| traffic.slice(requests));
            *turn = !*turn;
            progress(begun.elapsed().as_secs() as usize, time.as_secs() as usize, what);
            let rough = &self.rough;
            let complete =
                rough.fleet.bad.is_empty() || hostile::missing(&rough.tally).is_empty() || pairs >= MAX_PAIRS;
            if begun.elapsed() >= time && complete {
                return;
            }
        }
    }

    /// What is held, and what is still held when all that misbehave are gone, which are started again then.
    fn held(&mut self) -> Held {
        let (resident, usage) = (memory::resident(), self.rough.fleet.proxy.usage());
        self.rough.clear_out();
        // What the healthy ones hold, the other side holds too.
        let (mut left, healthy) = (self.rough.fleet.proxy.usage(), self.calm.fleet.proxy.usage());
        left.charged = left.charged.saturating_sub(healthy.charged);
        // The allocator gives back what is free after some time, and while it is in use.
        let (tally, begun) = (std::mem::take(&mut self.calm.tally), Instant::now());
        while begun.elapsed() < SETTLING {
            self.calm.slice(FIRST_SLICE_REQUESTS);
        }
        self.calm.tally = tally;
        let settled = memory::resident();
        self.rough.start_all();
        Held { resident, usage, settled, left }
    }
}
