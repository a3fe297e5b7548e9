//! Scenarios from bytes: small, valid by the table, and hostile where hostile input can find something.
//!
//! Every input switches most sections of the table off, so that the remaining calls interact; the names,
//! keys and ids are few for the same reason. The same bytes always make the same scenario.

mod calls;
mod draw;
mod plugins;
mod values;
mod world;

use pw_abi::{Function, Kind, Version};
use pw_cases::language;
use pw_cases::scenario::{Failure, Guest, Plugin, Scenario, Step};
use pw_cases::script::{self, Act, Action, Entry, Lane};

use self::calls::Caller;
use self::draw::Draw;
use crate::canonical::{begins, canonical};

/// The newer of the allocators.
pub(crate) const ALLOCATOR: &str = "proxy_on_memory_allocate";
/// What a guest with both allocators logs in the newer one's first call.
pub(crate) const ALLOCATES: &str = "the newer allocator";
/// The maximum number of calls in a scenario.
const MAX_CALLS: usize = 40;
/// Calls that end the stream or the plugin, and so are made less often.
const ENDING: [&str; 4] = ["proc_exit", "proxy_close_stream", "proxy_send_local_response", "proxy_done"];
/// Callbacks of a plugin's start. Nothing runs after one that fails, so that few do.
const START: [&str; 3] = ["proxy_on_context_create", "proxy_on_vm_start", "proxy_on_configure"];
/// Callbacks in a plugin's own context, from which it acts on its streams.
const IN_PLUGIN_CONTEXT: [&str; 4] =
    ["proxy_on_tick", "proxy_on_queue_ready", "proxy_on_http_call_response", "proxy_on_foreign_function"];
/// Callbacks that every context gets, whatever the steps are.
const LIFECYCLE: [&str; 4] = ["proxy_on_done", "proxy_on_log", "proxy_on_delete", "proxy_on_context_create"];
/// Callbacks that only TCP connections get, when they are closed.
const CLOSES: [&str; 2] = ["proxy_on_downstream_connection_close", "proxy_on_upstream_connection_close"];

/// The scenario for some bytes; more bytes make a longer one.
pub fn scenario(bytes: &[u8]) -> Scenario {
    let mut draw = Draw::new(bytes);
    let version = match draw.below(10) {
        0 => Version::V0_1_0,
        1 => Version::V0_2_0,
        _ => Version::V0_2_1,
    };
    draw_scenario(draw, version)
}

/// The scenario for some bytes, for a version of the ABI.
pub fn of_version(version: Version, bytes: &[u8]) -> Scenario {
    draw_scenario(Draw::new(bytes), version)
}

fn draw_scenario(mut draw: Draw<'_>, version: Version) -> Scenario {
    let functions = swarm(&mut draw, version);
    let on = |name: &str| functions.iter().any(|row| row.section == name);
    let mut steps = world::steps(&mut draw, version, &on);
    let plugins = plugins::plugins(&mut draw, version, &steps);
    if plugins.iter().any(restarts) && draw.chance(50) {
        world::wait(&mut draw, &mut steps);
    }
    let mut scenario = Scenario { plugins, steps, ..Scenario::default() };
    let awaited = awaited(&mut draw, &functions, &scenario.steps);
    Scripting { draw, version, functions, awaited, caller: Caller::default(), left: MAX_CALLS }.run(&mut scenario);
    canonical(&mut scenario);
    scenario
}

/// Whether a plugin is started again when it has crashed.
fn restarts(plugin: &Plugin) -> bool {
    plugin.settings.failure == Failure::Reload
}

/// Functions that must be called so that the steps have an effect.
fn awaited(draw: &mut Draw<'_>, functions: &[&'static Function], steps: &[Step]) -> Vec<&'static Function> {
    let some = steps.iter().filter_map(|step| match step {
        Step::CallResponse { .. } | Step::CallReset { .. } => Some("proxy_http_call"),
        Step::GrpcInitialMetadata { .. }
        | Step::GrpcMessage { .. }
        | Step::GrpcClose { .. }
        | Step::GrpcReset { .. } => Some(*draw.pick(&["proxy_grpc_call", "proxy_grpc_stream"])),
        Step::Advance { .. } => Some("proxy_set_tick_period_milliseconds"),
        _ => None,
    });
    some.filter_map(|name| functions.iter().copied().find(|row| row.name == name)).collect()
}

/// The functions of the sections that are switched on.
fn swarm(draw: &mut Draw<'_>, version: Version) -> Vec<&'static Function> {
    let (some, others) = (draw.bits(), draw.bits());
    let mask = [some & others, some, some | others][draw.below(3)];
    let sections = pw_abi::SECTIONS.iter().enumerate().filter(|(number, _)| mask >> number & 1 == 1);
    let rows = sections.flat_map(|(_, section)| section.host);
    let some: Vec<_> = rows.filter(|row| row.versions.contains(version)).collect();
    if some.is_empty() { pw_abi::host_functions(version).collect() } else { some }
}

struct Scripting<'a> {
    draw: Draw<'a>,
    version: Version,
    functions: Vec<&'static Function>,
    /// What is to be called early.
    awaited: Vec<&'static Function>,
    caller: Caller,
    /// The number of calls that may still be added.
    left: usize,
}

impl Scripting<'_> {
    /// Writes what the plugins do in the callbacks of the start, and then of each step.
    fn run(&mut self, scenario: &mut Scenario) {
        let begins: Vec<usize> =
            scenario.plugins.iter().map(|plugin| begins(&plugin.settings, &scenario.steps)).collect();
        scenario.plugins.iter_mut().for_each(|plugin| self.allocators(plugin));
        START.into_iter().for_each(|name| self.window(&mut scenario.plugins, name, false));
        self.others(scenario.plugins.as_mut_slice(), &scenario.steps);
        for (number, step) in scenario.steps.iter().enumerate() {
            let also = match step {
                Step::Advance { .. } if !self.has("proxy_set_tick_period_milliseconds") => continue,
                Step::GrpcClose { .. } if self.draw.chance(50) => Some("proxy_on_grpc_receive_trailing_metadata"),
                _ => None,
            };
            if let Some(name) = language::of(step).callback {
                // A step brings its callback to those that are at work by then.
                let at_work = scenario.plugins.iter_mut().zip(&begins).filter(|(_, begins)| **begins <= number);
                self.window(at_work.map(|(plugin, _)| plugin), name, true);
            }
            also.into_iter().for_each(|name| self.window(&mut scenario.plugins, name, true));
            self.others(&mut scenario.plugins, &scenario.steps);
        }
    }

    /// Whether a function may be called.
    fn has(&self, name: &str) -> bool {
        self.functions.iter().any(|row| row.name == name)
    }

    /// A guest with both allocators logs the first call of the newer one.
    fn allocators(&mut self, plugin: &mut Plugin) {
        let Guest::Probe(script) = &mut plugin.guest else { return };
        let number = script::callback_number(ALLOCATOR);
        let log = pw_abi::host_function(self.version, "proxy_log");
        if let (2, Some(number), Some(function)) = (script.allocators.len(), number, log) {
            let message = Lane::Address(ALLOCATES.into());
            let lanes = vec![Lane::Bits(2), message, Lane::Bits(ALLOCATES.len() as u64)];
            let act = Act::Call { function, lanes, outs: Vec::new() };
            script.entries[number].push(Entry { actions: vec![Action { id: 0, act }], result: None });
        }
    }

    /// Callbacks that the step alone does not cause.
    fn others(&mut self, plugins: &mut [Plugin], steps: &[Step]) {
        let connects = steps.iter().any(|step| matches!(step, Step::Connect { .. }));
        let queues = self.has("proxy_enqueue_shared_queue").then_some("proxy_on_queue_ready");
        for name in LIFECYCLE.into_iter().chain(queues).chain(CLOSES.into_iter().filter(|_| connects)) {
            if self.draw.chance(12) {
                self.window(&mut *plugins, name, false);
            }
        }
    }

    /// An entry of a callback for each plugin; the callback that the step causes has most of the calls.
    fn window<'p>(&mut self, plugins: impl IntoIterator<Item = &'p mut Plugin>, name: &'static str, main: bool) {
        let Some(number) = script::callback_number(name) else { return };
        let Some(row) = script::callback(number).filter(|row| row.versions.contains(self.version)) else {
            return;
        };
        for plugin in plugins {
            let crashes = restarts(plugin) || plugin.settings.standby;
            let Guest::Probe(script) = &mut plugin.guest else { continue };
            let mut entry = Entry { actions: Vec::new(), result: self.result(row) };
            let count = if main { 1 + self.draw.below(7) } else { self.draw.below(4) };
            for _ in 0..count.min(self.left) {
                if self.draw.more() {
                    self.act(name, crashes, &mut entry);
                }
            }
            self.left -= entry.actions.len().min(self.left);
            script.entries[number].push(entry);
        }
    }

    /// A call; in a plugin's own context a change of the effective context may come before it. Some plugins crash more often: those that
    /// are started again, and those that may be rolled back.
    fn act(&mut self, callback: &str, crashes: bool, entry: &mut Entry) {
        let mut add = |act| entry.actions.push(Action { id: 0, act });
        let rarely = if START.contains(&callback) { 16 } else { 4 };
        let crashes = if crashes { 8 } else { 75 } * rarely;
        if self.draw.below(crashes) == crashes - 1 {
            return add(Act::Trap);
        }
        let early = !self.awaited.is_empty() && self.draw.chance(25);
        let mut function = if early { self.awaited.swap_remove(0) } else { *self.draw.pick(&self.functions) };
        if ENDING.contains(&function.name) && self.draw.below(rarely) > 0 {
            function = *self.draw.pick(&self.functions);
        }
        if IN_PLUGIN_CONTEXT.contains(&callback)
            && self.draw.chance(15)
            && let Some(effective) = pw_abi::host_function(self.version, "proxy_set_effective_context")
        {
            add(self.caller.call(&mut self.draw, effective, callback));
            let done = pw_abi::host_function(self.version, "proxy_done").filter(|_| self.draw.chance(25));
            function = done.unwrap_or(function);
        }
        add(self.caller.call(&mut self.draw, function, callback));
    }

    /// What a callback returns, if not what it usually does.
    fn result(&mut self, row: &pw_abi::Callback) -> Option<u32> {
        match row.result {
            Some(Kind::Enum(_)) => self.draw.chance(20).then_some(1),
            Some(Kind::Bool) if row.section == "configuration" => (self.draw.below(400) == 399).then_some(0),
            Some(Kind::Bool) => self.draw.chance(25).then_some(0),
            _ => None,
        }
    }
}
