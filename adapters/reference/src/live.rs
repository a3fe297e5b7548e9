//! Passes on each callback and call as it is seen, so that they are known if the host crashes after them.

use std::sync::{Arc, Mutex, PoisonError};

use pw_abi::Function;
use pw_cases::adapter::Sink;
use pw_host::{Observer, PluginId};

use crate::trace::Trace;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Live {
    seen: Sink,
    trace: Trace,
    names: Arc<Mutex<Names>>,
}

#[derive(Default)]
struct Names {
    known: Vec<(PluginId, String)>,
    /// The plugin that is started at the moment.
    starting: String,
}

impl Live {
    pub(crate) fn new(seen: Sink) -> Live {
        Live { seen, trace: Trace::default(), names: Arc::default() }
    }

    /// The plugin of that name is started next.
    pub(crate) fn starts(&self, name: &str) {
        name.clone_into(&mut self.names.lock().unwrap_or_else(PoisonError::into_inner).starting);
    }

    /// These plugins have these names.
    pub(crate) fn know(&self, names: Vec<(PluginId, String)>) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).known = names;
    }

    fn pass_on(&self) {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let name =
            |id| names.known.iter().find(|(known, _)| *known == id).map_or(&names.starting, |(_, name)| name).clone();
        self.trace.take(name).iter().for_each(|event| (self.seen)(event));
    }
}

impl Observer for Live {
    fn callback(&mut self, plugin: PluginId, name: &'static str, args: &[u32]) {
        self.trace.callback(plugin, name, args);
        self.pass_on();
    }

    fn returned(&mut self, plugin: PluginId, name: &'static str, result: Option<u32>) {
        self.trace.returned(plugin, name, result);
        self.pass_on();
    }

    fn call(
        &mut self,
        plugin: PluginId,
        function: &'static Function,
        lanes: &[u64],
        result: Option<u32>,
        memory: &[u8],
    ) {
        self.trace.call(plugin, function, lanes, result, memory);
        self.pass_on();
    }
}
