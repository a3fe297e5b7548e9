//! The data in the store of a guest, and the count of the time that the host spends on its calls. Knows nothing of what calls mean.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::{AsContextMut, Memory, StoreLimits, TypedFunc};

use crate::metering::Metering;
use crate::state::State;

/// The data in the store of an instance.
pub(crate) struct Data {
    /// The host's state, while the guest runs.
    pub(crate) state: Option<Box<State>>,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocator: Option<TypedFunc<u32, u32>>,
    /// Whether the guest's allocator runs for the host.
    pub(crate) allocating: bool,
    /// The functions that it may call and the callbacks that it gets; `None`: all.
    pub(crate) capabilities: Option<BTreeSet<String>>,
    pub(crate) limits: StoreLimits,
    pub(crate) meter: Meter,
}

/// Bytes that a call reads or writes for one unit of work.
pub(crate) const BYTES_PER_UNIT: u64 = 4;

/// Counts the time that the host spends on a guest's calls as the guest's own.
pub(crate) struct Meter {
    pub(crate) metering: Metering,
    /// Units of work that are not counted yet.
    pub(crate) pending: u64,
    /// The engine's ticks so far, and the tick at which the callback must end.
    pub(crate) ticks: Arc<AtomicU64>,
    pub(crate) deadline: u64,
}

impl Data {
    /// Adds the work of a call, in units of fuel. True if [`count`] is due.
    #[inline]
    pub(crate) fn worked(&mut self, units: u64) -> bool {
        /// Units after which the work is counted: counting costs some nanoseconds.
        const UNITS_PER_COUNT: u64 = 1 << 12;
        if self.meter.metering == Metering::None {
            return false;
        }
        let bytes = self.state.as_mut().map_or(0, |state| std::mem::take(&mut state.work));
        self.meter.pending = self.meter.pending.saturating_add(units).saturating_add(bytes / BYTES_PER_UNIT);
        self.meter.pending >= UNITS_PER_COUNT
    }
}

/// Counts the work of the host's calls towards the guest's fuel or time.
///
/// # Errors
///
/// A trap if the fuel or the time is used up.
#[cold]
pub(crate) fn count(mut caller: impl AsContextMut<Data = Data>) -> wasmtime::Result<()> {
    let mut store = caller.as_context_mut();
    let meter = &mut store.data_mut().meter;
    let pending = std::mem::take(&mut meter.pending);
    match meter.metering {
        Metering::None => Ok(()),
        Metering::Fuel => {
            let left = store.get_fuel()?;
            store.set_fuel(left.saturating_sub(pending))?;
            if left < pending { Err(wasmtime::Trap::OutOfFuel.into()) } else { Ok(()) }
        }
        Metering::Epochs if meter.ticks.load(Ordering::Relaxed) > meter.deadline => {
            Err(wasmtime::Trap::Interrupt.into())
        }
        Metering::Epochs => Ok(()),
    }
}

impl Data {
    /// Whether the guest may call the function, or gets the callback, of this name.
    #[inline]
    pub(crate) fn allows(&self, name: &str) -> bool {
        self.capabilities.as_ref().is_none_or(|capabilities| capabilities.contains(name))
    }

    #[inline]
    pub(crate) fn observed(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.observer.is_some())
    }
}
