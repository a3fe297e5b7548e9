//! A record as a badge, for shields.io's endpoint. It counts required cases of the versions of the ABI that the host runs.

use std::collections::BTreeSet;

use pw_cases::case::Level;
use serde_json::json;

use pw_harness::record::{Case, Record};
use pw_harness::score::{Score, percent};
use pw_harness::verdict::Verdict;

/// The JSON that shields.io reads from an endpoint.
pub fn json(record: &Record) -> String {
    let host = &record.header.host;
    let versions = versions(record);
    let of_these = record.cases.iter().filter(|case| versions.is_empty() || versions.contains(case.abi.as_str()));
    let score = Score::of(of_these, Level::Required);
    let abi: String = versions.iter().map(|version| format!(" {version}")).collect();
    let badge = json!({
        "schemaVersion": 1,
        "label": format!("Proxy-Wasm ABI{abi} · {} {}", host.name, host.version),
        "message": message(record, score),
        "color": color(record, score),
    });
    format!("{badge:#}\n")
}

/// The versions that something was run for.
fn versions(record: &Record) -> BTreeSet<&str> {
    let is_run = |case: &&Case| !matches!(case.verdict, Verdict::Skip | Verdict::Error);
    record.cases.iter().filter(is_run).map(|case| case.abi.as_str()).collect()
}

fn message(record: &Record, score: Score) -> String {
    let Score { conforms, all, .. } = score;
    let part = if is_part(record) { "a part of the catalog: " } else { "" };
    let not_run = match score.not_run() {
        0 => String::new(),
        count => format!(" · {count} not run"),
    };
    format!("{part}{conforms} of {all} required · {}{not_run}", percent(conforms, all))
}

fn color(record: &Record, score: Score) -> &'static str {
    match (score.conforms * 100).checked_div(score.all) {
        _ if score.run == 0 || is_part(record) => "lightgrey",
        Some(100) => "brightgreen",
        Some(90..) => "green",
        Some(75..) => "yellow",
        Some(50..) => "orange",
        _ => "red",
    }
}

/// Whether cases of the catalog are missing in it.
fn is_part(record: &Record) -> bool {
    let ids: BTreeSet<&str> = record.cases.iter().map(|case| case.id.as_str()).collect();
    ids.len() < record.header.catalog
}

#[cfg(test)]
mod tests {
    use super::*;
    use pw_harness::sample::sample;

    #[track_caller]
    fn check(record: &Record, label: &str, message: &str, color: &str) {
        let badge: serde_json::Value = serde_json::from_str(&json(record)).expect("it is JSON");
        let expected = json!({ "schemaVersion": 1, "label": label, "message": message, "color": color });
        assert_eq!(badge, expected);
    }

    #[test]
    fn a_badge_says_of_what_and_how_much_was_not_run() {
        let verdicts = [
            ("a/1", "0.2.1", Verdict::Pass),
            ("a/2", "0.2.1", Verdict::Known),
            ("a/3", "0.2.1", Verdict::Skip),
            ("a/4", "0.2.1", Verdict::Unspecified),
            ("a/1", "0.1.0", Verdict::Skip),
        ];
        let mut record = sample("x", &verdicts);
        let label = "Proxy-Wasm ABI 0.2.1 · x 1.2.3";
        check(&record, label, "1 of 3 required · 33 % · 1 not run", "red");
        record.header.catalog += 1;
        check(&record, label, "a part of the catalog: 1 of 3 required · 33 % · 1 not run", "lightgrey");
        check(&sample("x", &verdicts[..1]), label, "1 of 1 required · 100 %", "brightgreen");
        let nothing = "0 of 1 required · 0 % · 1 not run";
        check(&sample("x", &verdicts[2..3]), "Proxy-Wasm ABI · x 1.2.3", nothing, "lightgrey");
    }

    #[test]
    fn a_host_that_skips_nearly_everything_has_no_green_badge() {
        let ids: Vec<String> = (0..3240).map(|number| format!("a/{number}")).collect();
        let verdict = |number| if number == 0 { Verdict::Pass } else { Verdict::Skip };
        let verdicts: Vec<_> = ids.iter().enumerate().map(|(at, id)| (id.as_str(), "0.2.1", verdict(at))).collect();
        let message = "1 of 3240 required · 1 % · 3239 not run";
        check(&sample("x", &verdicts), "Proxy-Wasm ABI 0.2.1 · x 1.2.3", message, "red");
    }
}
