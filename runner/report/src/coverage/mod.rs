//! How much of the specification the catalog checks: each promised status of each function, and each export of a plugin;
//! and, with records, on which hosts it holds. Pure.

mod json;
mod markdown;
mod text;

pub use json::json;
pub use markdown::markdown;
pub use text::text;

use std::collections::HashMap;

use pw_abi::{SECTIONS, Section, Version};
use pw_cases::case::{Case, Level};

use crate::text::host;
use pw_harness::record::Record;
use pw_harness::verdict::Verdict;

/// Something that the specification promises, and the hand-written cases that say that they check it.
struct Obligation<'a> {
    section: &'static Section,
    version: Version,
    clause: String,
    /// Those that bind a host.
    binding: Vec<&'a str>,
    /// Those of level unspecified, which only record what a host answers.
    open: Vec<&'a str>,
    /// The outcomes of these cases, by record.
    hosts: Vec<Results<'a>>,
}

/// What a host did in the cases that cover an obligation.
#[derive(Default, PartialEq, Eq)]
struct Results<'a> {
    /// The cases that ran.
    ran: Vec<&'a str>,
    /// Those of them in which the host conforms, or gives an acceptable answer.
    hold: Vec<&'a str>,
}

impl<'a> Obligation<'a> {
    /// The cases that count: those of level unspecified only where no other case covers it.
    fn cases(&self) -> &[&'a str] {
        if self.binding.is_empty() { &self.open } else { &self.binding }
    }

    /// Whether only cases of level unspecified cover it.
    fn is_open(&self) -> bool {
        self.binding.is_empty() && !self.open.is_empty()
    }

    /// Whether a host runs cases of it, and all of these hold.
    fn holds(&self, host: usize) -> bool {
        let Results { ran, hold } = &self.hosts[host];
        !ran.is_empty() && ran.len() == hold.len()
    }
}

/// All obligations, by section and, within it, by version.
fn obligations<'a>(cases: &'a [Case], records: &[Record]) -> Vec<Obligation<'a>> {
    let records: Vec<_> = records.iter().map(verdicts).collect();
    let mut all = Vec::new();
    for (section, version) in SECTIONS.iter().flat_map(|section| Version::FINAL.map(|version| (*section, version))) {
        let functions = section.host.iter().filter(|row| row.versions.contains(version));
        let promises =
            functions.flat_map(|row| row.promises(version).map(|promise| format!("{}/{}", row.name, promise.name)));
        let exports = section.guest.iter().filter(|row| row.versions.contains(version)).map(|row| row.name.to_owned());
        for clause in promises.chain(exports) {
            let checks = |case: &&Case| {
                case.level != Level::Extension && case.versions.contains(&version) && case.clauses.contains(&clause)
            };
            let (open, binding): (Vec<&Case>, _) =
                cases.iter().filter(checks).partition(|case| case.level == Level::Unspecified);
            let ids = |cases: Vec<&'a Case>| cases.into_iter().map(|case| case.id.as_str()).collect();
            let (binding, open) = (ids(binding), ids(open));
            let mut obligation = Obligation { section, version, clause, binding, open, hosts: Vec::new() };
            obligation.hosts = records.iter().map(|verdicts| results(obligation.cases(), version, verdicts)).collect();
            all.push(obligation);
        }
    }
    all
}

/// The outcome of a case in a version.
type Verdicts<'a> = HashMap<(&'a str, &'a str), Verdict>;

fn verdicts(record: &Record) -> Verdicts<'_> {
    record.cases.iter().map(|case| ((case.id.as_str(), case.abi.as_str()), case.verdict)).collect()
}

fn results<'a>(cases: &[&'a str], version: Version, verdicts: &Verdicts<'_>) -> Results<'a> {
    let mut results = Results::default();
    for case in cases {
        match verdicts.get(&(*case, version.name())) {
            None | Some(Verdict::Skip | Verdict::Error) => continue,
            Some(Verdict::Pass | Verdict::Stale | Verdict::Unspecified) => results.hold.push(*case),
            Some(Verdict::Fail | Verdict::Known) => {}
        }
        results.ran.push(*case);
    }
    results
}

/// The numbers of a section, or of all of them: `28/28` per version, with `(2 open)` where only cases of level unspecified
/// cover two of these; then per record how many obligations, over all versions, hold on that host.
fn shares(all: &[Obligation<'_>], records: &[Record], section: Option<&Section>) -> Vec<String> {
    let own = || all.iter().filter(|one| section.is_none_or(|section| one.section.slug == section.slug));
    let versions = Version::FINAL.map(|version| {
        let own = || own().filter(|one| one.version == version);
        let open = match own().filter(|one| one.is_open()).count() {
            0 => String::new(),
            count => format!(" ({count} open)"),
        };
        share(own().filter(|one| !one.cases().is_empty()).count(), own().count()) + &open
    });
    let hosts = (0..records.len()).map(|host| share(own().filter(|one| one.holds(host)).count(), own().count()));
    versions.into_iter().chain(hosts).collect()
}

/// `28/28`; nothing where there are none.
fn share(part: usize, whole: usize) -> String {
    if whole == 0 { String::new() } else { format!("{part}/{whole}") }
}

/// The heads of [`shares`].
fn heads(records: &[Record]) -> Vec<String> {
    Version::FINAL.iter().map(|version| format!("v{version}")).chain(records.iter().map(host)).collect()
}

/// The clauses, each once, of which this is so.
fn clauses<'a>(all: &'a [Obligation<'_>], is: impl Fn(&Obligation<'_>) -> bool) -> Vec<&'a str> {
    let mut clauses: Vec<&str> = Vec::new();
    for one in all.iter().filter(|one| is(one)) {
        if !clauses.contains(&one.clause.as_str()) {
            clauses.push(&one.clause);
        }
    }
    clauses
}

#[cfg(test)]
mod tests {
    use super::*;
    use pw_harness::sample::sample;

    /// Four cases, and records of two hosts that ran them.
    pub(super) fn made_up() -> (Vec<Case>, Vec<Record>) {
        let rows = [
            ("timers/one", "required", "0.2.0..", "proxy_set_tick_period_milliseconds/OK"),
            ("timers/two", "required", "0.2.1", "proxy_set_tick_period_milliseconds/OK"),
            ("timers/three", "unspecified", "0.2.1", "proxy_set_tick_period_milliseconds/OK"),
            ("timers/four", "unspecified", "0.2.1", "proxy_on_tick"),
        ];
        let one = [
            ("timers/one", "0.2.0", Verdict::Pass),
            ("timers/one", "0.2.1", Verdict::Pass),
            ("timers/two", "0.2.1", Verdict::Pass),
            ("timers/four", "0.2.1", Verdict::Unspecified),
        ];
        let two = [
            ("timers/one", "0.2.0", Verdict::Skip),
            ("timers/one", "0.2.1", Verdict::Pass),
            ("timers/two", "0.2.1", Verdict::Known),
            ("timers/three", "0.2.1", Verdict::Unspecified),
            ("timers/four", "0.2.1", Verdict::Fail),
        ];
        (rows.map(case).into(), vec![sample("one", &one), sample("two", &two)])
    }

    fn case((id, level, abi, clause): (&str, &str, &str, &str)) -> Case {
        let question = if level == "unspecified" { "question = \"which?\"" } else { "" };
        let source =
            format!("title = \"t\"\nclause = [\"{clause}\"]\nlevel = \"{level}\"\nabi = \"{abi}\"\n{question}\n");
        pw_cases::format::parse(id, id, &source, &|_| Err(String::new())).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_case_of_level_unspecified_counts_only_where_no_other_does() {
        let (cases, records) = made_up();
        let all = obligations(&cases, &records);
        let find = |clause: &str, version| {
            let found = all.iter().find(|one| one.clause == clause && one.version == version);
            let one = found.unwrap_or_else(|| panic!("no obligation {clause} of {version}"));
            let counts: Vec<(usize, usize)> = one.hosts.iter().map(|host| (host.hold.len(), host.ran.len())).collect();
            (one.cases().len(), one.is_open(), counts)
        };
        let set = "proxy_set_tick_period_milliseconds/OK";
        assert_eq!(find(set, Version::V0_1_0), (0, false, vec![(0, 0), (0, 0)]));
        assert_eq!(find(set, Version::V0_2_0), (1, false, vec![(1, 1), (0, 0)]));
        assert_eq!(find(set, Version::V0_2_1), (2, false, vec![(2, 2), (1, 2)]));
        assert_eq!(find("proxy_on_tick", Version::V0_2_1), (1, true, vec![(1, 1), (0, 1)]));
    }

    #[test]
    fn numbers_of_a_section() {
        let (cases, records) = made_up();
        let shares = shares(&obligations(&cases, &records), &records, pw_abi::section("timers"));
        assert_eq!(shares, ["0/2", "1/2", "2/2 (1 open)", "3/6", "0/6"]);
    }
}
