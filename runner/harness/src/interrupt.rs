//! Ctrl-C, and SIGTERM: the first one asks the program to come to an end and keep what it has, the second one ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::error::HarnessError;
use crate::exit::Exit;

/// Whether the program was asked to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens to signals from now on.
    ///
    /// # Errors
    ///
    /// The operating system refuses.
    pub fn listen() -> Result<Interrupt, HarnessError> {
        let interrupt = Interrupt::default();
        let code = i32::from(Exit::Interrupted as u8);
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&interrupt.0))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupt.0)))
                .map_err(|error| HarnessError::io("listen to", "Ctrl-C", &error))?;
        }
        Ok(interrupt)
    }

    /// Whether a signal came.
    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// As if a signal had come.
    #[cfg(test)]
    pub(crate) fn that_came() -> Interrupt {
        Interrupt(Arc::new(AtomicBool::new(true)))
    }
}
