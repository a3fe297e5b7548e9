//! Runs the scenarios of pw-conform on your host: a JSON object a line on standard input, an answer a line on standard
//! output. Fill in the places marked TODO, in their order: `pw-conform smoke --host target/debug/adapter` says which one is
//! next, docs/adapters.md describes every message. What it prints to standard error is shown when it fails.
#![expect(dead_code, reason = "what is below is used when the TODOs are done; then take this line out")]

use std::collections::HashMap;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// TODO 1: the name and version of your host, the ABI versions that it implements, the features that this adapter can use.
fn about() -> Value {
    json!({ "type": "host", "protocol": 2, "name": "my-host", "version": "0.1.0", "abi": ["0.2.1"], "features": ["http"] })
}

/// Why a scenario ends early.
enum End {
    /// The host did not accept a plugin, or crashed. This is the last event:
    /// `{"event": "refused", "plugin": "plugin", "reason": "the words of your host"}` or `{"event": "died", "how": "SIGSEGV"}`.
    Last(Value),
    /// This program failed, and how.
    Failed(String),
}

/// Your host, for one scenario. What is seen of it is added to `events`, in the order in which it was seen.
struct Host {
    events: Vec<Value>,
}

impl Host {
    /// Starts the host with a chain of plugins: for each its settings and the bytes of its module.
    fn start(&mut self, plugins: &[(&Value, Vec<u8>)]) -> Result<(), End> {
        plugins.iter().try_for_each(|(settings, wasm)| {
            // TODO 2: start your host, and have it load `wasm` with raw(&settings["configuration"]) and
            // raw(&settings["vm_configuration"]); the log level has to be TRACE. If it does not accept the module: End::Last.
            let name = &settings["name"];
            Err(End::Failed(format!("TODO 2: load plugin {name}, a module of {} bytes", wasm.len())))
        })
    }

    /// Waits until nothing more is going to happen, and adds what was seen since the last time.
    fn settle(&mut self) -> Result<(), End> {
        // TODO 3: the lines that plugins logged, each without what your host puts in front of it:
        //   json!({ "event": "log", "plugin": "plugin", "level": "INFO", "message": text(line) })
        // TODO 5: what your upstream and your client received, piece by piece:
        //   json!({ "event": "upstream", "stream": 0, "part": { "part": "headers", "headers": [[":path", "/"]], "end_of_stream": true } })
        //   json!({ "event": "client", "stream": 0, "part": { "part": "body", "body": text(piece), "end_of_stream": true } })
        Err(End::Failed("TODO 3: read the log, and wait until nothing more is going to happen".to_owned()))
    }

    /// Does a step, and does not wait for its consequences.
    fn act(&mut self, step: &Value) -> Result<(), End> {
        // TODO 4: the client sends `request_headers` to your host, the upstream sends `response_headers`, and so on.
        Err(End::Failed(format!("TODO 4: do the step {}", step["do"])))
    }

    /// Stops the host, whatever happened before.
    fn stop(&mut self) {
        // TODO 6: end every process that start() has started.
    }

    fn run(&mut self, plugins: &[(&Value, Vec<u8>)], steps: &[Value]) -> Result<(), End> {
        self.start(plugins)?;
        self.settle()?;
        for (index, step) in steps.iter().enumerate() {
            self.events.push(json!({ "event": "step", "index": index }));
            self.act(step)?;
            self.settle()?;
        }
        Ok(())
    }
}

/// The bytes of a string of the protocol, or of `{"hex": "00ff"}`.
fn raw(data: &Value) -> Vec<u8> {
    match data["hex"].as_str() {
        Some(hex) => {
            (0..hex.len() / 2).filter_map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()).collect()
        }
        None => data.as_str().unwrap_or_default().into(),
    }
}

/// Bytes as the protocol has them: a string if they are UTF-8, else `{"hex": "00ff"}`.
fn text(data: &[u8]) -> Value {
    match std::str::from_utf8(data) {
        Ok(text) => json!(text),
        Err(_) => json!({ "hex": data.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    }
}

fn base64(value: &Value) -> Result<Vec<u8>, String> {
    STANDARD.decode(value.as_str().unwrap_or_default()).map_err(|error| error.to_string())
}

/// The module of a plugin: one that was kept, perhaps with a script at its offset.
fn module(guest: &Value, kept: &HashMap<String, Value>) -> Result<Vec<u8>, String> {
    let shape = &guest["shape"];
    let id = guest["module"].as_str().or(shape["id"].as_str()).unwrap_or_default();
    let module = kept.get(id).ok_or_else(|| format!("no module {id:?} was sent before"))?;
    let (mut wasm, script) = (base64(&module["wasm"])?, base64(&shape["script"])?);
    let offset = module["offset"].as_u64().unwrap_or(0) as usize;
    let place = wasm.get_mut(offset..offset + script.len()).ok_or("the script does not fit")?;
    place.copy_from_slice(&script);
    Ok(wasm)
}

/// Runs a scenario, and answers what was seen.
fn run(request: &Value, kept: &HashMap<String, Value>) -> Result<Value, String> {
    let list = |key: &str| request[key].as_array().cloned().unwrap_or_default();
    let (plugins, steps) = (list("plugins"), list("steps"));
    let chain = plugins.iter().map(|plugin| Ok((&plugin["settings"], module(&plugin["guest"], kept)?)));
    let chain: Vec<(&Value, Vec<u8>)> = chain.collect::<Result<_, String>>()?;
    let mut host = Host { events: Vec::new() };
    let outcome = host.run(&chain, &steps);
    host.stop();
    match outcome {
        Ok(()) => {}
        Err(End::Last(event)) => host.events.push(event),
        Err(End::Failed(context)) => return Err(format!("{}: {context}", request["id"])),
    }
    Ok(json!({ "type": "ran", "events": host.events }))
}

/// Answers requests until the harness says `stop` or is gone. What this program cannot do is an answer, too; it never guesses.
fn main() -> io::Result<()> {
    let mut kept = HashMap::new();
    for line in io::stdin().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let answer = match request["type"].as_str() {
            Some("start") => Ok(about()),
            Some("shape" | "module") => {
                kept.insert(request["id"].as_str().unwrap_or_default().to_owned(), request);
                Ok(json!({ "type": "kept" }))
            }
            Some("run") => run(&request, &kept),
            Some("stop") => break,
            other => Err(format!("this adapter does not know the request {other:?}")),
        };
        let answer = answer.unwrap_or_else(|context| json!({ "type": "errored", "context": context }));
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(())
}
