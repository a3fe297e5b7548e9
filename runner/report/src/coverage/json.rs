use pw_cases::case::Case;
use serde_json::{Map, Value, json};

use crate::coverage::{Obligation, obligations};
use pw_harness::record::Record;

/// An array of objects, one per obligation and version.
pub fn json(cases: &[Case], records: &[Record]) -> String {
    let all = obligations(cases, records);
    format!("{:#}\n", Value::Array(all.iter().map(|one| object(one, records)).collect()))
}

fn object(one: &Obligation<'_>, records: &[Record]) -> Value {
    let hosts = records.iter().zip(&one.hosts);
    let hosts: Map<String, Value> = hosts
        .map(|(record, results)| (record.header.host.name.clone(), json!({ "ran": results.ran, "hold": results.hold })))
        .collect();
    json!({
        "abi": one.version.name(),
        "section": one.section.slug,
        "clause": one.clause,
        "cases": one.binding,
        "unspecified": one.open,
        "hosts": hosts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::tests::made_up;

    #[test]
    fn an_object_names_the_cases_that_ran_and_those_that_hold() {
        let (cases, records) = made_up();
        let all: Vec<Value> = serde_json::from_str(&json(&cases, &records)).expect("it is JSON");
        let set = "proxy_set_tick_period_milliseconds/OK";
        let found = all.iter().find(|one| one["clause"] == set && one["abi"] == "0.2.1").expect("it is there");
        let (one, two) = ("timers/one", "timers/two");
        let expected = json!({
            "abi": "0.2.1", "section": "timers", "clause": set, "cases": [one, two], "unspecified": ["timers/three"],
            "hosts": {
                "one": { "ran": [one, two], "hold": [one, two] },
                "two": { "ran": [one, two], "hold": [one] },
            },
        });
        assert_eq!(*found, expected);
    }
}
