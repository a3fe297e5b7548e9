//! What the reference host itself saw of a run: every callback and every call, in the form of a transcript.

use std::sync::{Arc, Mutex, PoisonError};

use pw_abi::{Function, Kind, Param};
use pw_cases::data::Data;
use pw_cases::transcript::{Event, Returned};
use pw_host::{Observer, PluginId};

use crate::room::Room;

/// Records everything; a clone of it returns what was recorded.
#[derive(Clone, Debug, Default)]
pub struct Trace(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    events: Vec<(PluginId, Event)>,
    room: Room,
}

impl Trace {
    /// Takes what was seen since the last time, with a name for each plugin.
    pub fn take(&self, name: impl Fn(PluginId) -> String) -> Vec<Event> {
        let seen = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).events;
        let named = |(id, mut event): (PluginId, Event)| {
            if let Event::Callback { plugin, .. } | Event::Returned { plugin, .. } | Event::Call { plugin, .. } =
                &mut event
            {
                *plugin = name(id);
            }
            event
        };
        seen.into_iter().map(named).collect()
    }

    /// Whether there was more to see since then than is kept, and the rest was left out.
    pub fn is_full(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).room.is_full()
    }

    fn push(&self, plugin: PluginId, event: Event) {
        let bytes = match &event {
            Event::Call { args, returned, .. } => {
                let bytes = |value: &Returned| if let Returned::Bytes(bytes) = value { bytes.0.len() } else { 8 };
                args.iter().map(String::len).sum::<usize>()
                    + returned.iter().map(|(name, value)| name.len() + bytes(value)).sum::<usize>()
            }
            _ => 0,
        };
        let seen = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.room.take(bytes) {
            seen.events.push((plugin, event));
        }
    }
}

impl Observer for Trace {
    fn callback(&mut self, plugin: PluginId, name: &'static str, args: &[u32]) {
        let (unnamed, name, args) = (String::new(), name.to_owned(), args.to_vec());
        self.push(plugin, Event::Callback { plugin: unnamed, name, args });
    }

    fn returned(&mut self, plugin: PluginId, name: &'static str, result: Option<u32>) {
        self.push(plugin, Event::Returned { plugin: String::new(), name: name.to_owned(), result });
    }

    fn call(
        &mut self,
        plugin: PluginId,
        function: &'static Function,
        lanes: &[u64],
        result: Option<u32>,
        memory: &[u8],
    ) {
        let status = result.unwrap_or(0);
        let mut lanes = lanes.iter().copied();
        let mut args = Vec::new();
        let mut returned = Vec::new();
        for param in function.params {
            let lanes: Vec<u64> = lanes.by_ref().take(param.lanes.len()).collect();
            if !param.out {
                args.push(arg(param, &lanes, memory));
            } else if function.succeeded(status)
                && let Some(value) = value(param, &lanes, memory)
            {
                returned.push((param.name.to_owned(), value));
            }
        }
        let (unnamed, function) = (String::new(), function.name.to_owned());
        self.push(plugin, Event::Call { plugin: unnamed, function, action: None, args, status, returned });
    }
}

fn arg(param: &Param, lanes: &[u64], memory: &[u8]) -> String {
    let bytes = |address: u64, size: u64| memory.get(address as usize..)?.get(..size as usize);
    match (param.kind, lanes) {
        (Kind::Enum(table), [value]) => table.name_of(*value as u32).map_or(value.to_string(), str::to_owned),
        (Kind::Address, [address]) => format!("{address:#x}"),
        (Kind::I64, [value]) => (*value as i64).to_string(),
        (Kind::Pairs, [address, size]) => {
            bytes(*address, *size).map_or_else(|| raw(lanes), pw_cases::transcript::pairs_text)
        }
        (Kind::Iovecs, [..]) => raw(lanes),
        (_, [address, size]) => {
            bytes(*address, *size).map_or_else(|| raw(lanes), |bytes| Data::from(bytes).to_string())
        }
        (_, [value]) => value.to_string(),
        _ => raw(lanes),
    }
}

fn raw(lanes: &[u64]) -> String {
    lanes.iter().map(|lane| format!("{lane:#x}")).collect::<Vec<_>>().join("+")
}

/// What was written through the pointers of an out-parameter.
fn value(param: &Param, lanes: &[u64], memory: &[u8]) -> Option<Returned> {
    let word = |address: u64| Some(u32::from_le_bytes(*memory.get(address as usize..)?.first_chunk()?));
    match (param.kind, lanes) {
        (Kind::Bytes | Kind::Pairs, [pointer, size]) => {
            let (pointer, size) = (word(*pointer)? as usize, word(*size)? as usize);
            memory.get(pointer..)?.get(..size).map(|bytes| Returned::Bytes(bytes.into()))
        }
        (Kind::U64 | Kind::I64, [address]) => {
            let bytes = memory.get(*address as usize..)?.first_chunk()?;
            Some(Returned::Number(u64::from_le_bytes(*bytes)))
        }
        (_, [address]) => word(*address).map(|word| Returned::Number(word.into())),
        _ => None,
    }
}
