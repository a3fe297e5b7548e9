//! A small record, for tests of what is made of records.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{Case, Counts, Finding, Footer, Header, Program, Record};
use crate::verdict::Verdict;

/// A record of a host, with a line for each id, version and verdict.
pub fn sample(host: &str, verdicts: &[(&str, &str, Verdict)]) -> Record {
    let program = |name: &str, version: &str| Program { name: name.to_owned(), version: version.to_owned() };
    let cases: Vec<Case> = verdicts
        .iter()
        .map(|(id, abi, verdict)| Case {
            id: (*id).to_owned(),
            abi: (*abi).to_owned(),
            level: if *verdict == Verdict::Unspecified { "unspecified" } else { "required" }.to_owned(),
            title: format!("the title of {id}"),
            statement: vec!["logging/log_ok".to_owned()],
            clause: vec!["proxy_log/OK".to_owned()],
            why: None,
            file: format!("cases/catalog/{id}.toml"),
            verdict: *verdict,
            reason: matches!(verdict, Verdict::Known | Verdict::Skip | Verdict::Error | Verdict::Stale)
                .then(|| format!("the reason | of <{verdict}>")),
            link: None,
            question: (*verdict == Verdict::Unspecified).then(|| "which?".to_owned()),
            answer: (*verdict == Verdict::Unspecified).then(|| format!("as {host} does")),
            findings: match verdict {
                Verdict::Fail | Verdict::Known => vec![Finding {
                    line: 12,
                    place: Some("step 2 (request_body), in proxy_on_request_body of plugin plugin".to_owned()),
                    subject: "proxy_log".to_owned(),
                    call: Some("proxy_log(log_level=INFO, message=\"hello\")".to_owned()),
                    expected: "OK".to_owned(),
                    actual: "BAD_ARGUMENT".to_owned(),
                }],
                _ => Vec::new(),
            },
            reproduce: verdict.is_bad().then(|| format!("cargo conform explain {id} --abi {abi} --host {host}")),
        })
        .collect();
    let header = Header {
        suite: program("pw-conform", "0.1.0"),
        host: program(host, "1.2.3"),
        sdk: None,
        adapter: host.to_owned(),
        catalog: cases.iter().map(|case| case.id.as_str()).collect::<BTreeSet<_>>().len(),
        planned: cases.len(),
        lacks: BTreeMap::new(),
        refuses: BTreeMap::new(),
        started: "2026-01-31T12:00:00Z".to_owned(),
    };
    Record { header, footer: Footer { counts: Counts::of(&cases), cut_short: None }, cases }
}
