//! A case in words: what is done in each step, by the world and by the plugins, and what is expected then.

use std::fmt::{Display, Write};

use crate::case::{AnyOf, Arguments, CallMade, Case, CaseStep, Does, Expect, GrpcMade, LogLine, Message, Wire};
use crate::format::Node;
use crate::judge::accept_text;
use crate::lower::Lowered;
use crate::script::callbacks;
use crate::want::Want;

/// A case in words, as one of its versions does it.
pub fn script(case: &Case, lowered: &Lowered) -> String {
    let mut text = String::new();
    let mut steps = lowered.scenario.steps.iter().zip(1..);
    // The copies of a repeated step have its line.
    for copies in case.steps.chunk_by(|one, other| one.line == other.line) {
        let step = &copies[0];
        let first = step.step.as_ref().and_then(|_| steps.next());
        steps.by_ref().take(copies.iter().skip(1).filter(|step| step.step.is_some()).count()).for_each(drop);
        match first {
            Some((step, number)) if copies.len() > 1 => {
                let last = number + copies.len() - 1;
                let _ = writeln!(text, "steps {number} to {last}, each: {step}");
            }
            Some((step, number)) => {
                let _ = writeln!(text, "step {number}: {step}");
            }
            None => text += "the start: the host loads and configures the plugins\n",
        }
        guests(&mut text, case, step, lowered);
        expectations(&mut text, &step.expect);
        for (name, expect) in &step.outcomes {
            for line in expect.texts() {
                let _ = writeln!(text, "  expected in the outcome `{name}`: {line}");
            }
        }
    }
    if !case.expect.texts().is_empty() {
        text += "in the whole run\n";
        expectations(&mut text, &case.expect);
    }
    for (name, expect) in &case.outcomes {
        let _ = writeln!(text, "in the outcome `{name}`, which must then hold in full");
        expectations(&mut text, expect);
    }
    text
}

fn expectations(text: &mut String, expect: &Expect) {
    for line in expect.texts() {
        let _ = writeln!(text, "  expected: {line}");
    }
}

/// What the plugins do in a step.
fn guests(text: &mut String, case: &Case, step: &CaseStep, lowered: &Lowered) {
    for does in &step.guest {
        let name = |node: &Node| node.text().unwrap_or_default().to_owned();
        let plugin = match &does.plugin {
            Some(plugin) if case.plugins.len() > 1 => format!(" of plugin {}", name(plugin)),
            _ => String::new(),
        };
        let plugin = plugin + if does.optional { ", if it is called," } else { "" };
        // A check names the callback that a case may leave out.
        let check = lowered.calls.iter().find(|check| check.line == does.line);
        let callback = check.map_or_else(|| name(&does.callback), |check| check.callback.to_owned());
        let _ = match (&does.what, check) {
            (Does::Returns(result), _) => writeln!(text, "  {callback}{plugin} returns {}", node_text(result)),
            (_, Some(check)) => {
                let action = lowered.scenario.action(check.action).map_or_else(String::new, ToString::to_string);
                let accept: Vec<String> = check.accept.iter().map(|accept| accept_text(check, accept)).collect();
                writeln!(text, "  {callback}{plugin} calls {action}\n    expected: {}", accept.join(", or "))
            }
            (Does::Trap, None) => writeln!(text, "  {callback}{plugin} traps"),
            // A version that lacks the function leaves the call out.
            (Does::Call { .. }, None) => Ok(()),
        };
    }
}

fn node_text(node: &Node) -> String {
    match &node.value {
        crate::format::Value::Text(text) => text.clone(),
        crate::format::Value::Integer(number) => number.to_string(),
        crate::format::Value::Boolean(flag) => flag.to_string(),
        _ => String::new(),
    }
}

impl Expect {
    /// Each expectation in words.
    fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let started =
            |started: &bool| if *started { "the plugins are started" } else { "a plugin is refused" }.to_owned();
        texts.extend(any(&self.start, started));
        texts.extend(any(&self.fault, |fault| if *fault { "a fault" } else { "no fault" }.to_owned()));
        texts.extend(any(&self.callbacks, |names| format!("just these callbacks: {}", list(names))));
        texts.extend(self.order.iter().map(|(_, names)| format!("these callbacks, in this order: {}", list(names))));
        texts.extend(self.never.iter().map(|(_, names)| format!("never {}", names.join(", nor "))));
        texts.extend(
            self.log
                .iter()
                .map(|(_, lines)| format!("the log has {}", list(&lines.iter().map(log).collect::<Vec<_>>()))),
        );
        let never = |(_, lines): &(usize, Vec<LogLine>)| {
            format!("the log never has {}", lines.iter().map(log).collect::<Vec<_>>().join(", nor "))
        };
        texts.extend(self.never_log.iter().map(never));
        texts.extend(any(&self.upstream, |wire| format!("the upstream gets {}", wire.text())));
        texts.extend(any(&self.client, |wire| format!("the client gets {}", wire.text())));
        let calls = |calls: &Vec<CallMade>| {
            format!("HTTP calls: {}", list(&calls.iter().map(CallMade::text).collect::<Vec<_>>()))
        };
        texts.extend(any(&self.calls, calls));
        let grpc = |calls: &Vec<GrpcMade>| {
            format!("gRPC calls: {}", list(&calls.iter().map(GrpcMade::text).collect::<Vec<_>>()))
        };
        texts.extend(any(&self.grpc, grpc));
        texts.extend(self.arguments.iter().flat_map(|(_, all)| all).map(Arguments::text));
        texts.extend(self.metrics.iter().flat_map(|(_, all)| all).map(|(name, want)| format!("metric {name}: {want}")));
        texts.extend(any(&self.would, |changes| format!("the log-only plugin would have done: {}", list(changes))));
        let rolled_back = |(_, is): &(usize, bool)| {
            if *is { "the canary is rolled back" } else { "the canary is not rolled back" }.to_owned()
        };
        texts.extend(self.rolled_back.iter().map(rolled_back));
        texts
    }
}

fn any<T>(any: &Option<AnyOf<T>>, text: impl Fn(&T) -> String) -> Option<String> {
    let texts: Vec<String> = any.as_ref()?.of.iter().map(|(alternative, _)| text(alternative)).collect();
    Some(texts.join(", or "))
}

fn list<T: Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

fn log(line: &LogLine) -> String {
    let LogLine { plugin, level, message } = line;
    let parts =
        [level.clone(), message.as_ref().map(Want::to_string), plugin.as_ref().map(|name| format!("by plugin {name}"))];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "a line".to_owned() } else { parts.join(" ") }
}

impl Wire {
    fn text(&self) -> String {
        match self {
            Wire::Nothing => "nothing".to_owned(),
            Wire::Reset => "a reset".to_owned(),
            Wire::Closed => "the end of the connection".to_owned(),
            Wire::Message(message) => message.text(),
        }
    }
}

impl Message {
    pub(crate) fn text(&self) -> String {
        let fields = |fields: &[(String, Vec<Want>)], what: &str| {
            let text = |(name, wants): &(String, Vec<Want>)| format!("{what} {name}: {}", Want::all_text(wants));
            fields.iter().map(text).collect::<Vec<_>>()
        };
        let absent =
            |names: &[String], what: &str| names.iter().map(|name| format!("no {what} {name}")).collect::<Vec<_>>();
        let mut parts: Vec<String> = self.status.iter().map(|want| format!("status {want}")).collect();
        parts.extend(fields(&self.headers, "header"));
        parts.extend(absent(&self.absent, "header"));
        parts.extend(self.body.iter().map(|want| format!("body {want}")));
        parts.extend(fields(&self.trailers, "trailer"));
        parts.extend(absent(&self.absent_trailers, "trailer"));
        parts.extend(self.end_of_stream.map(|end| if end { "its end" } else { "not its end" }.to_owned()));
        if parts.is_empty() { "a message".to_owned() } else { parts.join(", ") }
    }
}

impl CallMade {
    fn text(&self) -> String {
        let upstream = self.upstream.as_ref().map_or(String::new(), |name| format!("to {name} with "));
        upstream + &self.message.text()
    }
}

impl GrpcMade {
    fn text(&self) -> String {
        let names = [("upstream", &self.upstream), ("service", &self.service), ("method", &self.method)];
        let names = names.into_iter().filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?)));
        let metadata = self.metadata.iter().map(|(name, wants)| format!("metadata {name}: {}", Want::all_text(wants)));
        let messages = self.messages.iter().map(|messages| format!("messages {}", list(messages)));
        let flag = |flag: Option<bool>, what: &str| flag.map(|is| format!("{}{what}", if is { "" } else { "no " }));
        let flags = [flag(self.end_of_stream, "end of the plugin's messages"), flag(self.reset, "reset")];
        let parts: Vec<String> = names.chain(metadata).chain(messages).chain(flags.into_iter().flatten()).collect();
        if parts.is_empty() { "one".to_owned() } else { parts.join(", ") }
    }
}

impl Arguments {
    fn text(&self) -> String {
        let bare = self.callback.rsplit('/').next().unwrap_or_default();
        let row = callbacks().find(|row| row.name == bare);
        let name = |place: usize| row.and_then(|row| row.params.get(place)).map_or("argument", |param| param.name);
        let wants = self.wants.iter().map(|(place, want)| format!("{} {want}", name(*place)));
        format!("{} with {}", self.callback, wants.collect::<Vec<_>>().join(", "))
    }
}
