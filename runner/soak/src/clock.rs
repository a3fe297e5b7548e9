//! The time that proxies here live in: that which their thread has had of a CPU. What else the machine does at the same
//! time makes a soak last longer, but changes nothing of what comes of it.

use std::time::Duration;

/// CPU time of this thread.
pub(super) fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    // It counts from 0, and nanoseconds are less than a second.
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}
