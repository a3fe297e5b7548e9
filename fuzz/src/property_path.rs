//! The target `property_path`: any bytes as the path of a property, read, set and read again.
//!
//! What was set is read back; a call that failed has set nothing; two reads in a row answer the same.

use pw_abi::{Status, Version};
use pw_cases::data::Data;
use pw_cases::lower::out_lanes;
use pw_cases::report::decode;
use pw_cases::scenario::{Guest, Plugin, Scenario, Step};
use pw_cases::script::{self, Act, Action, Entry, Lane, Script};
use pw_cases::transcript::{Event, Returned, Transcript};

use crate::judged::{host, predicted};
use crate::streams;

const GET: &str = "proxy_get_property";
const SET: &str = "proxy_set_property";
/// What is set.
const VALUE: &str = "a value";
/// Where the paths are tried: without a stream, and on one.
const PLACES: [&str; 2] = ["proxy_on_configure", "proxy_on_request_headers"];
/// What is done in each place.
const CALLS: [&str; 4] = [GET, GET, SET, GET];

/// What a call answered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: String,
    value: Option<Vec<u8>>,
}

/// See above.
pub fn property_path(path: &[u8]) {
    let scenario = scenario(path);
    let transcript = host().run(&scenario).expect("the probe reports what the host saw");
    let answers = answers(&decode(transcript, &scenario));
    let [[a, b, c, d], stream @ ..] = answers.as_chunks::<4>().0 else { panic!("the plugin has not started") };
    let at_start = [a, b, c, d].map(Clone::clone);
    if let Err(wrong) = [&at_start[..]].into_iter().chain(stream.iter().map(|it| &it[..])).try_for_each(judge) {
        panic!("the path {}: {wrong}", Data(path.to_vec()));
    }
    predicted(scenario);
}

fn judge(answers: &[Answer]) -> Result<(), String> {
    let [first, second, set, third] = answers else { return Err("not all calls were made".to_owned()) };
    let is = |answer: &Answer, statuses: &[&str]| statuses.contains(&answer.status.as_str());
    if first != second {
        return Err(format!("read twice it is {first:?} and then {second:?}"));
    }
    if !is(first, &["OK", "NOT_FOUND", "SERIALIZATION_FAILURE"]) || !is(set, &["OK", "NOT_FOUND", "INTERNAL_FAILURE"]) {
        return Err(format!("read: {first:?}, set: {set:?}"));
    }
    let expected = match set.status.as_str() {
        "OK" => &Answer { status: "OK".to_owned(), value: Some(VALUE.into()) },
        _ => second,
    };
    if third != expected {
        return Err(format!("after it was set ({}) it is {third:?}, not {expected:?}", set.status));
    }
    Ok(())
}

fn answers(transcript: &Transcript) -> Vec<Answer> {
    let answer = |event: &Event| match event {
        Event::Call { function, status, returned, .. } if [GET, SET].contains(&function.as_str()) => {
            let value = returned.iter().find_map(|(_, value)| match value {
                Returned::Bytes(bytes) => Some(bytes.0.clone()),
                _ => None,
            });
            let status = Status::TABLE.name_of(*status).unwrap_or_default().to_owned();
            Some(Answer { value: value.filter(|_| status == "OK"), status })
        }
        _ => None,
    };
    transcript.events.iter().filter_map(answer).collect()
}

fn scenario(path: &[u8]) -> Scenario {
    let mut script = Script::new(Version::V0_2_1);
    let mut id = 0;
    for place in PLACES {
        let mut entry = Entry::default();
        for name in CALLS {
            entry.actions.push(Action { id, act: call(name, path) });
            id += 1;
        }
        if let Some(number) = script::callback_number(place) {
            script.entries[number].push(entry);
        }
    }
    let mut plugin = Plugin::new("a", Guest::Probe(script));
    "vm".clone_into(&mut plugin.settings.vm_id);
    let headers = Step::RequestHeaders { stream: 0, headers: streams::request(), end_of_stream: true };
    Scenario { plugins: vec![plugin], steps: vec![headers], ..Scenario::default() }
}

fn call(name: &str, path: &[u8]) -> Act {
    let function = pw_abi::host_function(Version::V0_2_1, name).expect("the table has it");
    let bytes = |bytes: &[u8]| [Lane::Address(Data(bytes.to_vec())), Lane::Bits(bytes.len() as u64)];
    let mut lanes = bytes(path).to_vec();
    let mut outs = Vec::new();
    match function.params.iter().find(|param| param.out) {
        Some(value) => out_lanes(value, &[None, None], &mut lanes, &mut outs),
        None => lanes.extend(bytes(VALUE.as_bytes())),
    }
    Act::Call { function, lanes, outs }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: &str, value: Option<&str>) -> Answer {
        Answer { status: status.to_owned(), value: value.map(|value| value.as_bytes().to_vec()) }
    }

    #[track_caller]
    fn check(answers: [Answer; 4], wrong: bool) {
        assert_eq!(judge(&answers).is_err(), wrong, "{:?}", judge(&answers));
    }

    #[test]
    fn what_is_lost_and_what_appears_is_found() {
        let absent = || answer("NOT_FOUND", None);
        let set = || answer("OK", None);
        check([absent(), absent(), set(), answer("OK", Some(VALUE))], false);
        check([absent(), absent(), set(), absent()], true);
        check([absent(), absent(), set(), answer("OK", Some("a valu"))], true);
        check([absent(), absent(), absent(), answer("OK", Some(VALUE))], true);
        check([absent(), answer("OK", Some("")), absent(), absent()], true);
        check([absent(), absent(), answer("BAD_ARGUMENT", None), absent()], true);
    }
}
