//! Records side by side as Markdown: one column per host, with the versions of the ABI folded where they do not differ, and failures by cause.
//! Generated cases are counted apart, and named only where they fail.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

use pw_abi::{SECTIONS, Version};
use pw_cases::case::Level;

use crate::text::{cell, clauses, host, title};
use pw_harness::record::{Case, Record};
use pw_harness::score::Score;
use pw_harness::verdict::Verdict;

/// The number of cases that a cause names.
const NAMED_CASES: usize = 12;

/// The Markdown.
pub fn render(records: &[Record]) -> String {
    let matrix = Matrix::new(records);
    let mut text =
        String::from("# Conformance of hosts\n\nMade by `pw-conform report` from the records beside it.\n\n");
    matrix.summary(&mut text);
    matrix.by_section(&mut text);
    matrix.refusals(&mut text);
    matrix.functions(&mut text);
    matrix.changes(&mut text);
    text += "\n## Cases\n\n✓ passes · ✗ fails · ~ fails, and it is known why · ! passes though it is known to fail · ? the \
             specification leaves it open · – cannot be run on this host · E the harness failed · empty: not run for this host. \
             One mark stands for all versions of the ABI that the case has; several stand for 0.1.0, 0.2.0 and 0.2.1 in this order.\n";
    let written = matrix.sections.iter().filter(|(section, _)| !section.starts_with("generated/"));
    written.for_each(|(section, cases)| matrix.cases(&mut text, section, cases));
    matrix.failures(&mut text, "Known failures", "instead, and why", &[Verdict::Known]);
    matrix.failures(&mut text, "Failures", "what it is", &[Verdict::Fail, Verdict::Stale, Verdict::Error]);
    matrix.skips(&mut text);
    if records.iter().flat_map(|record| &record.cases).any(|case| case.level == "unspecified") {
        text += "\nWhat the specification leaves open, and what each host answers: [spec-questions.md](spec-questions.md).\n";
    }
    text
}

struct Matrix<'a> {
    records: &'a [Record],
    /// In the order of the specification, each with its cases, by record.
    sections: Vec<(&'a str, Vec<Vec<&'a Case>>)>,
    /// The outcomes of a case of a version, by record.
    verdicts: Vec<HashMap<(&'a str, &'a str), Verdict>>,
    /// The versions for which any record has a case.
    versions: HashMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Matrix<'a> {
    fn new(records: &'a [Record]) -> Matrix<'a> {
        let mut versions: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        let place = |slug: &str| SECTIONS.iter().position(|section| section.slug == slug).unwrap_or(usize::MAX);
        let mut sections: BTreeMap<(usize, &str), Vec<Vec<&Case>>> = BTreeMap::new();
        let mut verdicts = vec![HashMap::new(); records.len()];
        for (number, record) in records.iter().enumerate() {
            for case in &record.cases {
                let section = sections.entry((place(case.section()), case.section()));
                section.or_insert_with(|| vec![Vec::new(); records.len()])[number].push(case);
                verdicts[number].entry((&case.id[..], &case.abi[..])).or_insert(case.verdict);
                versions.entry(&case.id).or_default().insert(&case.abi);
            }
        }
        Matrix {
            records,
            sections: sections.into_iter().map(|((_, section), cases)| (section, cases)).collect(),
            verdicts,
            versions,
        }
    }

    fn summary(&self, text: &mut String) {
        let names = Verdict::ALL.map(|(_, name)| name);
        let _ = writeln!(text, "| host | cases | {} | required | recommended | extensions |", names.join(" | "));
        let _ = writeln!(text, "|---|---|{}---:|---:|---:|", "---:|".repeat(names.len()));
        let kinds = [("hand-written", false), ("generated", true)];
        let has = |generated: bool| {
            self.records.iter().flat_map(|record| &record.cases).any(|case| case.is_generated() == generated)
        };
        for (kind, generated) in kinds.into_iter().filter(|(_, generated)| has(*generated)) {
            for record in self.records {
                let counts = record.counts(generated);
                let numbers = Verdict::ALL.map(|(verdict, _)| counts.get(verdict).to_string());
                let own = || record.cases.iter().filter(move |case| case.is_generated() == generated);
                let levels = [Level::Required, Level::Recommended, Level::Extension];
                let shares = levels.map(|level| Score::of(own(), level).to_string());
                let _ =
                    writeln!(text, "| {} | {kind} | {} | {} |", host(record), numbers.join(" | "), shares.join(" | "));
            }
        }
    }

    fn by_section(&self, text: &mut String) {
        text.push_str(
            "\nOf the required cases for the versions of the ABI that the host has: those that pass, those that were run, and in parentheses \
             those that were not, since the host or its adapter cannot.\n\n",
        );
        self.head(text, "section", "---:");
        for (section, cases) in &self.sections {
            let shares = cases.iter().map(|own| match Score::of(own.iter().copied(), Level::Required) {
                Score { all: 0, .. } => "–".to_owned(),
                Score { run: 0, .. } => "not run".to_owned(),
                score @ Score { conforms, run, .. } => match score.not_run() - score.other_versions {
                    0 => format!("{conforms}/{run}"),
                    not_run => format!("{conforms}/{run} ({not_run})"),
                },
            });
            let shares: Vec<String> = shares.collect();
            if shares.iter().any(|share| share != "–") {
                let _ = writeln!(text, "| {} | {} |", title(section), shares.join(" | "));
            }
        }
    }

    /// The versions of the ABI that a host claims, and starts no plugin of.
    fn refusals(&self, text: &mut String) {
        let refusals =
            self.records.iter().flat_map(|record| record.header.refuses.iter().map(move |row| (record, row)));
        let rows: Vec<String> = refusals
            .map(|(record, (version, reason))| format!("| {} | {version} | {} |\n", host(record), cell(reason)))
            .collect();
        if !rows.is_empty() {
            let _ = writeln!(
                text,
                "\n## Versions that a host does not load\n\nThese hosts start no plugin of these versions, not even one that only logs. \
                 Cases that check that a plugin is loaded fail, and all others are skipped.\n\n| host | version of the ABI | what it says |\n|---|---|---|"
            );
            rows.iter().for_each(|row| text.push_str(row));
        }
    }

    /// The functions that a host lacks.
    fn functions(&self, text: &mut String) {
        let lacks = |record: &Record| record.header.lacks.values().flatten().cloned().collect::<Vec<_>>();
        let names: BTreeSet<String> = self.records.iter().flat_map(lacks).collect();
        if names.is_empty() {
            return;
        }
        let _ = writeln!(
            text,
            "\n## Functions\n\nThose that a host lacks, and for which versions of the ABI if not for all that it has:\n"
        );
        self.head(text, "function", ":-:");
        for name in names {
            let marks = self.records.iter().map(|record| {
                let lacks = &record.header.lacks;
                let without = lacks.iter().filter(|(_, lacks)| lacks.contains(&name)).map(|(abi, _)| abi.as_str());
                let without: BTreeSet<&str> = without.collect();
                let rows = |abi: &&str| {
                    Version::parse(abi).is_some_and(|version| pw_abi::host_function(version, &name).is_some())
                };
                if without.is_empty() {
                    "✓".to_owned()
                } else if run_versions(record).into_iter().filter(rows).all(|abi| without.contains(abi)) {
                    "lacks".to_owned()
                } else {
                    format!("lacks in {}", Vec::from_iter(without).join(", "))
                }
            });
            let _ = writeln!(text, "| `{name}` | {} |", marks.collect::<Vec<_>>().join(" | "));
        }
    }

    /// What differs between the versions of a host.
    fn changes(&self, text: &mut String) {
        let names: BTreeSet<&str> = self.records.iter().map(|record| record.header.host.name.as_str()).collect();
        for name in names {
            let of_name = |number: &usize| self.records[*number].header.host.name == name;
            let numbers: Vec<usize> = (0..self.records.len()).filter(of_name).collect();
            if numbers.len() < 2 {
                continue;
            }
            let ids: BTreeSet<&str> =
                numbers.iter().flat_map(|number| &self.records[*number].cases).map(|case| &case.id[..]).collect();
            let rows = ids.into_iter().filter_map(|id| {
                let marks: Vec<String> = numbers.iter().map(|number| self.marks(*number, id)).collect();
                marks.iter().any(|mark| *mark != marks[0]).then(|| format!("| `{id}` | {} |\n", marks.join(" | ")))
            });
            let rows: Vec<String> = rows.collect();
            let _ = writeln!(text, "\n## Versions of {name}\n");
            if rows.is_empty() {
                let _ = writeln!(text, "No case differs between them.");
                continue;
            }
            let hosts: Vec<String> = numbers.iter().map(|number| host(&self.records[*number])).collect();
            let _ = writeln!(text, "The cases that differ between them:\n\n| case | {} |", hosts.join(" | "));
            let _ = writeln!(text, "|---|{}", ":-:|".repeat(hosts.len()));
            rows.iter().for_each(|row| text.push_str(row));
        }
    }

    fn cases(&self, text: &mut String, section: &str, cases: &[Vec<&Case>]) {
        let _ = writeln!(text, "\n### {}\n", title(section));
        if let Some(section) = pw_abi::section(section) {
            let _ = writeln!(text, "[The specification's text]({})\n", section.url(Version::V0_2_1));
        }
        self.head(text, "case", ":-:");
        let all = cases.iter().flatten();
        let cases: BTreeMap<&str, &str> = all.map(|case| (case.id.as_str(), case.title.as_str())).collect();
        for (id, title) in cases {
            let marks: Vec<String> = (0..self.records.len()).map(|number| self.marks(number, id)).collect();
            let name = id.rsplit('/').next().unwrap_or_default();
            let _ = writeln!(text, "| `{name}` {} | {} |", cell(title), marks.join(" | "));
        }
    }

    /// The first lines of a table with a column for each host.
    fn head(&self, text: &mut String, first: &str, align: &str) {
        let hosts: Vec<String> = self.records.iter().map(host).collect();
        let _ = writeln!(text, "| {first} | {} |", hosts.join(" | "));
        let _ = writeln!(text, "|---|{}", format!("{align}|").repeat(hosts.len()));
    }

    /// The outcome of a case on a host: a mark, or one per version of the ABI if they differ.
    fn marks(&self, number: usize, id: &str) -> String {
        let versions = self.versions.get(id).into_iter().flatten();
        let marks: Vec<&str> = versions.map(|version| mark(self.verdicts[number].get(&(id, *version)))).collect();
        match marks.first() {
            Some(first) if marks.iter().all(|mark| mark == first) => (*first).to_owned(),
            _ => marks.iter().map(|mark| if mark.is_empty() { "·" } else { mark }).collect(),
        }
    }

    fn failures(&self, text: &mut String, heading: &str, column: &str, verdicts: &[Verdict]) {
        let rows = self.gathered(verdicts, |case| {
            let found = case.findings.iter().map(|finding| {
                format!("{}: expected {}, actual {}", finding.subject, finding.expected, finding.actual)
            });
            let words = case.reason.clone().unwrap_or_else(|| found.collect::<Vec<_>>().join("; "));
            match &case.link {
                Some(link) => format!("{} [more]({link})", cell(&words)),
                None => cell(&words),
            }
        });
        if rows.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n## {heading}\n\n| host | {column} | clause | cases | |\n|---|---|---|---:|---|");
        for ((host, words), cause) in rows {
            let clauses = clauses(cause.clauses, cause.versions);
            let named: Vec<String> = cause.ids.iter().take(NAMED_CASES).map(|id| format!("`{id}`")).collect();
            let more = match cause.ids.len() - named.len() {
                0 => String::new(),
                count => format!(" and {count} more"),
            };
            let _ =
                writeln!(text, "| {host} | {words} | {clauses} | {} | {}{more} |", cause.ids.len(), named.join(", "));
        }
    }

    fn skips(&self, text: &mut String) {
        let mut reasons: BTreeMap<(String, &str), usize> = BTreeMap::new();
        for record in self.records {
            for case in record.cases.iter().filter(|case| case.verdict == Verdict::Skip) {
                let reason = case.reason.as_deref().unwrap_or_default();
                *reasons.entry((host(record), reason)).or_default() += 1;
            }
        }
        if reasons.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n## Skipped\n\n| host | why | cases × versions |\n|---|---|---:|");
        for ((host, reason), count) in reasons {
            let _ = writeln!(text, "| {host} | {} | {count} |", cell(reason));
        }
    }

    /// Cases of these verdicts by host and words.
    fn gathered(&self, verdicts: &[Verdict], words: impl Fn(&Case) -> String) -> BTreeMap<(String, String), Cause<'a>> {
        let mut causes: BTreeMap<_, Cause<'a>> = BTreeMap::new();
        for record in self.records {
            for case in record.cases.iter().filter(|case| verdicts.contains(&case.verdict)) {
                let cause = causes.entry((host(record), words(case))).or_default();
                cause.ids.insert(&case.id);
                cause.versions.insert(&case.abi);
                cause.clauses.extend(&case.clause);
            }
        }
        causes
    }
}

/// What fails for one reason.
#[derive(Default)]
struct Cause<'a> {
    ids: BTreeSet<&'a str>,
    versions: BTreeSet<&'a str>,
    clauses: BTreeSet<&'a String>,
}

/// The versions of the ABI for which a host was run.
fn run_versions(record: &Record) -> BTreeSet<&str> {
    let is_run = |case: &&Case| !matches!(case.verdict, Verdict::Skip | Verdict::Error);
    record.cases.iter().filter(is_run).map(|case| case.abi.as_str()).collect()
}

fn mark(verdict: Option<&Verdict>) -> &'static str {
    match verdict {
        None => "",
        Some(Verdict::Pass) => "✓",
        Some(Verdict::Fail) => "✗",
        Some(Verdict::Known) => "~",
        Some(Verdict::Stale) => "!",
        Some(Verdict::Skip) => "–",
        Some(Verdict::Unspecified) => "?",
        Some(Verdict::Error) => "E",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pw_harness::sample::sample;

    #[test]
    fn hosts_stand_side_by_side() {
        let one = sample(
            "one",
            &[
                ("http_fields/a", "0.2.0", Verdict::Pass),
                ("http_fields/a", "0.2.1", Verdict::Fail),
                ("buffers/b", "0.2.1", Verdict::Unspecified),
            ],
        );
        let mut two = sample(
            "two",
            &[
                ("http_fields/a", "0.2.0", Verdict::Known),
                ("http_fields/a", "0.2.1", Verdict::Known),
                ("buffers/b", "0.2.1", Verdict::Unspecified),
                ("readme", "0.2.1", Verdict::Skip),
                ("generated/pointers/c", "0.2.1", Verdict::Pass),
            ],
        );
        two.header.lacks = [("0.2.1".to_owned(), vec!["proxy_log".to_owned()])].into();
        two.header.refuses = [("0.1.0".to_owned(), "not registered".to_owned())].into();
        let text = render(&[one, two]);
        let lines = [
            "| two 1.2.3 | 0.1.0 | not registered |",
            "| one 1.2.3 | hand-written | 1 | 1 | 0 | 0 | 0 | 1 | 0 | 1 of 2 (50 %) | – | – |",
            "| one 1.2.3 | generated | 0 | 0 | 0 | 0 | 0 | 0 | 0 | – | – | – |",
            "| two 1.2.3 | hand-written | 0 | 0 | 2 | 0 | 1 | 1 | 0 | 0 of 3 (0 %), 1 not run | – | – |",
            "| two 1.2.3 | generated | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 1 of 1 (100 %) | – | – |",
            "| HTTP fields | 1/2 | 0/2 |",
            "| The manual | – | not run |",
            "| `proxy_log` | ✓ | lacks in 0.2.1 |",
            "| case | one 1.2.3 | two 1.2.3 |",
            "| `a` the title of http_fields/a | ✓✗ | ~ |",
            "| `b` the title of buffers/b | ? | ? |",
            "| two 1.2.3 | the reason \\| of &lt;skip> | 1 |",
        ];
        let clause = format!("[`proxy_log/OK`]({})", pw_abi::clause_url("proxy_log/OK", Version::V0_2_1));
        let known = format!("| two 1.2.3 | the reason \\| of &lt;known> | {clause} | 1 | `http_fields/a` |");
        for line in lines.into_iter().chain([known.as_str()]) {
            assert!(text.lines().any(|known| known == line), "{line}\nis not in\n{text}");
        }
        assert!(!text.contains("## generated") && !text.contains("## Versions of"), "{text}");
        let at = |heading: &str| text.find(heading).unwrap_or_else(|| panic!("no {heading}"));
        assert!(at("### Buffers") < at("### HTTP fields") && at("### HTTP fields") < at("### The manual"));
    }

    #[test]
    fn what_differs_between_versions_of_a_host_is_told() {
        let old = sample(
            "one",
            &[("a/b", "0.2.0", Verdict::Pass), ("a/b", "0.2.1", Verdict::Known), ("a/c", "0.2.1", Verdict::Pass)],
        );
        let mut new = sample("one", &[("a/b", "0.2.1", Verdict::Pass), ("a/c", "0.2.1", Verdict::Pass)]);
        new.header.host.version = "1.3".to_owned();
        let text = render(&[old, new]);
        assert!(
            text.contains(
                "## Versions of one\n\nThe cases that differ between them:\n\n| case | one 1.2.3 | one 1.3 |"
            ),
            "{text}"
        );
        assert!(text.contains("\n| `a/b` | ✓~ | ·✓ |\n") && !text.contains("| `a/c` |"), "{text}");
    }

    #[test]
    fn a_cause_names_a_few_of_its_cases() {
        let ids: Vec<String> = (10..=30).map(|number| format!("a/{number}")).collect();
        let failures: Vec<_> = ids.iter().map(|id| (id.as_str(), "0.2.1", Verdict::Known)).collect();
        let text = render(&[sample("one", &failures)]);
        assert!(text.contains("| 21 | `a/10`, ") && text.contains("`a/21` and 9 more |"), "{text}");
    }
}
