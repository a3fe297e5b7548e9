//! The plugins of a scenario: how many, how they are set up, and how their allocators behave.

use std::collections::BTreeMap;

use pw_abi::Version;
use pw_cases::data::Data;
use pw_cases::scenario::{Failure, Guest, LIMITS, Plugin, PluginSettings, Step};
use pw_cases::script::{self, Allocation, Script};

use super::draw::Draw;
use super::values;

/// The plugin that the operator changes.
pub(super) const FIRST: &str = "a";
const NAMES: [&str; 3] = [FIRST, "b", "c"];
/// The plugin that the operator puts in its place.
pub(super) const STANDBY: &str = "d";
/// What a probe may lack; each is another module to compile, so there are few.
const WITHOUT: [&str; 4] = ["proxy_on_done", "proxy_on_log", "proxy_on_request_headers", "proxy_on_context_create"];

/// One plugin mostly, or a chain; and one that waits if a step puts it in another's place.
pub(super) fn plugins(draw: &mut Draw<'_>, version: Version, steps: &[Step]) -> Vec<Plugin> {
    let count = [1, 1, 1, 1, 2, 2, 3][draw.below(7)];
    let mut plugins: Vec<Plugin> = NAMES[..count].iter().map(|name| plugin(draw, name, version)).collect();
    if let [first, second, ..] = &mut plugins[..]
        && draw.chance(25)
    {
        share(first, second);
    }
    if steps.iter().any(|step| step.plugins().1 == Some(STANDBY)) {
        let mut standby = plugin(draw, STANDBY, version);
        standby.settings.standby = true;
        standby.settings.failure = [Failure::Closed, Failure::Open, Failure::Reload][draw.below(3)];
        plugins.push(standby);
    }
    plugins
}

/// The second plugin lives in the first one's VM.
fn share(first: &mut Plugin, second: &mut Plugin) {
    let (Guest::Probe(script), Guest::Probe(other)) = (&mut first.guest, &mut second.guest) else { return };
    // By its contexts the probe knows whose script it follows, and only one plugin's says what allocators do.
    script.without.clear();
    script.allocators = vec!["proxy_on_memory_allocate"];
    *other = script.clone();
    if first.settings.vm_id.is_empty() {
        first.settings.vm_id = "vm".to_owned();
    }
    let PluginSettings { name, configuration, background, standby, failure, .. } = second.settings.clone();
    second.settings = PluginSettings { name, configuration, background, standby, failure, ..first.settings.clone() };
}

fn plugin(draw: &mut Draw<'_>, name: &str, version: Version) -> Plugin {
    let mut script = Script::new(version);
    // Each variant of the probe is compiled, so that the other versions have only the usual one.
    if version == Version::V0_2_1 {
        match draw.below(20) {
            0 => script.allocators = vec!["malloc"],
            1 | 2 => script.allocators = vec!["proxy_on_memory_allocate", "malloc"],
            3 => script.without = vec![*draw.pick(&WITHOUT)],
            _ => {}
        }
    }
    script.allocation = match draw.below(40) {
        0 | 1 => Allocation::Constant(values::allocation(draw)),
        2 => Allocation::Grow,
        3 => Allocation::Trap,
        _ => Allocation::Bump,
    };
    let mut limits = BTreeMap::new();
    for _ in 0..2 {
        if draw.chance(4) {
            let (name, max) = limit(draw);
            limits.insert(name, max);
        }
    }
    let settings = PluginSettings {
        name: name.to_owned(),
        vm_id: (*draw.pick(&["", "vm", "vm", "vm2"])).to_owned(),
        // Plugins with the same module and VM configuration would share a VM.
        vm_configuration: Data::from(name),
        configuration: Data::from(*draw.pick(&["configured", "", "{}"])),
        background: draw.chance(5),
        limits,
        failure: [Failure::Closed, Failure::Closed, Failure::Closed, Failure::Open, Failure::Reload][draw.below(5)],
        capabilities: draw.chance(3).then(|| capabilities(draw, version)),
        environment: (0..draw.below(3)).map(|n| (format!("NAME{n}"), "value".repeat(n))).collect(),
        ..PluginSettings::default()
    };
    Plugin { settings, guest: Guest::Probe(script) }
}

/// What a plugin may call, and which callbacks it gets: all but some. A probe always has its log, through which it reports.
fn capabilities(draw: &mut Draw<'_>, version: Version) -> Vec<String> {
    let functions = pw_abi::host_functions(version).map(|row| row.name).filter(|name| *name != "proxy_log");
    let mut names: Vec<&str> = functions.collect();
    for _ in 0..1 + draw.below(12) {
        names.swap_remove(draw.below(names.len()));
    }
    let lacks = if draw.chance(25) { *draw.pick(&WITHOUT) } else { "" };
    let callbacks = script::callbacks().filter(|row| row.versions.contains(version) && row.name != lacks);
    names.into_iter().chain(["proxy_log"]).chain(callbacks.map(|row| row.name)).map(str::to_owned).collect()
}

/// A limit that a plugin may reach: not those of its memory, as a probe needs a fixed amount, and of the host's, which even a stream takes.
fn limit(draw: &mut Draw<'_>) -> (String, u64) {
    let name = *draw.pick(&LIMITS[2..13]);
    (name.to_owned(), [20, 1, 5, 60][draw.below(4)])
}
