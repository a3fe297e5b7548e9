//! A scenario as it can be streamed: one plugin, one HTTP stream, a script that comes with its request.

use std::collections::BTreeSet;

use pw_abi::{Function, Param};
use pw_cases::data::Data;
use pw_cases::scenario::{Guest, Plugin, Scenario, Step};
use pw_cases::script::{self, Act, Action, Allocation, Lane, MEMORY_END, Script};

use super::rules::{Avoid, ENDING, RULES, With};
use crate::canonical::canonical;

/// What happens before the request, at real times only, or within a call.
const NOT_STREAMED: [&str; 7] = [
    "proxy_on_context_create",
    "proxy_on_vm_start",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_foreign_function",
    "proxy_on_new_connection",
    "proxy_on_memory_allocate",
];
/// Names in these sections last longer than a scenario, so each has its own.
const LASTING: [&str; 3] = ["shared_key_value_store", "shared_queues", "metrics"];
/// Parameters whose small values may be another scenario's.
const IDS: [&str; 7] = ["context_id", "queue_id", "metric_id", "cas", "call_or_stream_id", "stream_id", "call_id"];
/// What is added to them: the lowest bits stay.
const ID_OFFSET: u64 = 0x4000_0000;
/// Milliseconds that do not pass while a scenario runs.
const LONG_MS: u64 = 600_000;
/// The largest place that a call is given to write to.
const MAX_PLACE_BYTES: u32 = 0x1000;

/// The scenario of that number as it can be streamed into `host`; none if nothing is left of it.
pub fn fit(scenario: Scenario, host: &str, number: u64) -> Option<Scenario> {
    let Scenario { plugins, steps, .. } = scenario;
    let Guest::Probe(script) = plugins.into_iter().next()?.guest else { return None };
    let mut steps: Vec<Step> = steps.into_iter().filter(can_be_streamed).collect();
    let begin = steps.iter().position(|step| matches!(step, Step::RequestHeaders { .. }))?;
    steps.drain(..begin);
    without_resets_behind_the_end(&mut steps);
    with_metadata_before_messages(&mut steps);
    let mut script = script_of(script, host, number);
    script.allocation = tame(script.allocation);
    script.allocators = vec!["proxy_on_memory_allocate"];
    script.without.clear();
    steps.extend(endings(&script));
    let mut plugin = Plugin::new("plugin", Guest::Probe(script));
    "vm".clone_into(&mut plugin.settings.vm_id);
    let mut scenario = Scenario { plugins: vec![plugin], steps, ..Scenario::default() };
    canonical(&mut scenario);
    Some(scenario)
}

fn can_be_streamed(step: &Step) -> bool {
    match step {
        Step::CallResponse { .. }
        | Step::CallReset { .. }
        | Step::GrpcInitialMetadata { .. }
        | Step::GrpcMessage { .. }
        | Step::GrpcClose { .. }
        | Step::GrpcReset { .. } => true,
        Step::Connect { .. } | Step::ClientData { .. } | Step::UpstreamData { .. } => false,
        step => step.stream() == Some(0),
    }
}

/// An upstream that has sent all of its response does not reset it.
fn without_resets_behind_the_end(steps: &mut Vec<Step>) {
    let mut ended = false;
    steps.retain(|step| {
        ended |= matches!(
            step,
            Step::ResponseHeaders { end_of_stream: true, .. }
                | Step::ResponseBody { end_of_stream: true, .. }
                | Step::ResponseTrailers { .. }
        );
        !(ended && matches!(step, Step::UpstreamReset { .. }))
    });
}

/// A gRPC server sends initial metadata once, before messages. What hosts make of a second time is in
/// grpc_calls/call_again_behind_a_broken_answer.
fn with_metadata_before_messages(steps: &mut Vec<Step>) {
    let mut begun = BTreeSet::new();
    let old = std::mem::take(steps);
    for step in old {
        match &step {
            Step::GrpcInitialMetadata { call, .. } if !begun.insert(*call) => continue,
            Step::GrpcMessage { call, .. } if begun.insert(*call) => {
                steps.push(Step::GrpcInitialMetadata { call: *call, metadata: Vec::new() });
            }
            _ => {}
        }
        steps.push(step);
    }
}

/// What ends a scenario: the stream and all calls are reset.
fn endings(script: &Script) -> Vec<Step> {
    let count = |names: &[&str]| script.actions().filter(|action| names.contains(&name(action))).count() as u32;
    let calls = (0..count(&["proxy_http_call"])).map(|call| Step::CallReset { call });
    let grpc = (0..count(&["proxy_grpc_call", "proxy_grpc_stream"])).map(|call| Step::GrpcReset { call });
    [Step::ClientReset { stream: 0 }].into_iter().chain(calls).chain(grpc).collect()
}

fn name(action: &Action) -> &'static str {
    match &action.act {
        Act::Call { function, .. } => function.name,
        Act::Trap => "",
    }
}

/// An allocator that leaves the guest as it is for the next script.
fn tame(allocation: Allocation) -> Allocation {
    if let Allocation::Constant(_) = allocation { allocation } else { Allocation::Bump }
}

fn script_of(mut script: Script, host: &str, number: u64) -> Script {
    script.entries.truncate(script::callbacks().count());
    script.roots.clear();
    for (row, entries) in script::callbacks().zip(&mut script.entries) {
        let is_swapped = RULES.swap.iter().any(|swap| swap.host == host && swap.then == row.name);
        if is_swapped || NOT_STREAMED.contains(&row.name) {
            entries.clear();
        }
        for entry in entries {
            let mut ended = false;
            entry.actions.retain_mut(|action| match &mut action.act {
                // The guest is needed further on.
                Act::Trap => false,
                Act::Call { function, lanes, .. } => {
                    if meets_others(function, lanes) {
                        return false;
                    }
                    adjust(function, lanes, number);
                    let is_large = |lane: &Lane| matches!(lane, Lane::Slot(size) if *size > MAX_PLACE_BYTES);
                    let is_avoided = |avoid: &Avoid| {
                        avoid.host == host && (ended || !avoid.again) && avoids(avoid, row.name, function, lanes)
                    };
                    let stays = function.name != "proc_exit"
                        && !lanes.iter().any(is_large)
                        && !RULES.avoid.iter().any(is_avoided);
                    ended |= stays && ENDING.contains(&function.name);
                    stays
                }
            });
        }
    }
    script
}

/// Makes values such that no other scenario's state and no time are met.
fn adjust(function: &Function, lanes: &mut [Lane], number: u64) {
    let mut at = 0;
    for param in function.params {
        let own = &mut lanes[at..];
        at += param.lanes.len();
        match own {
            [Lane::Address(data), Lane::Bits(size), ..] if is_name(function, param) => {
                let own = format!("{number}.").into_bytes();
                *size += own.len() as u64;
                data.0.splice(..0, own);
            }
            [Lane::Address(data), Lane::Bits(size), ..] if param.name == "vm_id" => {
                *data = "vm".into();
                *size = 2;
            }
            [Lane::Bits(bits), ..] if IDS.contains(&param.name) && (1..0x100).contains(bits) => *bits += ID_OFFSET,
            [Lane::Bits(bits), ..] if param.name == "queue_id" && *bits == 0 => *bits = ID_OFFSET,
            [Lane::Bits(bits), ..] if ["tick_period", "timeout"].contains(&param.name) && *bits < LONG_MS => {
                *bits += LONG_MS
            }
            _ => {}
        }
    }
}

/// Whether a name is what lies somewhere in memory, which may be another scenario's too.
fn meets_others(function: &Function, lanes: &[Lane]) -> bool {
    let mut at = 0;
    function.params.iter().any(|param| {
        let own = &lanes[at..];
        at += param.lanes.len();
        is_name(function, param) && !matches!(own, [Lane::Address(_), Lane::Bits(_), ..])
    })
}

fn is_name(function: &Function, param: &Param) -> bool {
    LASTING.contains(&function.section) && !param.out && ["key", "name", "queue_name"].contains(&param.name)
}

fn avoids(row: &Avoid, callback: &str, function: &Function, lanes: &[Lane]) -> bool {
    let here =
        row.function == function.name && (row.within.is_empty() || row.within.iter().any(|within| within == callback));
    let lane = |name: &str, further: usize| {
        let before = function.params.iter().take_while(|param| param.name != name);
        lanes.get(before.map(|param| param.lanes.len()).sum::<usize>() + further)
    };
    here && match &row.with {
        With::Any => true,
        With::Number(name, number) => matches!(lane(name, 0), Some(Lane::Bits(bits)) if bits == number),
        With::AtLeast(name, number) => matches!(lane(name, 0), Some(Lane::Bits(bits)) if bits >= number),
        With::Empty(name) => matches!(lane(name, 1), Some(Lane::Bits(0))),
        With::Unsendable => {
            let is_anything = |name: &str| match (lane(name, 0), lane(name, 1)) {
                (Some(Lane::Bits(at)), Some(Lane::Bits(size))) => *size > 0 && at + size <= u64::from(MEMORY_END),
                _ => false,
            };
            lanes.iter().any(is_unsendable) || ["service_name", "method_name"].into_iter().any(is_anything)
        }
    }
}

/// Whether bytes, or the names and values of a map, are none that HTTP/2 can carry.
fn is_unsendable(lane: &Lane) -> bool {
    let Lane::Address(Data(bytes)) = lane else { return false };
    let is_control = |bytes: &[u8]| bytes.iter().any(|byte| *byte < b' ' || *byte == 0x7f);
    let is_name = |bytes: &[u8]| {
        !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
    };
    match pw_abi::pairs::decode(bytes) {
        Ok(pairs) => pairs.iter().any(|(name, value)| !is_name(name) || is_control(value)),
        Err(_) => is_control(bytes),
    }
}
