//! What must hold of a scenario on the reference host. Each is reported as findings; an error is ours.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pw_cases::report::decode;
use pw_cases::scenario::{Guest, Scenario, Step};
use pw_cases::script::{Act, Action};
use pw_cases::transcript::{Event, Transcript};
use pw_reference::Reference;

use crate::drive::{self, silence};
use crate::model::{Finding, Verdict};
use crate::share::joined;

/// The sections whose functions one plugin can see the effects of in another, by ids or by what they share.
const SHARED: [&str; 6] =
    ["shared_key_value_store", "shared_queues", "metrics", "http_calls", "grpc_calls", "randomness"];

const PANICS: &str = "the host panics";
const REPORTS: &str = "what the probe reports";
const TWICE: &str = "the same input twice";
const ONE_BY_ONE: &str = "callbacks one by one";
const ISOLATION: &str = "isolation";
/// What findings of [`beyond`] are about.
pub(crate) const BEYOND: [&str; 5] = [PANICS, REPORTS, TWICE, ONE_BY_ONE, ISOLATION];

/// The model, and no panic. The model knows only what the reference host usually answers to open questions.
pub fn model(host: &Reference, scenario: &Arc<Scenario>) -> Result<Verdict, String> {
    if !scenario.choices.is_empty() {
        return Ok(Verdict::default());
    }
    match catch_unwind(AssertUnwindSafe(|| drive::run(host, scenario))) {
        Ok(verdict) => verdict,
        Err(panic) => {
            let finding = bug(PANICS, &words(&*panic));
            Ok(Verdict { findings: vec![*finding], ..Verdict::default() })
        }
    }
}

/// What the model cannot see: that the probes report what the host saw, that the same input is answered by the same bytes
/// twice, that it does not matter how many callbacks an event may run, and that a plugin does not notice what another does. Some times
/// slower than the model.
pub fn beyond(host: &Reference, scenario: &Scenario) -> Vec<Finding> {
    let all = || {
        let mut loud = scenario.clone();
        silence(&mut loud, false);
        // What a probe cannot log it cannot report.
        loud.plugins.iter_mut().for_each(|plugin| plugin.settings.limits.retain(|name, _| !name.starts_with("log_")));
        let (first, second) = (seen(host, &loud)?, seen(host, &loud)?);
        if let Some((one, other)) = differs(&first, &second) {
            return Err(bug(TWICE, &format!("first {one}, then {other}")));
        }
        one_by_one(host, &loud, &first)?;
        isolated(host, &loud)
    };
    let finding = match catch_unwind(AssertUnwindSafe(all)) {
        Ok(Ok(())) => return Vec::new(),
        Ok(Err(finding)) => finding,
        Err(panic) => bug(PANICS, &words(&*panic)),
    };
    vec![*finding]
}

/// What both the probe and the host see of a scenario.
fn seen(host: &Reference, scenario: &Scenario) -> Result<Transcript, Box<Finding>> {
    let transcript = host.run(&joined(scenario)).map_err(|disagreement| bug(REPORTS, &disagreement))?;
    Ok(decode(transcript, scenario))
}

/// An event runs only one callback, and the rest is done a little later: that ends the same plugins, and where nothing is due for several
/// streams, calls or queues, which may come in another order then, the plugin, its client and its upstream see the same.
fn one_by_one(host: &Reference, scenario: &Scenario, usual: &Transcript) -> Result<(), Box<Finding>> {
    let late = seen(&host.clone().with_callbacks_per_event(1), scenario)?;
    let differing = |(usual, late)| bug(ONE_BY_ONE, &format!("usually {usual}, one by one {late}"));
    if !is_in_order(scenario) {
        let [usual, late] = [usual, &late].map(ends);
        let found = usual.zip(late).filter(|(usual, late)| usual != late);
        return found.map_or(Ok(()), |(usual, late)| Err(differing((format!("{usual:?}"), format!("{late:?}")))));
    }
    let of = |transcript: &Transcript, wanted: Side| Transcript {
        events: transcript.events.iter().filter(|event| side(event) == wanted).cloned().collect(),
    };
    let sides = [Side::Plugin, Side::Upstream, Side::Client];
    let found = sides.into_iter().find_map(|side| differs(&of(usual, side), &of(&late, side)));
    found.map_or(Ok(()), |events| Err(differing(events)))
}

/// Whether what is due is for one plugin on one stream, which asks for nothing that it is called back for.
fn is_in_order(scenario: &Scenario) -> bool {
    const CALLED_BACK: [&str; 3] = ["http_calls", "grpc_calls", "shared_queues"];
    let asks =
        |action: &Action| matches!(action.act, Act::Call { function, .. } if CALLED_BACK.contains(&function.section));
    let mut actions =
        scenario.plugins.iter().filter_map(|plugin| plugin.guest.script()).flat_map(|script| script.actions());
    let opens = |step: &&Step| matches!(step, Step::RequestHeaders { .. } | Step::Connect { .. });
    scenario.plugins.len() == 1
        && scenario.steps.iter().filter(opens).count() <= 1
        && scenario.steps.iter().all(|step| step.plugins().0.is_none())
        && !actions.any(asks)
}

/// How often each plugin was asked whether it is done itself; `None` if one has crashed or was refused, perhaps in what came in another order.
fn ends(transcript: &Transcript) -> Option<BTreeMap<(&str, u32), u32>> {
    let (mut own, mut ends) = (BTreeSet::new(), BTreeMap::new());
    for event in &transcript.events {
        match event {
            Event::Fault { .. } | Event::Refused { .. } => return None,
            Event::Callback { plugin, name, args } => match (name.as_str(), &args[..]) {
                ("proxy_on_context_create", [context, 0]) => _ = own.insert((plugin.as_str(), *context)),
                ("proxy_on_done", [context]) if own.contains(&(plugin.as_str(), *context)) => {
                    *ends.entry((plugin.as_str(), *context)).or_default() += 1;
                }
                _ => {}
            },
            _ => {}
        }
    }
    Some(ends)
}

/// Whose view an event belongs to. Nothing orders one side's against another's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Plugin,
    Upstream,
    Client,
}

fn side(event: &Event) -> Side {
    match event {
        Event::Upstream { .. } => Side::Upstream,
        Event::Client { .. } => Side::Client,
        _ => Side::Plugin,
    }
}

/// What the other plugins see is the same, whether the first is on no stream and hostile, or does nothing at all.
fn isolated(host: &Reference, scenario: &Scenario) -> Result<(), Box<Finding>> {
    let mut hostile = scenario.clone();
    let [first, _, ..] = &mut hostile.plugins[..] else { return Ok(()) };
    first.settings.background = true;
    first.settings.vm_id = "apart".to_owned();
    let name = first.settings.name.clone();
    if let Guest::Probe(script) = &mut first.guest {
        let apart = |act: &Act| {
            matches!(act, Act::Call { function, .. } if !SHARED.contains(&function.section)) || matches!(act, Act::Trap)
        };
        let actions = script.entries.iter_mut().flatten();
        actions.for_each(|entry| entry.actions.retain(|action| apart(&action.act)));
    }
    let mut inert = hostile.clone();
    if let Guest::Probe(script) = &mut inert.plugins[0].guest {
        script.entries.iter_mut().for_each(Vec::clear);
    }
    let (with, without) = (seen(host, &hostile)?, seen(host, &inert)?);
    // A start that fails is reported to the operator, and nothing runs after it.
    if with.events.iter().any(|event| matches!(event, Event::Refused { .. })) {
        return Ok(());
    }
    let differing = |(with, without): (String, String)| {
        bug(ISOLATION, &format!("with a hostile plugin beside it {with}, without {without}"))
    };
    differs(&others(with, &name), &others(without, &name)).map_or(Ok(()), |events| Err(differing(events)))
}

/// What of a transcript is not about a plugin.
fn others(mut transcript: Transcript, name: &str) -> Transcript {
    transcript.events.retain(|event| match event {
        Event::Log { plugin, .. }
        | Event::Fault { plugin, .. }
        | Event::Callback { plugin, .. }
        | Event::Returned { plugin, .. }
        | Event::Call { plugin, .. } => plugin != name,
        _ => true,
    });
    transcript
}

/// The first event that two transcripts do not have in common.
fn differs(one: &Transcript, other: &Transcript) -> Option<(String, String)> {
    let text = |event: Option<&Event>| event.map_or("nothing".to_owned(), Event::to_string);
    let count = one.events.len().max(other.events.len());
    let place = (0..count).find(|place| one.events.get(*place) != other.events.get(*place))?;
    Some((text(one.events.get(place)), text(other.events.get(place))))
}

fn bug(about: &str, message: &str) -> Box<Finding> {
    Box::new(Finding { about: about.to_owned(), message: message.to_owned(), ..Finding::default() })
}

/// What a panic says.
pub fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or("no words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(plugin: &str, line: &str) -> Event {
        Event::Log { plugin: plugin.to_owned(), level: "INFO".to_owned(), message: line.into() }
    }

    #[test]
    fn what_another_plugin_notices_is_told() {
        let with = Transcript { events: vec![log("hostile", "x"), log("b", "one"), log("b", "two")] };
        let without = Transcript { events: vec![log("b", "one")] };
        let others = |transcript: &Transcript| others(transcript.clone(), "hostile");
        let found = differs(&others(&with), &others(&without));
        assert_eq!(found.map(|(with, _)| with), Some(log("b", "two").to_string()));
        assert_eq!(differs(&others(&with), &others(&with)), None);
    }

    /// What the host does with callbacks one by one is held against what it has done as usual: of one stream their order, of several
    /// that plugins end.
    #[test]
    fn another_order_and_another_end_are_told() {
        let host = Reference::new().expect("wasmtime runs here");
        let open = |stream| Step::RequestHeaders { stream, headers: Default::default(), end_of_stream: true };
        for streams in [1, 2] {
            let script = pw_cases::script::Script::new(pw_abi::Version::V0_2_1);
            let plugin = pw_cases::scenario::Plugin { settings: Default::default(), guest: Guest::Probe(script) };
            let steps = (0..streams).map(open).chain([Step::Shutdown]).collect();
            let scenario = Scenario { plugins: vec![plugin], steps, ..Scenario::default() };
            let mut usual = seen(&host, &scenario).map_err(|find| find.message).expect("it runs");
            assert!(one_by_one(&host, &scenario, &usual).is_ok());
            let asked = |event: &Event| matches!(event, Event::Callback { name, .. } if name == "proxy_on_done");
            let last = usual.events.iter().rposition(asked).expect("the plugin ends");
            usual.events.remove(last);
            assert!(one_by_one(&host, &scenario, &usual).is_err(), "{streams} streams");
        }
    }
}
