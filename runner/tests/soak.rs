//! A short soak: what does not depend on time holds, and what cannot be is told.

mod support;

use serde_json::Value;
use support::Folder;

#[test]
fn healthy_plugins_do_not_notice_the_others() {
    let folder = Folder::new("soak");
    let said = folder.run(&["soak", "--for", "1s", "--plugins", "45", "--bad", "18", "--json"]);
    said.check(0, &[]);
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out));
    let count = |place: &Value| place.as_u64().unwrap_or_else(|| panic!("{place} is no count"));
    for side in ["without", "with"] {
        let side = &report[side];
        assert!(count(&side["requests"]) > 0, "{side}");
        assert_eq!((count(&side["lost"]), count(&side["altered"])), (0, 0));
    }
    assert!(count(&report["faults"]) > 0 && count(&report["reloads"]) > 0, "{}", said.out);
    assert_eq!(report["kinds"].as_array().map(Vec::len), Some(18), "each misbehaves");
    let untimed = report["promises"].as_array().into_iter().flatten().filter(|promise| promise["timed"] == false);
    let holds: Vec<bool> = untimed.map(|promise| promise["holds"] == true).collect();
    assert_eq!(holds, [true, true]);
}

#[test]
fn a_fleet_of_healthy_plugins_alone_has_no_fault() {
    let folder = Folder::new("soak_healthy");
    let texts = ["3 plugins of which 0 misbehave, 0.01 s, seed 7\n", "all of them", "0 count otherwise, 0 faults\n"];
    folder.run(&["soak", "--for", "10ms", "--plugins", "3", "--bad", "0", "--seed", "7"]).check(0, &texts);
}

#[test]
fn what_is_no_soak_is_told() {
    let folder = Folder::new("soak_bad");
    let rows: [(&[&str], &str); 8] = [
        (&["--for", "60"], "write a whole number and its unit, such as `60s`"),
        (&["--for", "0s"], "no time at all is not enough"),
        (&["--for", "1.5s"], "such as `60s`"),
        (&["--plugins", "0"], "0 is not in 1..=10000"),
        (&["--plugins", "10001"], "10001 is not in 1..=10000"),
        (&["--plugins", "20"], "--bad 20 leaves none of --plugins 20 healthy: at most 19 can be bad"),
        (&["--bad", "many"], "invalid value 'many' for '--bad <N>'"),
        (&["--seed", "x"], "invalid value 'x' for '--seed <N>'"),
    ];
    for (args, text) in rows {
        let said = folder.run(&[&["soak"], args].concat());
        said.check(2, &[text]);
        assert_eq!(said.out, "", "{args:?}");
    }
}
