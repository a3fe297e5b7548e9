//! What a case may ask for at most, so that no file makes a run without end, or fills the memory.

use super::complain;
use crate::case::Case;
use crate::format::Read;
use crate::scenario::Step;
use crate::script::{Act, Lane, MEMORY_END, SCRIPT, Script};

/// Steps times plugins: for each of them a script has an entry.
const ENTRIES: usize = 4_000_000;
/// Plugins of a case.
const PLUGINS: usize = 10_000;
/// Ticks that the steps `advance` may make, for each plugin.
const TICKS: u64 = 100_000;

/// Fails if there are too many steps for the number of plugins.
pub(super) fn steps(case: &Case) -> Read<()> {
    let (plugins, steps) = (case.plugins.len(), case.steps.len());
    if let Some(plugin) = case.plugins.get(PLUGINS) {
        return complain(plugin.line, format!("{plugins} plugins: {PLUGINS} are the limit of a case"));
    }
    if plugins.saturating_mul(steps) > ENTRIES {
        let line = case.steps.get(ENTRIES / plugins).map_or(1, |step| step.line);
        return complain(
            line,
            format!("{steps} steps with {plugins} plugins: steps times plugins may be {ENTRIES}, so split the case"),
        );
    }
    Ok(())
}

/// Fails if the steps `advance` make too many ticks by the shortest period that a script sets; that of another module is
/// not known, and may be a millisecond.
pub(super) fn ticks(case: &Case, scripts: &[Script]) -> Read<()> {
    let own_module = case.plugins.iter().any(|plugin| plugin.module.is_some());
    let set = scripts.iter().flat_map(Script::actions).filter_map(|action| match &action.act {
        Act::Call { function, lanes, .. } if function.name == "proxy_set_tick_period_milliseconds" => lanes.first(),
        _ => None,
    });
    let set = set.map(|lane| match lane {
        Lane::Bits(period) => *period & 0xFFFF_FFFF,
        _ => 1,
    });
    let shortest = set.filter(|period| *period > 0).chain(own_module.then_some(1)).min();
    let Some(period) = shortest else { return Ok(()) };
    let mut passed: u64 = 0;
    for step in &case.steps {
        let Some(Step::Advance { milliseconds }) = step.step else { continue };
        passed = passed.saturating_add(milliseconds);
        let ticks = passed / period;
        if ticks > TICKS {
            return complain(
                step.line,
                format!(
                    "`advance` makes {ticks} ticks so far with a tick period of {period} milliseconds, and {TICKS} are the \
                     limit of a case: advance by less, or set a longer period"
                ),
            );
        }
    }
    Ok(())
}

/// Fails if a script does not fit into the probe's memory.
pub(super) fn scripts(case: &Case, scripts: &[Script]) -> Read<()> {
    const ROOM: usize = (MEMORY_END - SCRIPT) as usize;
    for (plugin, script) in case.plugins.iter().zip(scripts) {
        let bytes: usize = script.actions().map(|action| bytes(&action.act)).sum();
        if bytes > ROOM {
            return complain(
                plugin.line,
                format!(
                    "what plugin `{}` does takes {bytes} bytes, and the probe has room for {ROOM}: call less, or with less",
                    plugin.settings.name
                ),
            );
        }
    }
    Ok(())
}

/// The least that an action takes in the probe's memory.
fn bytes(act: &Act) -> usize {
    let Act::Call { lanes, .. } = act else { return 16 };
    let lane = |lane: &Lane| match lane {
        Lane::Bits(_) | Lane::Register(_) => 16,
        Lane::Address(data) => 16 + data.0.len(),
        Lane::Slot(size) => 16 + *size as usize,
        Lane::Iovecs(pieces) => 16 + pieces.iter().map(|piece| 8 + piece.0.len()).sum::<usize>(),
    };
    16 + lanes.iter().map(lane).sum::<usize>()
}
