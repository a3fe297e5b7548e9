//! Records side by side as Markdown: cases by section, hosts and versions in columns, and what is known of failures. Derived
//! cases are counted apart, and named only where they fail.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use pw_abi::{SECTIONS, Version};
use pw_cases::case::Level;

use crate::text::{cell, clauses, host, title};
use pw_harness::record::{Case, Record};
use pw_harness::score::Score;
use pw_harness::verdict::Verdict;

/// The Markdown.
pub fn render(records: &[Record]) -> String {
    let matrix = Matrix::new(records);
    let mut text =
        String::from("# Conformance of hosts\n\nMade by `pw-conform report` from the records beside it.\n\n");
    matrix.summary(&mut text);
    matrix.by_section(&mut text);
    text += "\n✓ passes · ✗ fails · ~ fails, and it is known why · ! passes though it is known to fail · ? the \
             specification leaves it open · – cannot be run on this host · E the harness failed · empty: not a case of \
             this version\n";
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
    /// Those that any record has.
    versions: Vec<&'static str>,
}

impl<'a> Matrix<'a> {
    fn new(records: &'a [Record]) -> Matrix<'a> {
        let all = || records.iter().flat_map(|record| &record.cases);
        let place = |slug: &str| SECTIONS.iter().position(|section| section.slug == slug).unwrap_or(usize::MAX);
        let mut sections: BTreeMap<(usize, &str), Vec<Vec<&Case>>> = BTreeMap::new();
        let mut verdicts = vec![HashMap::new(); records.len()];
        for (number, record) in records.iter().enumerate() {
            for case in &record.cases {
                let section = sections.entry((place(case.section()), case.section()));
                section.or_insert_with(|| vec![Vec::new(); records.len()])[number].push(case);
                verdicts[number].entry((&case.id[..], &case.abi[..])).or_insert(case.verdict);
            }
        }
        let versions = Version::ALL.into_iter().map(Version::name);
        Matrix {
            records,
            sections: sections.into_iter().map(|((_, section), cases)| (section, cases)).collect(),
            verdicts,
            versions: versions.filter(|version| all().any(|case| case.abi == *version)).collect(),
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
        let hosts: Vec<String> = self.records.iter().map(host).collect();
        let _ = writeln!(text, "\nOf the required cases:\n\n| section | {} |", hosts.join(" | "));
        let _ = writeln!(text, "|---|{}", "---:|".repeat(hosts.len()));
        for (section, cases) in &self.sections {
            let score = |own: &Vec<&Case>| Score::of(own.iter().copied(), Level::Required).to_string();
            let shares: Vec<String> = cases.iter().map(score).collect();
            let _ = writeln!(text, "| {} | {} |", title(section), shares.join(" | "));
        }
    }

    fn cases(&self, text: &mut String, section: &str, cases: &[Vec<&Case>]) {
        let _ = writeln!(text, "\n## {}\n", title(section));
        if let Some(section) = pw_abi::section(section) {
            let _ = writeln!(text, "[The specification's text]({})\n", section.url(Version::V0_2_1));
        }
        let columns =
            || (0..self.records.len()).flat_map(|number| self.versions.iter().map(move |version| (number, *version)));
        let head = |(number, version): (usize, &str)| format!("{} v{version}", self.records[number].header.host.name);
        let heads: Vec<String> = columns().map(head).collect();
        let _ = writeln!(text, "| case | {} |", heads.join(" | "));
        let _ = writeln!(text, "|---|{}", ":-:|".repeat(heads.len()));
        let all = cases.iter().flatten();
        let cases: BTreeMap<&str, &str> = all.map(|case| (case.id.as_str(), case.title.as_str())).collect();
        for (id, title) in cases {
            let marks: Vec<&str> =
                columns().map(|(number, version)| mark(self.verdicts[number].get(&(id, version)))).collect();
            let name = id.rsplit('/').next().unwrap_or_default();
            let _ = writeln!(text, "| `{name}` {} | {} |", cell(title), marks.join(" | "));
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
        let _ =
            writeln!(text, "\n## {heading}\n\n| case | versions | clause | host | {column} |\n|---|---|---|---|---|");
        for ((id, host, words), row) in rows {
            let versions = row.versions.join(", ");
            let clauses = clauses(&row.case.clause, row.versions);
            let _ = writeln!(text, "| `{id}` | {versions} | {clauses} | {host} | {words} |");
        }
    }

    fn skips(&self, text: &mut String) {
        let mut reasons: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for record in self.records {
            for case in record.cases.iter().filter(|case| case.verdict == Verdict::Skip) {
                let reason = case.reason.as_deref().unwrap_or_default();
                *reasons.entry((&record.header.host.name, reason)).or_default() += 1;
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

    /// Cases of these verdicts by id, host and words, with the versions for which they are the same.
    fn gathered(
        &self,
        verdicts: &[Verdict],
        words: impl Fn(&Case) -> String,
    ) -> BTreeMap<(&'a str, &'a str, String), Gathered<'a>> {
        let mut rows: BTreeMap<_, Gathered<'a>> = BTreeMap::new();
        for record in self.records {
            for case in record.cases.iter().filter(|case| verdicts.contains(&case.verdict)) {
                let key = (case.id.as_str(), record.header.host.name.as_str(), words(case));
                rows.entry(key).or_insert(Gathered { case, versions: Vec::new() }).versions.push(&case.abi);
            }
        }
        rows
    }
}

struct Gathered<'a> {
    case: &'a Case,
    versions: Vec<&'a str>,
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
        let two = sample(
            "two",
            &[
                ("http_fields/a", "0.2.0", Verdict::Known),
                ("http_fields/a", "0.2.1", Verdict::Known),
                ("buffers/b", "0.2.1", Verdict::Unspecified),
                ("readme", "0.2.1", Verdict::Skip),
                ("generated/pointers/c", "0.2.1", Verdict::Pass),
            ],
        );
        let text = render(&[one, two]);
        let lines = [
            "| one 1.2.3 | hand-written | 1 | 1 | 0 | 0 | 0 | 1 | 0 | 1 of 2 (50 %) | – | – |",
            "| one 1.2.3 | generated | 0 | 0 | 0 | 0 | 0 | 0 | 0 | – | – | – |",
            "| two 1.2.3 | hand-written | 0 | 0 | 2 | 0 | 1 | 1 | 0 | 0 of 3 (0 %), 1 not run | – | – |",
            "| two 1.2.3 | generated | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 1 of 1 (100 %) | – | – |",
            "| HTTP fields | 1 of 2 (50 %) | 0 of 2 (0 %) |",
            "| case | one v0.2.0 | one v0.2.1 | two v0.2.0 | two v0.2.1 |",
            "| `a` the title of http_fields/a | ✓ | ✗ | ~ | ~ |",
            "| two | the reason \\| of &lt;skip> | 1 |",
        ];
        let clause = format!("[`proxy_log/OK`]({})", pw_abi::clause_url("proxy_log/OK", Version::V0_2_1));
        let known = format!("| `http_fields/a` | 0.2.0, 0.2.1 | {clause} | two | the reason \\| of &lt;known> |");
        for line in lines.into_iter().chain([known.as_str()]) {
            assert!(text.lines().any(|known| known == line), "{line}\nis not in\n{text}");
        }
        assert!(!text.contains("## generated"), "generated cases are counted only:\n{text}");
        let at = |heading: &str| text.find(heading).unwrap_or_else(|| panic!("no {heading}"));
        assert!(at("## Buffers") < at("## HTTP fields") && at("## HTTP fields") < at("## The manual"));
    }
}
