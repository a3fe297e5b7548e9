//! Speaks the adapter protocol for an adapter that is written in Rust.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};

use pw_abi::Version;

use crate::adapter::{Adapter, Outcome, Sink};
use crate::protocol::{self, Host, PROTOCOL, Request, Response, Run};
use crate::scenario::{Guest, Plugin, Scenario};
use crate::shape::Shape;
use crate::transcript::Transcript;

/// Answers the requests of the harness, a line each, until it says `stop` or the input ends.
///
/// # Errors
///
/// The input cannot be read, or the output cannot be written.
pub fn serve(adapter: &mut dyn Adapter, input: impl BufRead, output: impl Write + Send + 'static) -> io::Result<()> {
    let mut kept = Kept::default();
    let output = Arc::new(Mutex::new(output));
    let events = output.clone();
    // A harness that is gone is noticed at the answer.
    let seen: Sink = Arc::new(move |event| drop(write(&events, &Response::Event { event: event.clone() })));
    for line in input.split(b'\n') {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let response = match serde_json::from_slice(&line) {
            Ok(Request::Stop) => break,
            Ok(request) => kept.answer(adapter, request, &seen),
            Err(error) => Response::Errored { context: format!("failed to read a request: {error}") },
        };
        write(&output, &response)?;
    }
    Ok(())
}

fn write(output: &Mutex<impl Write>, response: &Response) -> io::Result<()> {
    let mut line = serde_json::to_vec(response).map_err(io::Error::other)?;
    line.push(b'\n');
    let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
    output.write_all(&line)?;
    output.flush()
}

/// The modules that the harness has sent.
#[derive(Default)]
struct Kept {
    shapes: HashMap<String, Arc<Shape>>,
    modules: HashMap<String, Vec<u8>>,
}

impl Kept {
    fn answer(&mut self, adapter: &mut dyn Adapter, request: Request, seen: &Sink) -> Response {
        match request {
            Request::Start { protocol } => start(adapter.host(), protocol),
            Request::Shape { id, wasm, offset, size, address } => {
                self.shapes.insert(id, Arc::new(Shape { wasm: wasm.0, offset, size, address }));
                Response::Kept
            }
            Request::Module { id, wasm } => {
                self.modules.insert(id, wasm.0);
                Response::Kept
            }
            Request::Run(run) => self.run(adapter, run, seen).unwrap_or_else(|context| Response::Errored { context }),
            Request::More { steps } => match adapter.more(steps) {
                Ok(Transcript { events }) => Response::Ran { events },
                Err(context) => Response::Errored { context },
            },
            Request::Stop => Response::Kept,
        }
    }

    fn run(&self, adapter: &mut dyn Adapter, run: Run, seen: &Sink) -> Result<Response, String> {
        let Run { id, abi, plugins, steps, hazard, http1, choices, keep, trace } = run;
        let named = |error: String| format!("{id}: {error}");
        let version = Version::parse(&abi).ok_or_else(|| named(format!("unknown ABI version {abi:?}")))?;
        let plugins = plugins.into_iter().map(|plugin| self.plugin(plugin)).collect::<Result<_, _>>().map_err(named)?;
        let scenario = Scenario { plugins, steps, hazard, http1, choices };
        let outcome = match (keep, trace) {
            (true, _) => adapter.keep(&id, version, &scenario),
            (false, true) => adapter.trace(&id, version, &scenario, seen),
            (false, false) => adapter.run(&id, version, &scenario),
        };
        Ok(match outcome.map_err(named)? {
            Outcome::Ran(Transcript { events }) => Response::Ran { events },
            Outcome::Skipped(reason) => Response::Skipped { reason },
        })
    }

    fn plugin(&self, plugin: protocol::Plugin) -> Result<Plugin, String> {
        let guest = match plugin.guest {
            protocol::Guest::Module(id) => self.modules.get(&id).cloned().map(Guest::Module).ok_or(id),
            protocol::Guest::Shape { id, script } => {
                self.shapes.get(&id).cloned().map(|shape| Guest::Shaped(shape, script.0)).ok_or(id)
            }
        };
        let guest = guest.map_err(|id| format!("no module {id:?} was sent before"))?;
        Ok(Plugin { settings: plugin.settings, guest })
    }
}

fn start(host: &Host, protocol: u32) -> Response {
    if protocol == PROTOCOL {
        return Response::Host(host.clone());
    }
    let context = format!(
        "failed to agree on a protocol: the harness speaks version {protocol}, this adapter version {PROTOCOL}; \
         install the same version of both"
    );
    Response::Errored { context }
}
