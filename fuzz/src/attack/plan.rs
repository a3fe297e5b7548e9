//! What an attack is made of, as data: plugins, and what operators, clients and servers do.

use std::fmt;

use pw_abi::Version;
use pw_host::Limits;

use super::guest::{Act, Entry, Step, VALUES};
use crate::relay;

/// An attack.
#[derive(Debug)]
pub(crate) struct Attack {
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) actions: Vec<Action>,
}

/// A plugin of the attacker's.
#[derive(Debug)]
pub(crate) struct Plugin {
    pub(crate) module: Module,
    pub(crate) vm_id: &'static str,
    pub(crate) limits: Limits,
    pub(crate) open: bool,
    /// How often in a row it is started again, and after how many milliseconds.
    pub(crate) reload: Option<(u32, u64)>,
    pub(crate) log_only: bool,
}

#[derive(Debug)]
pub(crate) enum Module {
    Guest {
        version: Version,
        allocator: u32,
        entries: Vec<Entry>,
        values: Values,
    },
    /// One made at random.
    Random(Vec<u8>),
}

/// What lies at [`VALUES`].
#[derive(Clone, Default)]
pub(crate) struct Values(pub(crate) Vec<u8>);

/// Something that happens to the proxy. Numbers of plugins, streams and calls count those that there were, and begin again.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// The operator adds a plugin, as often as that.
    Add {
        plugin: usize,
        times: usize,
    },
    Replace {
        target: usize,
        plugin: usize,
    },
    Canary {
        target: usize,
        plugin: usize,
        share: u8,
        faults: u8,
    },
    Operate {
        target: usize,
        how: Operation,
    },
    /// The operator does something to the guard.
    Guard(GuardAction),
    /// Clients open streams through these plugins; the guard stands at that place.
    Open {
        chain: Vec<usize>,
        guard: Option<usize>,
        tcp: bool,
        times: usize,
    },
    Piece {
        stream: usize,
        request: bool,
        piece: Shape,
        end: bool,
        times: usize,
    },
    /// A client sends a request in many pieces, a plugin perhaps continues what it holds, and then it is ended.
    Flood {
        chain: Vec<usize>,
        pieces: usize,
        size: usize,
        continues: bool,
        how: Operation,
    },
    /// A stream from its beginning to its end.
    Exchange {
        chain: Vec<usize>,
        guard: Option<usize>,
        body: usize,
    },
    Reset {
        stream: usize,
        by_client: bool,
    },
    Advance {
        nanoseconds: u64,
    },
    /// Time passes until nothing is due, or for a while.
    Settle,
    Answer {
        call: usize,
        headers: Map,
        body: usize,
        trailers: Map,
    },
    Fail {
        call: usize,
    },
    Grpc {
        call: usize,
        event: Event,
        times: usize,
    },
    Foreign {
        target: usize,
        size: usize,
        times: usize,
    },
    /// From now on effects are drained after each event, or not.
    Drain(bool),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    Promote,
    RollBack,
    Retire,
    Remove,
    Terminate,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum GuardAction {
    Canary {
        share: u8,
        log_only: bool,
    },
    Replace,
    Promote,
    RollBack,
    /// These are about one of the guards that there were.
    Retire(usize),
    Remove(usize),
    Terminate(usize),
}

/// A piece of a message.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Headers(Map),
    Body(usize),
    Trailers(Map),
}

/// Fields from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Map {
    Empty,
    Request,
    Response(u16),
    Many(usize),
    Large(usize),
    Odd(usize),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    InitialMetadata(Map),
    Message(usize),
    TrailingMetadata(Map),
    Closed(u32),
}

/// Fields that HTTP cannot carry, and others at the edge.
pub(crate) const ODD: [(&str, &str); 12] = [
    ("x a", "1"),
    ("x-a", "b\r\nc: d"),
    ("content-length", "1"),
    ("content-length", "x"),
    ("transfer-encoding", "chunked"),
    (":path", "/a b"),
    (":evil", "1"),
    ("", ""),
    ("X-UPPER", "\0"),
    (":status", "200"),
    ("host", "other.test"),
    ("connection", "close"),
];

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes: {}", self.0.len(), self.0[..self.0.len().min(200)].escape_ascii())
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, plugin) in self.plugins.iter().enumerate() {
            let Plugin { module, vm_id, limits, open, reload, log_only } = plugin;
            writeln!(
                f,
                "plugin {number}: VM id {vm_id:?}, open {open}, reload {reload:?}, log-only {log_only}, {limits:?}"
            )?;
            match module {
                Module::Random(wasm) => writeln!(f, "  a module of {} bytes", wasm.len())?,
                Module::Guest { version, allocator, entries, values } => {
                    writeln!(f, "  a guest of v{version}, whose allocator answers {allocator:#x}")?;
                    for Entry { callback, steps, result, calls } in entries {
                        let name = pw_cases::script::callback(*callback).map_or("", |row| row.name);
                        writeln!(f, "  {name}, first {calls} calls, result {result:?}")?;
                        for Step { act, times, lanes } in steps {
                            let name = match act {
                                Act::Call(number) => relay::functions(*version)[*number].name.to_owned(),
                                act => format!("{act:?}"),
                            };
                            writeln!(f, "    {times} times {name} {lanes:?}")?;
                        }
                    }
                    writeln!(f, "  at {VALUES:#x}: {values:?}")?;
                }
            }
        }
        self.actions.iter().enumerate().try_for_each(|(number, action)| writeln!(f, "action {number}: {action:?}"))
    }
}
