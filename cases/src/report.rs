//! Reads the probe guest's log lines back into callbacks and calls.

use crate::data::Data;
use crate::scenario::{Guest, Plugin, Scenario};
use crate::script::{self, Act, Action, Form, Lane, Out};
use crate::transcript::{Event, Returned, Transcript};

/// Replaces the probes' log lines by what they report. A line that claims to be one and is not stays a log line.
pub fn decode(transcript: Transcript, scenario: &Scenario) -> Transcript {
    let transcript = joined(transcript);
    let decode = |event: Event| match &event {
        Event::Log { plugin, message, .. } => {
            let line = scenario
                .plugins
                .iter()
                .find(|known| known.settings.name == *plugin)
                .and_then(|plugin| Line::parse(message).and_then(|line| line.event(plugin)));
            line.unwrap_or(event)
        }
        _ => event,
    };
    Transcript { events: transcript.events.into_iter().map(decode).collect() }
}

/// Joins reports that the probes have logged in pieces.
fn joined(transcript: Transcript) -> Transcript {
    let mut events: Vec<Event> = Vec::with_capacity(transcript.events.len());
    for event in transcript.events {
        let rest = match &event {
            Event::Log { message, .. } => {
                Line::parse(message).filter(|line| line.letter == "+").map(|line| line.fields.join(" "))
            }
            _ => None,
        };
        let Some(rest) = rest else {
            events.push(event);
            continue;
        };
        let first = events.iter_mut().rev().find_map(|before| match (before, &event) {
            (Event::Log { plugin, message, .. }, Event::Log { plugin: same, .. }) if plugin == same => Some(message),
            _ => None,
        });
        match first.filter(|message| message.0.starts_with(b"pw ")) {
            Some(message) => message.0.extend_from_slice(rest.as_bytes()),
            None => events.push(event),
        }
    }
    Transcript { events }
}

/// The number of the script that a streamed probe says it has taken.
pub fn taken(message: &Data) -> Option<u32> {
    let line = Line::parse(message).filter(|line| line.letter == "s")?;
    hex(line.fields.first()?).map(|number| number as u32)
}

/// The arguments of a call as people read them, by the script.
pub fn written_args(function: &pw_abi::Function, lanes: &[Lane]) -> Vec<String> {
    let mut lanes = lanes.iter();
    let mut args = Vec::new();
    for param in function.params.iter().filter(|param| !param.out) {
        let lanes: Vec<&Lane> = lanes.by_ref().take(param.lanes.len()).collect();
        args.push(match lanes.as_slice() {
            [Lane::Bits(bits)] => match param.kind {
                pw_abi::Kind::Enum(table) => table.name_of(*bits as u32).map_or(bits.to_string(), str::to_owned),
                _ => bits.to_string(),
            },
            [Lane::Register(_)] => "saved".to_owned(),
            [Lane::Slot(_)] => "out".to_owned(),
            [Lane::Iovecs(pieces), _] => pieces.iter().map(Data::to_string).collect::<Vec<_>>().join("+"),
            [Lane::Address(data), Lane::Bits(size)] if data.0.len() as u64 == *size => match param.kind {
                pw_abi::Kind::Pairs => crate::transcript::pairs_text(&data.0),
                _ => data.to_string(),
            },
            raw => raw.iter().map(|lane| lane_text(lane)).collect::<Vec<_>>().join("+"),
        });
    }
    args
}

fn lane_text(lane: &Lane) -> String {
    match lane {
        Lane::Bits(bits) => format!("{bits:#x}"),
        Lane::Address(_) => "in".to_owned(),
        Lane::Slot(_) => "out".to_owned(),
        Lane::Register(_) => "saved".to_owned(),
        Lane::Iovecs(_) => "iovecs".to_owned(),
    }
}

struct Line<'a> {
    letter: &'a str,
    fields: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn parse(message: &'a Data) -> Option<Line<'a>> {
        let mut fields = message.as_str()?.strip_prefix("pw ")?.split(' ');
        // The number of the line.
        hex(fields.next()?)?;
        Some(Line { letter: fields.next()?, fields: fields.collect() })
    }

    fn event(&self, plugin: &Plugin) -> Option<Event> {
        let Guest::Probe(script) = &plugin.guest else { return None };
        let mut words = self.fields.iter().map_while(|field| hex(field));
        let plugin = plugin.settings.name.clone();
        match self.letter {
            "c" => {
                let row = script::callback(words.next()? as usize)?;
                Some(Event::Callback {
                    plugin,
                    name: row.name.to_owned(),
                    args: words.map(|word| word as u32).collect(),
                })
            }
            "r" => {
                let row = script::callback(words.next()? as usize)?;
                let result = words.next()? as u32;
                Some(Event::Returned { plugin, name: row.name.to_owned(), result: row.result.map(|_| result) })
            }
            "m" => {
                let name = script.allocators.first().copied().unwrap_or("malloc").to_owned();
                Some(Event::Callback { plugin, name, args: vec![words.next()? as u32] })
            }
            "a" => {
                let (id, status) = (words.next()? as u32, words.next()? as u32);
                let Action { act: Act::Call { function, lanes, outs }, .. } =
                    script.actions().find(|action| action.id == id)?
                else {
                    return None;
                };
                let mut fields = self.fields[2..].iter().copied();
                let returned = outs
                    .iter()
                    .map(|out| Some((out.name.to_owned(), returned(out, &mut fields)?)))
                    .collect::<Option<_>>()?;
                let args = written_args(function, lanes);
                Some(Event::Call {
                    plugin,
                    function: function.name.to_owned(),
                    action: Some(id),
                    args,
                    status,
                    returned,
                })
            }
            _ => None,
        }
    }
}

fn returned<'a>(out: &Out, fields: &mut impl Iterator<Item = &'a str>) -> Option<Returned> {
    Some(match out.form {
        Form::Word(_) | Form::Double(_) => {
            let digits = fields.next()?;
            if digits.bytes().all(|digit| digit == b'f') { Returned::Untouched } else { Returned::Number(hex(digits)?) }
        }
        Form::Bytes(..) => {
            let (pointer, size) = (hex(fields.next()?)? as u32, hex(fields.next()?)? as u32);
            let bytes = Data::from_hex(fields.next()?.strip_prefix('x')?)?;
            match (pointer, size) {
                (u32::MAX, u32::MAX) => Returned::Untouched,
                _ if bytes.0.len() == size as usize => Returned::Bytes(bytes),
                (pointer, size) => Returned::Odd { pointer, size },
            }
        }
        Form::Region(..) => {
            let bytes = Data::from_hex(fields.next()?.strip_prefix('x')?)?;
            if bytes.0.iter().all(|byte| *byte == 0xFF) { Returned::Untouched } else { Returned::Bytes(bytes) }
        }
    })
}

fn hex(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_report_are_joined() {
        let log = |plugin: &str, text: &str| Event::Log {
            plugin: plugin.to_owned(),
            level: "INFO".to_owned(),
            message: text.into(),
        };
        let events = vec![
            log("a", "pw 00000000 a 0000"),
            log("b", "pw 00000000 c 1"),
            log("a", "pw 00000001 + 0001 0000"),
            log("b", "its own"),
            log("a", "pw 00000002 + 0000 x"),
            log("b", "pw 00000001 + 2"),
        ];
        let expected = vec![
            log("a", "pw 00000000 a 00000001 00000000 x"),
            log("b", "pw 00000000 c 1"),
            log("b", "its own"),
            log("b", "pw 00000001 + 2"),
        ];
        assert_eq!(joined(Transcript { events }).events, expected);
    }
}
