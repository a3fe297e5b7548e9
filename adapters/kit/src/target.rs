//! What a host implements so that the kit can run scenarios on it.
//!
//! A [`Target`] is the host's program: what it can do, and how it is started for a scenario. A [`Driver`] is one process of it:
//! how it gets a chain of plugins, and what a line of its log says. Neither does any input or output but writing files for the
//! host to read: the kit owns the process, the sockets and the clock, and calls a driver when something is due.
//!
//! What a host need not have:
//!
//! - *configuration while it runs*: [`Target::launch`] gets the scenario, so the chain can be in the file that the host is
//!   started with. Such a target answers [`Target::needs_own_process`] with `true`, and leaves [`Driver::start_chain`],
//!   [`Driver::verdict`] and [`Driver::remove_chain`] as they are. If the host exits because it rejects a plugin,
//!   a line of its log that [`Driver::read`] finds to be [`Finding::Rejected`] makes that a refusal.
//! - *a log for each plugin*: [`Driver::read`] gets every line of the one log and keeps what it needs to attribute the next.
//! - *metrics*: [`Driver::metrics_request`] returns `None`, and the target does not claim the capability.
//! - *the PROXY protocol*: see [`ClientPort`].

use std::io;
use std::process::Command;

use pw_cases::data::Data;
use pw_cases::protocol::Host;

use crate::job::Run;

use crate::sockets::Ends;

/// The upstream to which each request is routed.
pub const UPSTREAM: &str = "upstream";
/// The upstreams, besides [`UPSTREAM`], that plugins may call and that answer.
pub const CALLEES: [&str; 2] = ["auth", "callout"];
/// The upstream that refuses connections.
pub const DEAD: &str = "dead";

/// A host's program.
pub trait Target: Send {
    /// The answer to the runner's first question.
    fn describe(&self) -> Host;

    /// Why a scenario cannot be run on this host, besides what [`crate::scenario::unsupported`] finds; `None` if it can.
    fn unsupported(&self, run: &Run) -> Option<String>;

    /// Whether a scenario needs a process that serves no other scenario.
    fn needs_own_process(&self, run: &Run) -> bool;

    /// How to start a process for a scenario. Others may follow in the same process, as far as [`Target::needs_own_process`]
    /// lets them.
    ///
    /// # Errors
    ///
    /// The host's files cannot be written. The text follows "failed to start the host: ".
    fn launch(&self, run: &Run, ports: &Ports) -> Result<Launch, String>;
}

/// The ports of one process of the host and of the adapter's servers for it. All are on 127.0.0.1, and are free when the host
/// is started: they are bound with `SO_REUSEPORT` and `SO_REUSEADDR`, one of which the host has to set, too.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Where the host listens for the clients of a scenario with HTTP.
    pub http: u16,
    /// Where the host listens for the clients of a scenario with TCP.
    pub tcp: u16,
    /// Where the host may listen for pings on the thread that serves streams; see [`Launch::barriers`].
    pub barrier: u16,
    /// Where the host may answer its operator.
    pub admin: u16,
    /// The upstream [`DEAD`]. Nothing listens there, and the host must not either.
    pub dead: u16,
    /// The adapter's server for the upstream [`UPSTREAM`].
    pub upstream: u16,
    /// The adapter's servers for the upstreams [`CALLEES`], in their order.
    pub callees: [u16; CALLEES.len()],
}

/// How a process is started.
pub struct Launch {
    /// The program with its arguments. It writes its log to standard error. It does not fork, see [`crate::guard`], and sets
    /// `TCP_NODELAY` on its connections: else what it writes may arrive in a later step.
    pub command: Command,
    /// What drives the process.
    pub driver: Box<dyn Driver>,
    /// Ports on which the host speaks HTTP/2 and answers PING frames, at least one; the first belongs to the thread
    /// that serves streams. A ping there is answered when the thread has done its earlier work. The host serves
    /// when all of them accept connections.
    pub barriers: Vec<u16>,
    /// How the host names the client on connections to the upstream.
    pub client_port: ClientPort,
}

/// How the host says which client a request to the upstream comes from, so that the upstream's side of a stream is
/// recognised. Plugins must not see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientPort {
    /// Each connection to the upstream starts with a line of the PROXY protocol, version 1. Streams with TCP need it.
    ProxyLine,
    /// The host adds this field, whose value is the port in decimal, to each request after the plugins have run. It is not
    /// reported.
    Field(&'static str),
}

/// A process of the host.
///
/// The calls come in this order: [`Driver::begin`] when a scenario starts, then
/// [`Driver::read`] for each line of the log, those included that were written while the process started; then
/// [`Driver::start_chain`], any number of [`Driver::change_chain`], and [`Driver::remove_chain`].
pub trait Driver: Send {
    /// Starts a scenario in the process with this id, with these plugins in the chain, by their places in the scenario. What
    /// is read from now on belongs to it.
    fn begin(&mut self, process: u32, run: &Run, chain: &[usize]);

    /// Gives the process the chain of [`Driver::begin`].
    ///
    /// # Errors
    ///
    /// What configures the host cannot be written.
    fn start_chain(&mut self, _run: &Run, _chain: &[usize]) -> io::Result<()> {
        Ok(())
    }

    /// Gives the process another chain, while streams run. `starts` is the plugin that starts in it, because it is new there or
    /// has another configuration.
    ///
    /// # Errors
    ///
    /// As [`Driver::start_chain`].
    fn change_chain(&mut self, _run: &Run, _chain: &[usize], _starts: Option<usize>) -> io::Result<()> {
        Ok(())
    }

    /// The host has rejected the latest chain and runs the one before.
    fn keep_chain(&mut self) {}

    /// Takes all plugins from the process, which keeps running; `None` if this host cannot do that. Then the process serves no
    /// other scenario.
    ///
    /// # Errors
    ///
    /// As [`Driver::start_chain`].
    fn remove_chain(&mut self) -> Option<io::Result<()>> {
        None
    }

    /// Whether the host has accepted the latest chain; `None` until that is known.
    fn verdict(&self) -> Option<bool> {
        Some(true)
    }

    /// A client has opened a stream, which passes through the plugins of the chain.
    fn stream_opened(&mut self) {}

    /// Classifies a line of the log as soon as it is written, without attributing it.
    fn classify(&self, line: &[u8]) -> Line;

    /// Attributes a line of the log; `None` if it says nothing of a plugin.
    fn read(&mut self, line: &[u8]) -> Option<Found>;

    /// How to ask for the metrics of plugins; `None` if the host has none that can be read.
    fn metrics_request(&self) -> Option<MetricsRequest> {
        None
    }

    /// Reads the body of the response to [`Driver::metrics_request`]: names as plugins gave them, and values.
    ///
    /// # Errors
    ///
    /// The body is not what the host writes. The text follows "failed to read the metrics: ".
    fn metrics(&self, _body: &[u8]) -> Result<Vec<(String, u64)>, String> {
        Ok(Vec::new())
    }

    /// Whether the thread that serves streams has opened a connection, as opposed to a thread that only tries plugins; the ends
    /// of the connection to the first of [`Launch::barriers`] are given for comparison.
    fn serves_streams(&self, _process: u32, _barrier: Ends, _connection: Ends) -> bool {
        true
    }

    /// Whether the process does something that pings do not wait for. The kit asks when everything else is idle.
    fn is_busy(&self, _process: u32) -> bool {
        false
    }
}

/// A question to [`Ports::admin`].
pub struct MetricsRequest {
    /// `:path`.
    pub path: &'static str,
}

/// What a line of the log is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// It is about plugins.
    pub of_plugins: bool,
    /// The line in words for a person who looks for the cause of an error; `None` if it does not help.
    pub excerpt: Option<String>,
    /// The host reports that it has caught this signal, and may write more before it exits. The kit kills it.
    pub signal: Option<&'static str>,
}

/// What a line says of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The plugin, by its place in the scenario.
    pub plugin: usize,
    /// The VM that the line comes from.
    pub vm: Vm,
    /// What it says.
    pub finding: Finding,
}

/// Which VM of a plugin a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vm {
    /// The one on streams, whose lines are the plugin's transcript.
    Serving,
    /// Another one, by number, in the order in which they are created: one in which the host tries the plugin, or one of
    /// a plugin in the background. They are reported if the plugin is refused, and, of a plugin in the background, once all have
    /// started, those of the latest.
    Other(usize),
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The guest has logged.
    Log {
        /// The name of the level in transcripts, such as `INFO`.
        level: &'static str,
        /// The message.
        message: Data,
    },
    /// The VM has failed, in the host's words.
    Fault(String),
    /// A VM was created.
    Created,
    /// A VM was destroyed; the number that is left in the process.
    Destroyed {
        /// The number of VMs that are left.
        left: u32,
    },
    /// The host does not accept the plugin, or the chain with it, in the host's words.
    Rejected(String),
}
