//! The clock of an engine: a thread that lets a tick pass each millisecond.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pw_host::Engine;

/// How long a tick is.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// Ticks until it is dropped.
pub(super) struct Ticker {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> Ticker {
        let (engine, over) = (engine.clone(), Arc::new(AtomicBool::new(false)));
        let seen = over.clone();
        let tick = move || {
            while !seen.load(Ordering::Relaxed) {
                thread::sleep(TICK);
                engine.tick();
            }
        };
        Ticker { over, thread: Some(thread::spawn(tick)) }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // It does not panic; and if it did, there would be nothing left to do.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
