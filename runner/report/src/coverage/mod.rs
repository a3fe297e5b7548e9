//! How much of the specification the catalog checks: each of its statements in each version that has it; and, with records, on which
//! hosts it holds. Pure.

mod against;
mod json;
mod markdown;
mod text;

pub use against::against;
pub use json::json;
pub use markdown::markdown;
pub use text::text;

use std::collections::HashMap;

use pw_abi::Version;
use pw_cases::case::{Case, Level, Origin};
use pw_cases::judge::Finding;
use pw_cases::statements::{self, Party, Statement, Strength};
use pw_harness::record::{self, Record};
use pw_harness::verdict::Verdict;

use crate::text::host;

/// The host whose results say least about others: it is ours.
const REFERENCE: &str = "reference";

/// A statement of a version, and the hand-written cases that cite it.
struct Covered<'a> {
    statement: &'static Statement,
    version: Version,
    /// Those that bind a host.
    binding: Vec<&'a str>,
    /// Those of level unspecified, which only record what a host answers.
    open: Vec<&'a str>,
    /// The outcomes of these cases, by record.
    hosts: Vec<Results<'a>>,
}

/// How far a statement is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A case that binds hosts was run on a host that is not ours.
    Bound,
    /// Such a case is there; it was run on ours alone, or on none.
    Written,
    /// The text decides it, and only cases of level unspecified cite it.
    Asked,
    /// The text does not decide it: the statement says what is left open.
    Open,
    /// No case can check it.
    Uncheckable,
    /// No case cites it.
    Missing,
}

impl State {
    const ALL: [(State, &'static str); 6] = [
        (State::Bound, "bound on another host"),
        (State::Written, "bound on the reference host alone"),
        (State::Asked, "asked only"),
        (State::Open, "open"),
        (State::Uncheckable, "not checkable"),
        (State::Missing, "missing"),
    ];
}

/// What a host did in the cases that cite a statement.
#[derive(Default, PartialEq, Eq)]
struct Results<'a> {
    /// The cases that ran.
    ran: Vec<&'a str>,
    /// Those of them in which the host conforms, or gives an acceptable answer.
    hold: Vec<&'a str>,
}

impl<'a> Covered<'a> {
    /// The cases that count: those of level unspecified only where no other case cites it.
    fn cases(&self) -> &[&'a str] {
        if self.binding.is_empty() { &self.open } else { &self.binding }
    }

    /// The state, with records of these hosts.
    fn state(&self, records: &[Record]) -> State {
        let is_ours = |record: &Record| record.header.host.name == REFERENCE;
        let runs_elsewhere =
            || records.iter().zip(&self.hosts).any(|(record, results)| !is_ours(record) && !results.ran.is_empty());
        match (self.binding.is_empty(), self.open.is_empty()) {
            (false, _) if runs_elsewhere() => State::Bound,
            (false, _) => State::Written,
            (true, _) if uncheckable(self.statement).is_some() => State::Uncheckable,
            _ if self.statement.open.is_some() => State::Open,
            (true, false) => State::Asked,
            (true, true) => State::Missing,
        }
    }

    /// Whether a host runs cases of it, and all of these hold.
    fn holds(&self, host: usize) -> bool {
        let Results { ran, hold } = &self.hosts[host];
        !ran.is_empty() && ran.len() == hold.len()
    }

    fn section(&self) -> &'static str {
        section(self.statement)
    }
}

/// Why no case can check a statement.
fn uncheckable(statement: &Statement) -> Option<&str> {
    match (statement.binds, statement.strength) {
        (Party::Plugin, _) => Some("it binds plugins"),
        (_, Strength::May) => Some("it permits something, so that nothing is against it"),
        _ => statement.uncheckable.as_deref(),
    }
}

/// The file that a statement is in.
fn section(statement: &'static Statement) -> &'static str {
    statement.id.split('/').next().unwrap_or_default()
}

/// The files of statements, in the order of the text.
fn sections() -> Vec<&'static str> {
    let mut sections: Vec<&str> = statements::all().iter().map(section).collect();
    sections.dedup();
    sections
}

/// The heading of a section in the text.
fn title(section: &str) -> &str {
    match section {
        "general" => "Callbacks and functions",
        "types" => "Types",
        "serialization" => "Serialization",
        "security" => "Security considerations",
        _ => pw_abi::section(section).map_or(section, |section| section.title),
    }
}

/// All statements in each version that has them.
fn covered<'a>(cases: &'a [Case], records: &[Record]) -> Vec<Covered<'a>> {
    let records: Vec<_> = records.iter().map(lines).collect();
    let mut citing: HashMap<&str, Vec<&Case>> = HashMap::new();
    let is_counted = |case: &&Case| case.level != Level::Extension && case.origin() != Origin::Generated;
    for case in cases.iter().filter(is_counted) {
        case.statements.iter().for_each(|id| citing.entry(*id).or_default().push(case));
    }
    let mut all = Vec::new();
    for statement in statements::all() {
        for version in statement.versions.iter().copied() {
            let cited = citing.get(statement.id.as_str()).into_iter().flatten();
            let (open, binding): (Vec<&Case>, _) = cited
                .filter(|case| case.versions.contains(&version))
                .partition(|case| case.level == Level::Unspecified);
            let ids = |cases: Vec<&'a Case>| cases.into_iter().map(|case| case.id.as_str()).collect();
            let (binding, open) = (ids(binding), ids(open));
            let mut one = Covered { statement, version, binding, open, hosts: Vec::new() };
            one.hosts = records.iter().map(|lines| results(&one, lines)).collect();
            all.push(one);
        }
    }
    all
}

/// The lines of a record by case and version.
type Lines<'a> = HashMap<(&'a str, &'a str), &'a record::Case>;

fn lines(record: &Record) -> Lines<'_> {
    record.cases.iter().map(|case| ((case.id.as_str(), case.abi.as_str()), case)).collect()
}

fn results<'a>(one: &Covered<'a>, lines: &Lines<'_>) -> Results<'a> {
    let mut results = Results::default();
    for case in one.cases() {
        let Some(line) = lines.get(&(*case, one.version.name())) else { continue };
        match line.verdict {
            Verdict::Skip | Verdict::Error => continue,
            Verdict::Pass | Verdict::Stale | Verdict::Unspecified => results.hold.push(*case),
            Verdict::Fail | Verdict::Known if is_blamed(one.statement, one.version, line) => {}
            // It fails for another function: of this statement it says nothing.
            Verdict::Fail | Verdict::Known => continue,
        }
        results.ran.push(*case);
    }
    results
}

/// Whether what was found in a failing case may be against a statement: not if all of it is about calls of other functions.
fn is_blamed(statement: &Statement, version: Version, line: &record::Case) -> bool {
    let is_function = |name: &str| pw_abi::host_function(version, name).is_some();
    let own = statement.clause.split('/').next().unwrap_or_default();
    let other = |finding: &Finding| is_function(&finding.subject) && finding.subject != own;
    !is_function(own) || line.findings.is_empty() || !line.findings.iter().all(other)
}

/// The number of statements of a section, or of all, in each state, each statement once: in the latest version that has it. Then per record
/// how many of them hold on that host.
fn counts(all: &[Covered<'_>], records: &[Record], section: Option<&str>) -> Vec<usize> {
    let is_latest = |one: &&Covered<'_>| one.statement.versions.last() == Some(&one.version);
    let own = || all.iter().filter(|one| section.is_none_or(|slug| one.section() == slug)).filter(is_latest);
    let states = State::ALL.map(|(state, _)| own().filter(|one| one.state(records) == state).count());
    let hosts = (0..records.len()).map(|host| own().filter(|one| one.holds(host)).count());
    states.into_iter().chain(hosts).collect()
}

/// `28/28`; nothing where there are none.
fn share(part: usize, whole: usize) -> String {
    if whole == 0 { String::new() } else { format!("{part}/{whole}") }
}

/// The heads of [`counts`].
fn heads(records: &[Record]) -> Vec<String> {
    let hosts = records.iter().map(|record| format!("hold on {}", host(record)));
    State::ALL.iter().map(|(_, name)| (*name).to_owned()).chain(hosts).collect()
}

/// How much of what the text decides is bound on a host that is not ours: such as `410 of 430 (95 %)`.
fn decided(all: &[Covered<'_>], records: &[Record]) -> String {
    let counts = counts(all, records, None);
    let [bound, written, asked, _, _, missing, ..] = counts[..] else { return String::new() };
    let whole = bound + written + asked + missing;
    format!("{bound} of {whole} ({})", pw_harness::score::percent(bound, whole))
}

/// How many cases there are by what they come from: such as `cases: 326 generated, 800 of the probe`.
fn origins(cases: &[Case]) -> String {
    let count = |origin| cases.iter().filter(|case| case.origin() == origin).count();
    let counts = Origin::ALL.map(|(origin, name)| format!("{} {name}", count(origin)));
    format!("cases: {}", counts.join(", "))
}

/// The statements, each once, that are in a state in a version.
fn in_state(all: &[Covered<'_>], records: &[Record], state: State) -> Vec<&'static Statement> {
    let mut found: Vec<&'static Statement> = Vec::new();
    for one in all.iter().filter(|one| one.state(records) == state) {
        if !found.iter().any(|known| known.id == one.statement.id) {
            found.push(one.statement);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use pw_harness::sample::sample;

    /// Four cases, and records of two hosts that ran them.
    pub(super) fn made_up() -> (Vec<Case>, Vec<Record>) {
        let rows = [
            ("timers/one", "required", "0.2.0..", "timers/period_sets"),
            ("timers/two", "required", "0.2.1", "timers/period_sets"),
            ("timers/three", "unspecified", "0.2.1", "timers/period_sets"),
            ("timers/four", "unspecified", "0.2.1", "timers/tick_called"),
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
        let mut records = vec![sample("one", &one), sample("two", &two)];
        for finding in records.iter_mut().flat_map(|record| &mut record.cases).flat_map(|case| &mut case.findings) {
            finding.subject = "proxy_set_tick_period_milliseconds".to_owned();
        }
        (rows.map(case).into(), records)
    }

    fn case((id, level, abi, statement): (&str, &str, &str, &str)) -> Case {
        let question = if level == "unspecified" { "question = \"which?\"" } else { "" };
        let source =
            format!("title = \"t\"\nstatement = [\"{statement}\"]\nlevel = \"{level}\"\nabi = \"{abi}\"\n{question}\n");
        pw_cases::format::parse(id, id, &source, &|_| Err(String::new())).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_case_of_level_unspecified_counts_only_where_no_other_does() {
        let (cases, records) = made_up();
        let all = covered(&cases, &records);
        let find = |id: &str, version| {
            let found = all.iter().find(|one| one.statement.id == id && one.version == version);
            let one = found.unwrap_or_else(|| panic!("no statement {id} of {version}"));
            let counts: Vec<(usize, usize)> = one.hosts.iter().map(|host| (host.hold.len(), host.ran.len())).collect();
            (one.cases().len(), one.state(&records), counts)
        };
        let set = "timers/period_sets";
        assert_eq!(find(set, Version::V0_1_0), (0, State::Missing, vec![(0, 0), (0, 0)]));
        assert_eq!(find(set, Version::V0_2_0), (1, State::Bound, vec![(1, 1), (0, 0)]));
        assert_eq!(find(set, Version::V0_2_1), (2, State::Bound, vec![(2, 2), (1, 2)]));
        assert_eq!(find("timers/tick_called", Version::V0_2_1), (1, State::Asked, vec![(1, 1), (0, 1)]));
    }

    #[test]
    fn a_failure_counts_against_the_statements_of_its_function() {
        let statement = statements::find("timers/period_sets").expect("it is a statement");
        let finding = |subject: &str| Finding {
            line: 1,
            place: None,
            subject: subject.to_owned(),
            call: None,
            expected: String::new(),
            actual: String::new(),
        };
        let blamed = |subjects: &[&str]| {
            let mut record = sample("one", &[("timers/one", "0.2.1", Verdict::Fail)]);
            record.cases[0].findings = subjects.iter().map(|subject| finding(subject)).collect();
            is_blamed(statement, Version::V0_2_1, &record.cases[0])
        };
        assert!(blamed(&[]));
        assert!(blamed(&["proxy_set_tick_period_milliseconds"]));
        assert!(blamed(&["proxy_log", "proxy_set_tick_period_milliseconds"]));
        assert!(blamed(&["proxy_log", "callbacks"]));
        assert!(!blamed(&["proxy_log"]));
    }

    #[test]
    fn what_ran_on_the_reference_host_alone_is_no_more_than_written() {
        let (cases, mut records) = made_up();
        records.truncate(1);
        records[0].header.host.name = REFERENCE.to_owned();
        let counts = counts(&covered(&cases, &records), &records, Some("timers"));
        assert_eq!(counts, [0, 1, 1, 0, 0, 3, 2]);
    }

    #[test]
    fn permissions_and_what_binds_plugins_need_no_case() {
        let of = |id| uncheckable(statements::find(id).expect("it is a statement"));
        assert_eq!(of("context_lifecycle/proxy_done_use"), Some("it binds plugins"));
        assert_eq!(of("logging/level_may_change"), Some("it permits something, so that nothing is against it"));
        assert_eq!(of("logging/log_ok"), None);
    }
}
