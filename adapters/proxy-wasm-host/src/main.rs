//! Runs the scenarios of pw-conform on the library `proxy-wasm-host`: a JSON object a line on standard input, an answer a line on
//! standard output. docs/adapters.md describes every message.

mod data;
mod proxy;
mod services;
mod stream;

use std::collections::HashMap;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proxy_wasm_host::Engine;
use proxy_wasm_host::abi::v0_2_1::Host;
use serde_json::{Value, json};

use crate::proxy::Proxy;

const FEATURES: [&str; 15] = [
    "http",
    "tcp",
    "concurrent_streams",
    "chains",
    "http_calls",
    "grpc",
    "foreign_calls",
    "metrics",
    "background",
    "shared_vms",
    "time",
    "environment",
    "faults",
    "shutdown",
    "keep",
];

fn about() -> Value {
    json!({
        "type": "host",
        "protocol": 2,
        "name": "proxy-wasm-host",
        "version": "0.2.0",
        "abi": ["0.2.0", "0.2.1"],
        "features": FEATURES,
        "in_process": true,
    })
}

/// The adapter: the library, and the modules that were sent.
struct Adapter {
    host: Host,
    kept: HashMap<String, Value>,
    /// The scenario that may continue.
    last: Option<Proxy>,
}

impl Adapter {
    /// Runs a scenario, and answers what was seen.
    fn run(&mut self, request: &Value) -> Result<Value, String> {
        self.last = None;
        let mut proxy = Proxy::new(&self.host, request["trace"] == true);
        for plugin in list(request, "plugins") {
            let (settings, guest) = (&plugin["settings"], &plugin["guest"]);
            if let Err(reason) = proxy.start(settings, guest, &self.module(guest)?) {
                let event = json!({ "event": "refused", "plugin": settings["name"], "reason": reason });
                proxy.services.desk().event(event);
                return Ok(ran(&proxy));
            }
        }
        let answer = steps(&mut proxy, request);
        self.last = Some(proxy).filter(|_| request["keep"] == true);
        answer
    }

    /// Continues the last scenario.
    fn more(&mut self, request: &Value) -> Result<Value, String> {
        steps(self.last.as_mut().ok_or("there is no scenario that could continue")?, request)
    }

    /// The module of a plugin: one that was kept, perhaps with a script at its offset.
    fn module(&self, guest: &Value) -> Result<Vec<u8>, String> {
        let shape = &guest["shape"];
        let id = guest["module"].as_str().or(shape["id"].as_str()).unwrap_or_default();
        let module = self.kept.get(id).ok_or_else(|| format!("no module {id:?} was sent before"))?;
        let (mut wasm, script) = (base64(&module["wasm"])?, base64(&shape["script"])?);
        let offset = module["offset"].as_u64().unwrap_or_default() as usize;
        let place = wasm.get_mut(offset..offset + script.len()).ok_or("the script does not fit")?;
        place.copy_from_slice(&script);
        Ok(wasm)
    }
}

/// Does steps, and answers what was seen.
fn steps(proxy: &mut Proxy, request: &Value) -> Result<Value, String> {
    for (index, step) in list(request, "steps").enumerate() {
        proxy.services.desk().event(json!({ "event": "step", "index": index }));
        proxy.step(step)?;
    }
    Ok(ran(proxy))
}

fn ran(proxy: &Proxy) -> Value {
    json!({ "type": "ran", "events": proxy.services.desk().take_events() })
}

fn list<'a>(request: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    request[key].as_array().into_iter().flatten()
}

fn base64(value: &Value) -> Result<Vec<u8>, String> {
    STANDARD.decode(value.as_str().unwrap_or_default()).map_err(|error| format!("not base64: {error}"))
}

/// Answers requests until the harness says `stop` or is gone.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::new(&Engine::new()?)?;
    let mut adapter = Adapter { host, kept: HashMap::new(), last: None };
    for line in io::stdin().lines() {
        let answer = match serde_json::from_str::<Value>(&line?) {
            Err(error) => Err(format!("not a JSON object: {error}")),
            Ok(request) => match request["type"].as_str() {
                Some("start") => Ok(about()),
                Some("shape" | "module") => {
                    adapter.kept.insert(request["id"].as_str().unwrap_or_default().to_owned(), request);
                    Ok(json!({ "type": "kept" }))
                }
                Some("run") => adapter.run(&request).map_err(|context| format!("{}: {context}", request["id"])),
                Some("more") => adapter.more(&request),
                Some("stop") => break,
                _ => Err(format!("this adapter does not know the request {}", request["type"])),
            },
        };
        let answer = answer.unwrap_or_else(|context| json!({ "type": "errored", "context": context }));
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(())
}
