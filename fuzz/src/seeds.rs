//! Where a campaign begins: a few small inputs for each target, from the catalog where it has some, and otherwise the first of
//! seeded ones that reach something new. The same every time, and so little that they fit into the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pw_abi::{Version, pairs};
use pw_cases::case::Case;
use pw_cases::catalog;
use pw_cases::protocol::{Host, Request, Response, Run};
use pw_cases::scenario::{Guest, Scenario, Step};
use pw_cases::script::{Act, Lane};
use pw_fuzz::coverage::Reached;
use pw_fuzz::drive::silence;
use pw_fuzz::{generate, oracle};
use pw_reference::Reference;

use crate::hostcall::reached;
use crate::judged::{host, inputs};
use crate::module;

/// Seeds by name.
pub type Seeds = BTreeMap<String, Vec<u8>>;

/// The maximum size of a seed, in bytes.
const LARGEST: usize = 4096;
/// The maximum number of seeds of each target, but for `hostcall`.
const MOST: usize = 60;

/// The seeds of a target.
pub fn of(target: &str) -> Seeds {
    let all = match target {
        "scenario" => scenarios(60),
        "isolation" => scenarios(20),
        "plugin_events" => scenarios(12).into_iter().map(|(name, bytes)| (name, [&[7], &bytes[..]].concat())).collect(),
        "hostcall" => return hostcall(),
        "pairs" => numbered(lanes(pw_abi::Kind::Pairs).into_iter().chain(headers())),
        "property_path" => numbered(lanes(pw_abi::Kind::Path)),
        "case_text" => texts(),
        "check" => modules(),
        "module" => numbered(inputs(400).filter(|bytes| module::starts(bytes)).take(12)),
        "protocol" => messages(),
        _ => Seeds::new(),
    };
    all.into_iter().filter(|(_, bytes)| bytes.len() <= LARGEST).take(MOST).collect()
}

/// The first seeded inputs by which each function comes to each of its statuses.
pub(crate) fn hostcall() -> Seeds {
    let mut seeds = Seeds::new();
    for bytes in inputs(20_000) {
        let bytes = bytes[..bytes.len().min(200)].to_vec();
        if let Some((function, status)) = reached(&bytes) {
            seeds.entry(format!("{function}-{status}")).or_insert(bytes);
        }
    }
    seeds
}

/// Seeded inputs that reach something new, the later ones not shorter than the first.
fn scenarios(count: usize) -> Seeds {
    let mut reached = Reached::default();
    let new = inputs(2000).filter(|bytes| {
        let mut scenario = generate::scenario(bytes);
        silence(&mut scenario, true);
        oracle::model(host(), &scenario.into()).is_ok_and(|verdict| reached.add(&verdict.coverage))
    });
    let mut new: Vec<Vec<u8>> = new.collect();
    // The last ones were new although much had been reached before.
    new.drain(..new.len().saturating_sub(count));
    numbered(new)
}

fn numbered(all: impl IntoIterator<Item = Vec<u8>>) -> Seeds {
    let all: BTreeSet<Vec<u8>> = all.into_iter().collect();
    all.into_iter().enumerate().map(|(number, bytes)| (format!("{number:02}"), bytes)).collect()
}

fn cases() -> Vec<Case> {
    catalog::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases/catalog")).0
}

fn lowered() -> Vec<(Case, Scenario)> {
    let lowered = |case: Case| {
        let scenario = case.lower(*case.versions.last()?).ok()?.scenario;
        Some((case, scenario))
    };
    cases().into_iter().filter_map(lowered).collect()
}

/// What scripts of the catalog give for parameters of a kind.
fn lanes(kind: pw_abi::Kind) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    for (_, scenario) in lowered() {
        for plugin in &scenario.plugins {
            let Guest::Probe(script) = &plugin.guest else { continue };
            for action in script.actions() {
                let Act::Call { function, lanes, .. } = &action.act else { continue };
                let mut at = 0;
                for param in function.params {
                    if let (true, Some(Lane::Address(data))) = (param.kind == kind && !param.out, lanes.get(at)) {
                        found.insert(data.0.clone());
                    }
                    at += param.lanes.len();
                }
            }
        }
    }
    found
}

/// The headers of the catalog's requests, as the ABI writes them.
fn headers() -> BTreeSet<Vec<u8>> {
    let steps = lowered().into_iter().flat_map(|(_, scenario)| scenario.steps);
    let headers = steps.filter_map(|step| match step {
        Step::RequestHeaders { headers, .. } => {
            Some(pairs::encode(headers.iter().map(|(name, value)| (&name.0[..], &value.0[..]))))
        }
        _ => None,
    });
    headers.take(20).collect()
}

/// The two shortest cases of each section.
fn texts() -> Seeds {
    let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for case in cases() {
        let section = case.id.split('/').next().unwrap_or_default().to_owned();
        sections.entry(section).or_default().push(case.source);
    }
    let mut seeds = Seeds::new();
    for (section, mut texts) in sections {
        texts.sort_by_key(String::len);
        let two = texts.into_iter().take(2).enumerate();
        seeds.extend(two.map(|(number, text)| (format!("{section}-{number}"), text.into_bytes())));
    }
    seeds
}

/// The catalog's modules.
fn modules() -> Seeds {
    let modules =
        lowered().into_iter().flat_map(|(_, scenario)| scenario.plugins).filter_map(|plugin| match plugin.guest {
            Guest::Module(wasm) => Some(wasm).filter(|wasm| wasm.len() <= LARGEST),
            Guest::Probe(_) | Guest::Shaped(..) => None,
        });
    numbered(modules)
}

/// What an adapter may say and hear.
fn messages() -> Seeds {
    let mut seeds = Seeds::new();
    let mut add = |name: String, line: Result<Vec<u8>, serde_json::Error>| {
        seeds.extend(line.ok().map(|line| (name, line)));
    };
    let start = Request::Start { protocol: pw_cases::protocol::PROTOCOL };
    add("start".to_owned(), serde_json::to_vec(&start));
    add("stop".to_owned(), serde_json::to_vec(&Request::Stop));
    let host_itself = Host {
        name: "h".into(),
        version: "1".into(),
        abi: vec![Version::V0_2_1.name().into()],
        features: Vec::new(),
        protocol: pw_cases::protocol::PROTOCOL,
        in_process: false,
    };
    add("host".to_owned(), serde_json::to_vec(&Response::Host(host_itself)));
    add("skipped".to_owned(), serde_json::to_vec(&Response::Skipped { reason: "no".to_owned() }));
    add("errored".to_owned(), serde_json::to_vec(&Response::Errored { context: "no".to_owned() }));
    // It ends plugins that loop for ever, of which the catalog has some.
    let host = Reference::new().expect("wasmtime runs wherever this is built");
    for (case, scenario) in lowered().into_iter().step_by(20) {
        let name = case.id.replace('/', "-");
        if let Ok(transcript) = host.run(&scenario) {
            add(format!("ran-{name}"), serde_json::to_vec(&Response::Ran { events: transcript.events }));
        }
        let run = Run {
            id: case.id,
            abi: Version::V0_2_1.name().to_owned(),
            plugins: Vec::new(),
            steps: scenario.steps,
            hazard: false,
            http1: false,
            choices: Default::default(),
            keep: false,
            trace: false,
        };
        add(format!("run-{name}"), serde_json::to_vec(&Request::Run(run)));
    }
    seeds
}
