//! An SDK's badge over all hosts of its records, for shields.io's endpoint.

use pw_harness::record::is_host_name;
use pw_harness::sdk::Standing;
use serde_json::json;

use crate::sdks::Build;

/// The name of its file, of letters, digits, `-`, `_` and `.`.
pub fn file(build: &Build<'_>) -> String {
    let words = build.title();
    let plain = words.split(|c: char| !is_host_name(&format!("x{c}"))).filter(|word| !word.is_empty());
    let name = plain.collect::<Vec<_>>().join("-");
    format!("{}.badge.json", name.trim_start_matches('.'))
}

/// The JSON that shields.io reads from an endpoint.
pub fn json(build: &Build<'_>) -> String {
    let hosts = build.records.len();
    let message = format!(
        "{} of {} plugins, {hosts} {}",
        build.count(Standing::Passes),
        build.kit.len(),
        if hosts == 1 { "host" } else { "hosts" }
    );
    let badge = json!({
        "schemaVersion": 1,
        "label": format!("Proxy-Wasm SDK kit · {}", build.title()),
        "message": message,
        "color": color(build),
    });
    format!("{badge:#}\n")
}

/// Green is for SDKs all of whose plugins pass.
fn color(build: &Build<'_>) -> &'static str {
    let (passing, all) = (build.count(Standing::Passes), build.kit.len());
    let offered = all - build.count(Standing::NotOffered);
    match (passing * 100).checked_div(all) {
        _ if build.count(Standing::NotRun) == offered => "lightgrey",
        Some(100) => "brightgreen",
        Some(_) if passing == offered => "green",
        Some(75..) => "yellow",
        Some(50..) => "orange",
        _ => "red",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdks::builds;
    use crate::sdks::tests::{KIT, judged};
    use pw_harness::verdict::Verdict;

    #[test]
    fn a_badge_is_green_if_all_that_is_offered_passes_on_all_hosts() {
        use Verdict::{Known, Pass, Skip};
        let rows: [(&[[Verdict; 3]], &str, &str); 6] = [
            (&[[Pass, Pass, Pass]], "3 of 4 plugins, 1 host", "green"),
            (&[[Pass, Pass, Skip], [Pass, Pass, Pass]], "3 of 4 plugins, 2 hosts", "green"),
            (&[[Pass, Pass, Pass], [Pass, Pass, Known]], "2 of 4 plugins, 2 hosts", "orange"),
            (&[[Pass, Pass, Skip], [Pass, Pass, Skip]], "2 of 4 plugins, 2 hosts", "orange"),
            (&[[Known, Known, Known]], "0 of 4 plugins, 1 host", "red"),
            (&[[Skip, Skip, Skip]], "0 of 4 plugins, 1 host", "lightgrey"),
        ];
        for (hosts, message, color) in rows {
            let record = |(number, verdicts): (usize, &[Verdict; 3])| {
                let [body, headers, state] = *verdicts;
                judged(&format!("h{number}"), &[("body/a", body), ("headers/b", headers), ("state/c", state)])
            };
            let records: Vec<_> = hosts.iter().enumerate().map(record).collect();
            let badge = json(&builds(&records, &KIT)[0]);
            let badge: serde_json::Value = serde_json::from_str(&badge).expect("it is JSON");
            let label = "Proxy-Wasm SDK kit · s 1.0";
            let expected = json!({ "schemaVersion": 1, "label": label, "message": message, "color": color });
            assert_eq!(badge, expected);
        }
    }

    #[test]
    fn a_kit_without_what_is_not_offered_is_brightly_green() {
        let mut records = [judged("x", &[("body/a", Verdict::Pass)])];
        records[0].header.sdk.as_mut().expect("it has one").not_offered.clear();
        assert!(json(&builds(&records, &["body"])[0]).contains("\"brightgreen\""));
    }

    #[test]
    fn a_file_is_called_as_the_sdk() {
        let rows = [
            ("proxy-wasm", "0.2.5", "proxy-wasm-0.2.5.badge.json"),
            ("@gcoredev/proxy-wasm-sdk-as", "1.2.3", "gcoredev-proxy-wasm-sdk-as-1.2.3.badge.json"),
            ("../x y", "", "-x-y.badge.json"),
        ];
        for (name, version, expected) in rows {
            let mut records = [judged("x", &[])];
            let sdk = records[0].header.sdk.as_mut().expect("it has one");
            (sdk.name, sdk.version) = (name.to_owned(), version.to_owned());
            assert_eq!(file(&builds(&records, &KIT)[0]), expected);
        }
    }
}
