//! A short soak: what does not depend on time holds, every attack is seen, and wrong arguments are refused.

mod support;

use serde_json::Value;
use support::Folder;

/// As many as there are ways to misbehave.
const KINDS: usize = 72;

#[test]
fn healthy_plugins_do_not_notice_the_others() {
    let folder = Folder::new("soak");
    let bad = KINDS.to_string();
    let said = folder.run(&["soak", "--for", "3s", "--plugins", "100", "--bad", &bad, "--json"]);
    said.check(0, &[]);
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out));
    for side in ["without", "with"] {
        let side = &report[side];
        assert!(count(&side["requests"]) > 0, "{side}");
        assert_eq!((count(&side["lost"]), count(&side["altered"])), (0, 0));
    }
    assert!(count(&report["faults"]) > 0 && count(&report["reloads"]) > 0, "{}", said.out);
    let untimed = rows(&report["promises"]).iter().filter(|promise| promise["timed"] == false);
    let holds: Vec<bool> = untimed.map(|promise| promise["holds"] == true).collect();
    assert_eq!(holds, [true; 7]);
    check_kinds(rows(&report["kinds"]));
    for (others, least) in [("clients", 18), ("servers", 9), ("operator", 13)] {
        let others = rows(&report[others]);
        assert!(others.len() >= least);
        for other in others {
            assert!(count(&other["times"]) > 0, "not seen: {other}");
        }
    }
    check_figures(&report);
}

/// Each way to misbehave was seen: its callbacks ran, or its plugin was refused; most call the host or crash.
fn check_kinds(kinds: &[Value]) {
    assert_eq!(kinds.len(), KINDS, "each misbehaves");
    for kind in kinds {
        let [callbacks, calls, faults, refused] =
            ["callbacks", "calls", "faults", "refused"].map(|what| count(&kind[what]));
        assert!(callbacks + refused > 0, "not seen: {kind}");
        // What these do is their return value, or their memory.
        let quiet = [
            "holds its requests",
            "is never done",
            "keeps all memory",
            "grows its tables",
            "keeps contexts",
            "keeps bodies",
        ];
        let is_quiet = kind["name"].as_str().is_some_and(|name| quiet.iter().any(|quiet| name.starts_with(quiet)));
        assert!(calls + faults + refused > 0 || is_quiet, "it did nothing: {kind}");
    }
}

/// What is reported of memory and work is there, and is of this soak.
fn check_figures(report: &Value) {
    let (memory, work) = (&report["memory_per_plugin"], &report["work_per_event"]);
    let [most, limit] = ["max_bytes", "limit_bytes"].map(|what| count(&memory["bad"][what]));
    assert!(most > limit / 2 && most <= limit, "some plugin fills most of what it may: {memory}");
    assert_eq!(count(&memory["over_the_limit"]), 0);
    assert!(count(&work["max_callbacks_of_a_plugin"]) >= count(&work["callbacks_limit"]), "{work}");
    assert!(count(&work["limit_reached"]) > 0 && count(&work["work_left"]) > 0, "{work}");
    assert_eq!(count(&work["over_the_limit"]), 0);
}

fn count(place: &Value) -> u64 {
    place.as_u64().unwrap_or_else(|| panic!("{place} is not a count"))
}

fn rows(place: &Value) -> &[Value] {
    place.as_array().unwrap_or_else(|| panic!("{place} is not an array"))
}

#[test]
fn a_fleet_of_healthy_plugins_alone_has_no_fault() {
    let folder = Folder::new("soak_healthy");
    let texts = ["3 plugins of which 0 misbehave, 0.01 s, seed 7\n", "all of them", "0 count otherwise, 0 faults\n"];
    folder.run(&["soak", "--for", "10ms", "--plugins", "3", "--bad", "0", "--seed", "7"]).check(0, &texts);
}

#[test]
fn rejects_bad_soak_arguments() {
    let folder = Folder::new("soak_bad");
    let rows: [(&[&str], &str); 8] = [
        (&["--for", "60"], "write a whole number and its unit, such as `60s`"),
        (&["--for", "0s"], "a duration has to be greater than zero"),
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
