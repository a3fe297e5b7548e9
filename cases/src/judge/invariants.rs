//! What holds of every run, whatever its case is about.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::Fields;
use crate::judge::Finding;
use crate::lower::Lowered;
use crate::scenario::{Guest, Plugin, Scenario, Step};
use crate::transcript::{Event, Part, Transcript};

/// What of that does not hold.
pub(super) fn broken(lowered: &Lowered, transcript: &Transcript) -> Vec<Finding> {
    let contexts = lowered.scenario.plugins.iter().flat_map(|plugin| {
        let Guest::Probe(script) = &plugin.guest else { return Vec::new() };
        let again =
            |step: &Step| matches!(step, Step::Reconfigure { plugin: other, .. } if *other == plugin.settings.name);
        if lowered.scenario.steps.iter().any(again) {
            // Two plugins of that name run, each with its own contexts.
            return Vec::new();
        }
        if script.without.contains(&"proxy_on_context_create") {
            Vec::new()
        } else {
            contexts(&plugin.settings.name, &cohabitants(plugin, &lowered.scenario.plugins), transcript)
        }
    });
    contexts.chain(messages(&lowered.scenario, transcript)).collect()
}

/// A message on the wire, as far as it was seen.
#[derive(Default)]
struct Seen {
    /// It has its head: the headers that are not informational.
    head: bool,
    /// Its last part has come, or it was reset.
    ended: bool,
}

/// Who receives a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Receiver {
    Upstream,
    Client,
}

/// A message has one head, then perhaps a body, then perhaps trailers, and then nothing. A TCP connection has bytes up to an end.
fn messages(scenario: &Scenario, transcript: &Transcript) -> Vec<Finding> {
    let mut seen: BTreeMap<(Receiver, u32), Seen> = BTreeMap::new();
    let mut connections: BTreeSet<u32> = BTreeSet::new();
    let mut findings = Vec::new();
    for event in &transcript.events {
        let (receiver, stream, part) = match event {
            Event::Step { index } => {
                let step = scenario.steps.get(*index as usize);
                // A stream begins, perhaps in the place of an earlier one.
                if let Some(Step::RequestHeaders { stream, .. } | Step::Connect { stream, .. }) = step {
                    seen.retain(|(_, known), _| known != stream);
                    connections.remove(stream);
                }
                if let Some(Step::Connect { stream, .. }) = step {
                    connections.insert(*stream);
                }
                continue;
            }
            Event::Upstream { stream, part } => (Receiver::Upstream, *stream, part),
            Event::Client { stream, part } => (Receiver::Client, *stream, part),
            _ => continue,
        };
        let message = seen.entry((receiver, stream)).or_default();
        // A plugin may have put a pseudo header into trailers, which makes them look like a head.
        let is_head = matches!(part, Part::Headers { headers, .. } if is_head(headers));
        let wrong = match part {
            Part::Opened => continue,
            Part::Headers { headers, .. } if receiver == Receiver::Client && is_informational(headers) => continue,
            Part::Reset => None,
            _ if message.ended => Some("more after its end"),
            Part::Headers { .. } if is_head && message.head => Some("a second head"),
            Part::Headers { .. } if is_head => None,
            _ if !message.head && !connections.contains(&stream) => Some("a part before its head"),
            Part::Headers { .. } | Part::Body { .. } | Part::Trailers { .. } => None,
        };
        message.head |= is_head;
        message.ended |= match part {
            Part::Headers { end_of_stream, .. } | Part::Body { end_of_stream, .. } => *end_of_stream,
            Part::Trailers { .. } | Part::Reset => true,
            Part::Opened => false,
        };
        if let Some(wrong) = wrong {
            let receiver = if receiver == Receiver::Upstream { "upstream" } else { "client" };
            findings.push(Finding {
                line: 0,
                place: None,
                subject: format!("the message to {receiver} {stream}"),
                call: None,
                expected: "one head, then the body, then trailers, then nothing".to_owned(),
                actual: format!("{wrong}: {event}"),
            });
        }
    }
    findings
}

/// Whether headers begin a message.
fn is_head(headers: &Fields) -> bool {
    headers.iter().any(|(name, _)| matches!(name.0.as_slice(), b":method" | b":status"))
}

fn is_informational(headers: &Fields) -> bool {
    let status = headers.iter().find(|(name, _)| name.0 == b":status");
    status.is_some_and(|(_, status)| matches!(status.0.as_slice(), [b'1', _, _]))
}

/// The plugins of a VM, by name: a fault of one ends the contexts of all. One script is made for each VM.
fn cohabitants<'a>(plugin: &Plugin, plugins: &'a [Plugin]) -> Vec<&'a str> {
    let script = |plugin: &Plugin| plugin.guest.script().map(|script| script.bytes());
    let shares = |other: &&Plugin| {
        other.settings.name == plugin.settings.name
            || !plugin.settings.vm_id.is_empty()
                && other.settings.vm_id == plugin.settings.vm_id
                && script(other) == script(plugin)
    };
    plugins.iter().filter(shares).map(|other| other.settings.name.as_str()).collect()
}

/// A context's callbacks come after its creation and not after its deletion, and an id is not given twice.
fn contexts(plugin: &str, cohabitants: &[&str], transcript: &Transcript) -> Vec<Finding> {
    let mut live: BTreeMap<u32, bool> = BTreeMap::new();
    let mut findings = Vec::new();
    for event in &transcript.events {
        if matches!(event, Event::Fault { plugin: faulted, .. } if cohabitants.contains(&faulted.as_str())) {
            live.clear();
        }
        let Event::Callback { plugin: seen, name, args } = event else { continue };
        let Some(context) = args.first().copied().filter(|_| *seen == plugin && about_context(name)) else { continue };
        let state = live.get(&context).copied();
        let wrong = match (name.as_str(), state) {
            ("proxy_on_context_create", Some(true)) => Some("is created a second time"),
            ("proxy_on_context_create", _) => None,
            (_, Some(true)) => None,
            (_, Some(false)) => Some("was deleted before"),
            (_, None) => Some("was never created"),
        };
        if let Some(wrong) = wrong {
            findings.push(Finding {
                line: 0,
                place: None,
                subject: format!("{name}({context})"),
                call: None,
                expected: "a context that lives".to_owned(),
                actual: format!("context {context} of {plugin} {wrong}"),
            });
        }
        match name.as_str() {
            "proxy_on_context_create" => live.insert(context, true),
            "proxy_on_delete" => live.insert(context, false),
            _ => None,
        };
    }
    findings
}

/// Whether a callback's first argument is a context; that of `proxy_on_vm_start` is not.
fn about_context(name: &str) -> bool {
    let row = crate::script::callbacks().find(|row| row.name == name);
    row.and_then(|row| row.params.first()).is_some_and(|param| param.name.ends_with("context_id"))
}
