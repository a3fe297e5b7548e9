//! The target `module`: modules that import what the table has, export callbacks, and do anything at all in them.
//!
//! Checked, loaded, started, and given a request and a connection: the host says what it has against them or runs them, and
//! keeps them within their limits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use arbitrary::{Result, Unstructured};
use pw_abi::{Callback, Function, Lane, Version};
use pw_cases::transcript::Event;
use pw_host::{Engine, Interface, Limits, Metering, Module, ModuleError, Observer, PluginConfig, PluginId, Usage};
use pw_reference::World;
use wasm_smith::Config;

use crate::streams;

const LIMITS: Limits = Limits {
    memory: 8 << 20,
    table_elements: 2000,
    fuel: 200_000,
    epochs: 10,
    log_lines: 20,
    log_bytes: 4096,
    held: 4096,
    fields: 4096,
    shared_data: 4096,
    queue: 1024,
    queues: 4,
    metrics: 4,
    calls: 4,
    pending: 4,
    properties: 1024,
    property_source: 1024,
    host_memory: 1 << 20,
    callbacks_per_event: 1000,
};
/// How many callbacks there may be in all; more of them means that something does not come to its end.
const MOST: usize = 5000;

/// See above.
pub fn module(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    if let Ok(wasm) = generate(&mut input)
        && let Err(wrong) = run(&wasm)
    {
        panic!("{wrong}");
    }
}

/// Whether the bytes stand for a module that starts.
pub(crate) fn starts(bytes: &[u8]) -> bool {
    let mut world = World::new();
    let module = generate(&mut Unstructured::new(bytes)).ok().map(|wasm| Module::new(engine(), &wasm));
    module.is_some_and(|module| world.start(module, config(), false))
}

fn engine() -> &'static Engine {
    static ENGINE: LazyLock<Engine> =
        LazyLock::new(|| Engine::new(Metering::Fuel).expect("wasmtime runs wherever this is built"));
    &ENGINE
}

/// A module of the shape that plugins have; in some inputs parts of it are missing.
pub(crate) fn generate(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let version = *input.choose(&Version::FINAL)?;
    let functions: u64 = input.arbitrary()?;
    let exports: u32 = input.arbitrary()?;
    let imports: String = pw_abi::host_functions(version)
        .enumerate()
        .filter(|(number, _)| functions >> (number % 64) & 1 == 1)
        .map(|(_, row)| format!("(import \"{}\" \"{}\" (func {}))", row.module, row.name, signature(row)))
        .collect();
    let rows = pw_abi::callbacks(version).filter(|row| row.section != "integration" || row.name == version.marker());
    let bits = (0..).map(|number| number % 32);
    // Most start functions made at random trap, and most starts made at random fail.
    let rarely = input.ratio(1, 8)?;
    let always = |row: &Callback| row.name == version.marker() || row.name == "proxy_on_memory_allocate" && !rarely;
    let seldom = |row: &Callback| ["integration", "memory_management", "configuration"].contains(&row.section);
    let chosen = rows.zip(bits).filter(|(row, bit)| always(row) || exports >> bit & 1 == 1 && (rarely || !seldom(row)));
    let exported: String =
        chosen.map(|(row, _)| format!("(func (export \"{}\") {} unreachable)", row.name, of(row, version))).collect();
    let memory = if input.ratio(1, 30)? { "" } else { "(memory (export \"memory\") 1)" };
    let wat = |text: &str| wat::parse_str(format!("(module {text})")).expect("the text is made of the table");
    let config = Config {
        available_imports: Some(wat(&imports)),
        exports: Some(wat(&format!("{memory}{exported}"))),
        max_memory32_bytes: 16 << 20,
        memory64_enabled: false,
        gc_enabled: false,
        exceptions_enabled: false,
        max_table_elements: 1000,
        ..Config::default()
    };
    Ok(wasm_smith::Module::new(config, input)?.to_bytes())
}

fn lanes(lanes: impl Iterator<Item = Lane>) -> String {
    lanes.map(|lane| format!(" {}", lane.name())).collect()
}

fn signature(row: &Function) -> String {
    let result = row.result().map_or("", |_| "(result i32)");
    format!("(param{}) {result}", lanes(row.lanes().map(|(_, lane)| lane)))
}

fn of(row: &Callback, version: Version) -> String {
    let result = row.result.map_or("", |_| "(result i32)");
    format!("(param{}) {result}", lanes(row.params(version).map(|param| param.kind.lane())))
}

fn config() -> PluginConfig {
    PluginConfig { name: "a".to_owned(), limits: LIMITS, ..PluginConfig::default() }
}

fn run(wasm: &[u8]) -> std::result::Result<(), String> {
    let interface = Interface::read(wasm).map_err(|error| format!("a valid module is {error}"))?;
    let module = Module::new(engine(), wasm);
    // The static check says the same as the loader, where it is not about the module's code.
    let refused = interface.version().map_or(true, |version| !interface.refusals(version).is_empty());
    match &module {
        Ok(_) if refused => return Err("the module is loaded, although its interface is refused".to_owned()),
        Err(error) if !refused && !matches!(error, ModuleError::Invalid(_) | ModuleError::Limit { .. }) => {
            return Err(format!("not loaded: {error}"));
        }
        _ => {}
    }
    let mut world = World::new();
    let seen = Seen::default();
    world.proxy().observe(Box::new(seen.clone()));
    if world.start(module, config(), false) {
        streams::everything(&mut world);
    }
    let lines = world.events.iter().filter(|event| matches!(event, Event::Log { .. })).count();
    let callbacks = seen.callbacks.load(Ordering::Relaxed);
    // A start has functions before the first callback, and each is allowed a line that says that others were dropped.
    let allowed = (callbacks + 4) * (LIMITS.log_lines + 2);
    within(&world.proxy().usage(), seen.memory.load(Ordering::Relaxed))?;
    if callbacks > MOST || lines > allowed {
        return Err(format!("{callbacks} callbacks, {lines} lines"));
    }
    Ok(())
}

/// What one plugin holds is within its limits.
fn within(usage: &Usage, memory: usize) -> std::result::Result<(), String> {
    let rows = [
        ("bytes of memory", memory, LIMITS.memory),
        ("calls", usage.calls, LIMITS.calls),
        ("bytes of shared data", usage.shared_data, LIMITS.shared_data),
        ("queues", usage.queues, LIMITS.queues),
        ("bytes in queues", usage.queued, LIMITS.queue * LIMITS.queues),
        ("metrics", usage.metrics, LIMITS.metrics),
        // Its own ones, and the two streams.
        ("contexts", usage.contexts, LIMITS.pending + 3),
    ];
    match rows.into_iter().find(|(_, held, most)| held > most) {
        Some((what, held, most)) => Err(format!("the plugin has {held} {what}, and may have {most}")),
        None => Ok(()),
    }
}

/// How many callbacks there were, and the size of the largest memory.
#[derive(Clone, Default)]
struct Seen {
    callbacks: Arc<AtomicUsize>,
    memory: Arc<AtomicUsize>,
}

impl Observer for Seen {
    fn callback(&mut self, _: PluginId, _: &'static str, _: &[u32]) {
        self.callbacks.fetch_add(1, Ordering::Relaxed);
    }

    fn returned(&mut self, _: PluginId, _: &'static str, _: Option<u32>) {}

    fn call(&mut self, _: PluginId, _: &'static Function, _: &[u64], _: Option<u32>, memory: &[u8]) {
        self.memory.fetch_max(memory.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_modules_start() {
        let starting = crate::judged::inputs(100).filter(|bytes| starts(bytes)).count();
        assert!(starting > 5, "{starting}");
    }

    #[test]
    fn what_goes_beyond_a_limit_is_found() {
        let usage = Usage { queues: 4, metrics: 4, ..Usage::default() };
        assert_eq!(within(&usage, LIMITS.memory), Ok(()));
        let usage = Usage { queues: 5, ..usage };
        assert_eq!(within(&usage, 0), Err("the plugin has 5 queues, and may have 4".to_owned()));
    }

    #[test]
    fn bytes_that_are_no_module_are_found() {
        assert!(run(b"\0asm").is_err());
    }
}
