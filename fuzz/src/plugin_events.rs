//! The target `plugin_events`: plugins of the SDK kit, made with an SDK, under whatever the world may do.
//!
//! They never trap; and when the same comes to them over and over, they do not take more and more memory, nor does the host.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use pw_abi::Function;
use pw_cases::scenario::Step;
use pw_cases::transcript::Event;
use pw_fuzz::generate;
use pw_host::{Engine, Metering, Module, Observer, PluginConfig, PluginId};
use pw_reference::World;

/// How often the events come; in the second half of that nothing may grow.
const ROUNDS: usize = 32;
/// The plugins, which a target carries with it.
const PLUGINS: [(&str, &[u8]); 3] = [
    ("authorise", include_bytes!("../../cases/plugins/rust-0.2.5/authorise.wasm")),
    ("body", include_bytes!("../../cases/plugins/rust-0.2.5/body.wasm")),
    ("headers", include_bytes!("../../cases/plugins/rust-0.2.5/headers.wasm")),
];

/// See above.
pub fn plugin_events(bytes: &[u8]) {
    let (choice, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let steps = generate::scenario(rest).steps;
    let chosen = MODULES.iter().enumerate().filter(|(number, _)| choice >> number & 1 == 1 || choice & 7 == 0);
    let chosen: Vec<(&str, &Module)> = chosen.map(|(number, module)| (PLUGINS[number].0, module)).collect();
    if let Err(wrong) = run(&chosen, steps) {
        panic!("{wrong}");
    }
}

static MODULES: LazyLock<Vec<Module>> = LazyLock::new(|| {
    let engine = Engine::new(Metering::None).expect("wasmtime runs wherever this is built");
    let load =
        |(_, wasm): (_, &[u8])| Module::new(&engine, wasm).expect("the kit's plugins are modules that the host takes");
    PLUGINS.map(load).to_vec()
});

/// Lets the steps come to the plugins over and over.
fn run(plugins: &[(&str, &Module)], steps: Vec<Step>) -> Result<(), String> {
    let mut world = World::new();
    let most = Most::default();
    world.proxy().observe(Box::new(most.clone()));
    for (name, module) in plugins {
        let config =
            PluginConfig { name: (*name).to_owned(), configuration: b"label".to_vec(), ..PluginConfig::default() };
        world.start(Ok((*module).clone()), config, false);
        faultless(&mut world)?;
    }
    // What ends the plugins, or puts others into their place, would leave nothing to repeat; and these are plugins for HTTP.
    let ends = |step: &Step| matches!(step, Step::Shutdown | Step::Reconfigure { .. });
    let tcp = |step: &Step| matches!(step, Step::Connect { .. } | Step::ClientData { .. } | Step::UpstreamData { .. });
    let stays = |step: &Step| !ends(step) && !tcp(step);
    let steps: Vec<Step> = steps.into_iter().filter(stays).collect();
    let mut half = (0, Default::default());
    for round in 1..=ROUNDS {
        steps.iter().for_each(|step| world.step(step));
        steps.iter().filter_map(Step::stream).for_each(|stream| world.step(&Step::ClientReset { stream }));
        // Calls without an answer end.
        world.step(&Step::Advance { milliseconds: 60_000 });
        faultless(&mut world)?;
        let now = (most.0.load(Ordering::Relaxed), world.proxy().usage());
        if round == ROUNDS / 2 {
            half = now;
        } else if round == ROUNDS && now != half {
            return Err(format!("after {} rounds there are {half:?}, and after {ROUNDS} {now:?}", ROUNDS / 2));
        }
    }
    Ok(())
}

fn faultless(world: &mut World) -> Result<(), String> {
    world.drain("");
    let fault = world.events.iter().find(|event| matches!(event, Event::Fault { .. } | Event::Refused { .. }));
    let wrong = fault.map_or(Ok(()), |fault| Err(fault.to_string()));
    world.events.clear();
    wrong
}

/// The size of the largest memory that was seen.
#[derive(Clone, Default)]
struct Most(Arc<AtomicUsize>);

impl Observer for Most {
    fn callback(&mut self, _: PluginId, _: &'static str, _: &[u32]) {}

    fn returned(&mut self, _: PluginId, _: &'static str, _: Option<u32>) {}

    fn call(&mut self, _: PluginId, _: &'static Function, _: &[u64], _: Option<u32>, memory: &[u8]) {
        self.0.fetch_max(memory.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams;

    #[track_caller]
    fn check(body: &str, wrong: &str) {
        let text = format!(
            r#"(module
                (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
                (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (func (export "proxy_abi_version_0_2_1"))
                (func (export "malloc") (param i32) (result i32) (i32.const 0))
                (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                    {body} (drop (call $log (i32.const 2) (i32.const 0) (i32.const 1))) (i32.const 0)))"#
        );
        let engine = Engine::new(Metering::None).expect("wasmtime runs here");
        let wasm = wat::parse_str(text).expect("the text is a module");
        let module = Module::new(&engine, &wasm).expect("the host takes it");
        let headers = Step::RequestHeaders { stream: 0, headers: streams::request(), end_of_stream: true };
        let found = run(&[("a", &module)], vec![headers]);
        assert!(
            found.as_ref().is_err_and(|found| found.contains(wrong)) || wrong.is_empty() && found.is_ok(),
            "{found:?}"
        );
    }

    #[test]
    fn traps_and_growth_are_found() {
        check("", "");
        check("unreachable", "fault");
        check("(drop (memory.grow (i32.const 1)))", "after 16 rounds");
        let metric = "(i32.store (i32.const 0) (i32.add (i32.const 1) (i32.load (i32.const 0))))
            (drop (call $define (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 16)))";
        check(metric, "metrics: 16");
    }
}
