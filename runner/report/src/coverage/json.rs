use pw_cases::case::Case;
use serde_json::{Map, Value, json};

use crate::coverage::{Covered, State, covered};
use pw_harness::record::Record;

/// An array of objects, one per statement and version.
pub fn json(cases: &[Case], records: &[Record]) -> String {
    let all = covered(cases, records);
    format!("{:#}\n", Value::Array(all.iter().map(|one| object(one, records)).collect()))
}

fn object(one: &Covered<'_>, records: &[Record]) -> Value {
    let hosts = records.iter().zip(&one.hosts);
    let hosts: Map<String, Value> = hosts
        .map(|(record, results)| (record.header.host.name.clone(), json!({ "ran": results.ran, "hold": results.hold })))
        .collect();
    let state = match one.state(records) {
        State::Bound => "bound",
        State::Written => "written",
        State::Asked => "asked",
        State::Open => "open",
        State::Uncheckable => "uncheckable",
        State::Missing => "missing",
    };
    json!({
        "abi": one.version.name(),
        "section": one.section(),
        "statement": one.statement.id,
        "says": one.statement.says,
        "clause": one.statement.clause,
        "url": one.statement.url(one.version),
        "state": state,
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
        let set = "timers/period_sets";
        let found = all.iter().find(|one| one["statement"] == set && one["abi"] == "0.2.1").expect("it is there");
        let (one, two) = ("timers/one", "timers/two");
        assert_eq!(found["cases"], json!([one, two]));
        assert_eq!((&found["state"], &found["unspecified"]), (&json!("bound"), &json!(["timers/three"])));
        let hosts = json!({
            "one": { "ran": [one, two], "hold": [one, two] },
            "two": { "ran": [one, two], "hold": [one] },
        });
        assert_eq!(found["hosts"], hosts);
    }
}
