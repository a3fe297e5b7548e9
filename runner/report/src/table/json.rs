//! The table as JSON: one array, an object per function and export.

use pw_abi::{Callback, Function, Lane, Version, Versions};
use serde_json::{Value, json};

use crate::table::{callback_lanes, kind, lanes};

/// What `version` has, in the order of the specification.
pub fn json(version: Version) -> String {
    let functions = pw_abi::host_functions(version).map(|row| function(row, version));
    let callbacks = pw_abi::callbacks(version).map(|row| callback(row, version));
    format!("{:#}\n", Value::Array(functions.chain(callbacks).collect()))
}

fn function(row: &Function, version: Version) -> Value {
    let parameters = row
        .params
        .iter()
        .map(|param| json!({ "name": param.name, "kind": kind(param.kind), "out": param.out, "core": param.lanes }));
    json!({
        "name": row.name,
        "module": row.module,
        "kind": "host",
        "section": row.section,
        "params": names(&lanes(row)),
        "results": row.result().map(Lane::name).into_iter().collect::<Vec<_>>(),
        "statuses": row.promises(version).map(|promise| promise.name).collect::<Vec<_>>(),
        "parameters": parameters.collect::<Vec<_>>(),
        "versions": versions(row.versions),
        "url": row.url(version),
        "doc": row.doc,
    })
}

fn callback(row: &Callback, version: Version) -> Value {
    let parameters = row
        .params(version)
        .map(|param| json!({ "name": param.name, "kind": kind(param.kind), "out": false, "core": [param.name] }));
    json!({
        "name": row.name,
        "module": null,
        "kind": "guest",
        "section": row.section,
        "params": names(&callback_lanes(row, version)),
        "results": row.result.map(|kind| kind.lane().name()).into_iter().collect::<Vec<_>>(),
        "statuses": [],
        "parameters": parameters.collect::<Vec<_>>(),
        "versions": versions(row.versions),
        "url": row.url(version),
        "doc": row.doc,
    })
}

fn names(lanes: &[(&'static str, Lane)]) -> Vec<&'static str> {
    lanes.iter().map(|(_, lane)| lane.name()).collect()
}

fn versions(versions: Versions) -> Vec<&'static str> {
    Version::FINAL.into_iter().filter(|version| versions.contains(*version)).map(Version::name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_each_row_with_its_statuses() {
        for version in Version::ALL {
            let table: Vec<Value> = serde_json::from_str(&json(version)).expect("it is an array");
            let count = |row: &Value| row["statuses"].as_array().map_or(0, Vec::len);
            let actual: Vec<_> =
                table.iter().map(|row| (row["name"].as_str().unwrap_or_default(), count(row))).collect();
            let functions = pw_abi::host_functions(version).map(|row| (row.name, row.promises(version).count()));
            let callbacks = pw_abi::callbacks(version).map(|row| (row.name, 0));
            assert_eq!(actual, functions.chain(callbacks).collect::<Vec<_>>(), "{version}");
        }
    }

    #[test]
    fn an_object_says_what_its_row_says() {
        let table: Vec<Value> = serde_json::from_str(&json(Version::V0_2_1)).expect("it is an array");
        let row = table.iter().find(|row| row["name"] == "proxy_get_header_map_value").expect("it is there");
        assert_eq!(row["module"], "env");
        assert_eq!(row["section"], "http_fields");
        assert_eq!(row["params"], json!(["i32", "i32", "i32", "i32", "i32"]));
        assert_eq!(row["results"], json!(["i32"]));
        assert_eq!(row["statuses"], json!(["OK", "BAD_ARGUMENT", "NOT_FOUND", "INVALID_MEMORY_ACCESS"]));
    }
}
