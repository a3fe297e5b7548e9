//! Measures CPU time of the thread, in turns, so that other load on the machine affects all candidates in the same way.

use std::time::Duration;

/// CPU time of this thread.
pub(crate) fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// The minimum time of each of these, in nanoseconds, over some rounds in which they take turns.
pub(crate) fn least<const N: usize>(rounds: usize, mut all: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut least = [f64::INFINITY; N];
    for _ in 0..rounds {
        for (run, least) in all.iter_mut().zip(&mut least) {
            let begun = now();
            run();
            *least = least.min((now() - begun).as_nanos() as f64);
        }
    }
    least
}
