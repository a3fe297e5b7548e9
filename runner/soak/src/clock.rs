//! The time that proxies here live in: that which their thread has had of a CPU. What else the machine does at the same
//! time makes a soak last longer, but changes nothing of what comes of it.

use std::time::Duration;

/// CPU time of this thread.
#[cfg(unix)]
pub(super) fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    // It counts from 0, and nanoseconds are less than a second.
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// On systems that do not report a thread's CPU time, the time of the clock.
#[cfg(not(unix))]
pub(super) fn now() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}
