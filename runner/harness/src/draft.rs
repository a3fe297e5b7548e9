//! The beginning of a file with expected failures: an entry per cause of what failed in a run, whose `why` is empty. Such a
//! file is refused until somebody has filled in why the host does that, and why it is not an error of the case. Functions that
//! the host does not link are entries with `lacks`, without cases. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use pw_abi::{Version, host_function};

use crate::record::{Case, Finding};
use crate::summary::cause;
use crate::verdict::Verdict;

/// The file, for the lines of a run; it has no entries if nothing failed.
pub fn draft(host: &str, cases: &[Case]) -> String {
    let mut entries: BTreeMap<(String, Vec<Version>), Entry<'_>> = BTreeMap::new();
    for (id, lines) in by_id(cases) {
        let failed = lines.iter().copied().filter(|line| line.verdict == Verdict::Fail);
        let (lacking, failed): (Vec<&Case>, Vec<&Case>) = failed.partition(|line| lacks(line).next().is_some());
        let judged = |line: &&&Case| !matches!(line.verdict, Verdict::Skip | Verdict::Error | Verdict::Fail);
        let fails_always = lacking.is_empty() && !lines.iter().any(|line| judged(&line));
        let mut causes: BTreeMap<String, Vec<&Case>> = BTreeMap::new();
        failed.iter().for_each(|line| causes.entry(cause(line)).or_default().push(line));
        for (cause, lines) in &causes {
            let versions: Vec<Version> = lines.iter().filter_map(|line| Version::parse(&line.abi)).collect();
            // No version: an entry for all.
            let ranges = if fails_always && causes.len() == 1 { vec![Vec::new()] } else { ranges(&versions) };
            for range in ranges {
                let entry = entries.entry((cause.clone(), range)).or_insert_with(|| Entry::new(lines[0]));
                entry.cases.insert(id);
                entry.clauses.extend(lines[0].clause.iter().map(String::as_str));
            }
        }
    }
    let mut text = format!(
        "# Failures of {host}, drafted from a run. Fill in each `why`, and check each `does`, before you use it.\n"
    );
    for (versions, functions) in lacking(cases) {
        let _ = writeln!(text, "\n[[known]]\nlacks = {}\n{}why = \"\"", list(&functions), abi(&versions));
    }
    for ((_, versions), entry) in &entries {
        entry.write(&mut text, versions);
    }
    text
}

/// The lines of each case, in the order of their ids.
fn by_id(cases: &[Case]) -> BTreeMap<&str, Vec<&Case>> {
    let mut ids: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    cases.iter().for_each(|case| ids.entry(&case.id).or_default().push(case));
    ids
}

/// The functions that the host does not link, by the versions of an entry about them; none means all.
fn lacking(cases: &[Case]) -> BTreeMap<Vec<Version>, BTreeSet<&str>> {
    let mut functions: BTreeMap<&str, Vec<Version>> = BTreeMap::new();
    for line in cases.iter().filter(|line| line.verdict == Verdict::Fail) {
        lacks(line).for_each(|name| functions.entry(name).or_default().extend(Version::parse(&line.abi)));
    }
    let is_judged = |line: &Case| !matches!(line.verdict, Verdict::Skip | Verdict::Error);
    let judged: BTreeSet<&str> = cases.iter().filter(|line| is_judged(line)).map(|line| line.abi.as_str()).collect();
    let mut entries: BTreeMap<Vec<Version>, BTreeSet<&str>> = BTreeMap::new();
    for (name, versions) in functions {
        // Elsewhere the host may link it, and then an entry for all versions would be stale.
        let may_link = |version: &Version| {
            judged.contains(version.name()) && !versions.contains(version) && host_function(*version, name).is_some()
        };
        let ranges = if Version::ALL.iter().any(may_link) { ranges(&versions) } else { vec![Vec::new()] };
        ranges.into_iter().for_each(|range| _ = entries.entry(range).or_default().insert(name));
    }
    entries
}

/// The functions that the host does not link, if the case failed for that.
fn lacks(line: &Case) -> impl Iterator<Item = &str> {
    line.findings.iter().filter_map(Finding::lacking)
}

/// The versions in runs of neighbours.
fn ranges(versions: &[Version]) -> Vec<Vec<Version>> {
    let mut ranges: Vec<Vec<Version>> = Vec::new();
    let mut is_open = false;
    for version in Version::ALL {
        match (versions.contains(&version), is_open, ranges.last_mut()) {
            (true, true, Some(range)) => range.push(version),
            (true, ..) => ranges.push(vec![version]),
            (false, ..) => {}
        }
        is_open = versions.contains(&version);
    }
    ranges
}

struct Entry<'a> {
    cases: BTreeSet<&'a str>,
    clauses: BTreeSet<&'a str>,
    first: &'a Case,
}

impl<'a> Entry<'a> {
    fn new(first: &'a Case) -> Entry<'a> {
        Entry { cases: BTreeSet::new(), clauses: BTreeSet::new(), first }
    }

    fn write(&self, text: &mut String, versions: &[Version]) {
        let does = match self.first.findings.first() {
            Some(finding) => format!("{}: {}, where {} is expected", finding.subject, finding.actual, finding.expected),
            None => String::new(),
        };
        let _ = write!(text, "\n[[known]]\ncase = {}\n{}", list(&self.cases), abi(versions));
        // Cases of the SDK kit have none, and nor have the expected failures of an SDK.
        if !self.clauses.is_empty() {
            let _ = writeln!(text, "clause = {}", list(&self.clauses));
        }
        let _ = writeln!(text, "does = {}\nwhy = \"\"", quoted(&does));
    }
}

/// The line with a run of versions, if the entry is not for all.
fn abi(versions: &[Version]) -> String {
    match (versions.first(), versions.last()) {
        (Some(since), Some(until)) if since == until => format!("abi = {}\n", quoted(since.name())),
        (Some(since), Some(until)) => format!("abi = {}\n", quoted(&format!("{since}..{until}"))),
        _ => String::new(),
    }
}

fn list(items: &BTreeSet<&str>) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    match items.as_slice() {
        [one] => one.clone(),
        _ => format!("[\n  {},\n]", items.join(",\n  ")),
    }
}

/// A text as a basic string of TOML, for which JSON's escapes are right but for one character.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use pw_cases::known::ExpectedFailures;

    use super::*;
    use crate::sample::sample;

    #[test]
    fn failures_are_entries_by_cause_and_versions() {
        let mut record = sample(
            "x",
            &[
                ("a/1", "0.1.0", Verdict::Fail),
                ("a/1", "0.2.0", Verdict::Fail),
                ("a/1", "0.2.1", Verdict::Skip),
                ("a/2", "0.1.0", Verdict::Fail),
                ("a/2", "0.2.0", Verdict::Pass),
                ("a/2", "0.2.1", Verdict::Fail),
                ("b/3", "0.2.1", Verdict::Fail),
                ("b/4", "0.2.1", Verdict::Known),
                ("b/5", "0.2.1", Verdict::Error),
            ],
        );
        record.cases[6].findings[0].actual = "\"a \u{7f}\n".to_owned();
        let text = draft("x", &record.cases);
        let entry = |rest: &str, actual: &str| {
            format!(
                "\n[[known]]\n{rest}clause = \"proxy_log/OK\"\ndoes = \"proxy_log: {actual}, where OK is expected\"\nwhy = \"\"\n"
            )
        };
        let entries: Vec<String> = vec![
            entry("case = \"a/1\"\n", "BAD_ARGUMENT"),
            entry("case = \"a/2\"\nabi = \"0.1.0\"\n", "BAD_ARGUMENT"),
            entry("case = \"a/2\"\nabi = \"0.2.1\"\n", "BAD_ARGUMENT"),
            entry("case = \"b/3\"\n", "\\\"a \\u007f\\n"),
        ];
        assert_eq!(text.split_once('\n').map(|(_, rest)| rest), Some(entries.concat().as_str()));
        let error = ExpectedFailures::parse("known.toml", &text).expect_err("nobody has said why");
        assert_eq!(
            error.to_string(),
            "known.toml:7: this is empty: write why the host differs, or what it does (docs/verdicts.md has an example)"
        );
        assert!(ExpectedFailures::parse("known.toml", &text.replace("why = \"\"", "why = \"it is old\"")).is_ok());
        assert!(!draft("x", &record.cases[7..]).contains("[["));
    }

    #[test]
    fn failures_of_an_sdk_have_no_clause() {
        let mut record = sample("x", &[("headers/a", "0.2.1", Verdict::Fail)]);
        record.cases[0].clause.clear();
        let text = draft("x", &record.cases).replace("why = \"\"", "why = \"it is old (src/a:1)\"");
        assert!(ExpectedFailures::parse_of_sdk("known.toml", &text).is_ok(), "{text}");
    }

    #[test]
    fn functions_that_the_host_lacks_are_entries_without_cases() {
        let mut record = sample(
            "x",
            &[
                ("a/1", "0.1.0", Verdict::Fail),
                ("a/1", "0.2.0", Verdict::Fail),
                ("a/2", "0.2.0", Verdict::Fail),
                ("a/3", "0.1.0", Verdict::Fail),
                ("b/4", "0.1.0", Verdict::Pass),
                ("b/4", "0.2.1", Verdict::Skip),
            ],
        );
        let rows = [
            (0, ["proxy_get_configuration", "proxy_get_status"].as_slice()),
            (1, &["proxy_get_status"]),
            (2, &["proxy_continue_stream", "proxy_done"]),
        ];
        for (index, functions) in rows {
            let finding = |name: &&str| {
                let (subject, actual) = ((*name).to_owned(), format!("lacks {name}"));
                Finding { subject, actual, ..record.cases[index].findings[0].clone() }
            };
            record.cases[index].findings = functions.iter().map(finding).collect();
        }
        let text = draft("x", &record.cases);
        let entries = [
            // ABI v0.1.0 has no proxy_continue_stream, and others have no proxy_get_configuration.
            "\n[[known]]\nlacks = [\n  \"proxy_continue_stream\",\n  \"proxy_get_configuration\",\n  \"proxy_get_status\",\n]\n",
            "why = \"\"\n",
            "\n[[known]]\nlacks = \"proxy_done\"\nabi = \"0.2.0\"\nwhy = \"\"\n",
            "\n[[known]]\ncase = \"a/3\"\nclause = \"proxy_log/OK\"\n",
            "does = \"proxy_log: BAD_ARGUMENT, where OK is expected\"\nwhy = \"\"\n",
        ];
        assert_eq!(text.split_once('\n').map(|(_, rest)| rest), Some(entries.concat().as_str()));
        assert!(ExpectedFailures::parse("known.toml", &text).is_err(), "nobody has said why");
        let known = ExpectedFailures::parse("known.toml", &text.replace("why = \"\"", "why = \"it is old\""))
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(known.lacking(&["proxy_continue_stream", "proxy_done"], Version::V0_2_0).is_some());
        assert!(known.lacking(&["proxy_done"], Version::V0_1_0).is_none(), "the host may link it there");
    }
}
