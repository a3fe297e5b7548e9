use std::fmt::Write;

use pw_abi::{SECTIONS, Section};
use pw_cases::case::Case;

use crate::coverage::{clauses, heads, obligations, shares};
use pw_harness::record::Record;

/// Counts by section, and what no case checks.
pub fn text(cases: &[Case], records: &[Record]) -> String {
    let all = obligations(cases, records);
    let row = |name: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>18}")).collect();
        format!("{name:40}{cells}\n")
    };
    let share = |name, section: Option<&Section>| row(name, shares(&all, records, section));
    let mut text = row("", heads(records));
    SECTIONS.iter().for_each(|section| text += &share(section.slug, Some(section)));
    text += &share("all", None);
    let lists = [
        ("no case checks", clauses(&all, |one| one.cases().is_empty())),
        ("only cases of level unspecified check", clauses(&all, |one| one.is_open())),
    ];
    for (heading, clauses) in lists.into_iter().filter(|(_, clauses)| !clauses.is_empty()) {
        let _ = writeln!(text, "\n{heading}: {}", clauses.join(", "));
    }
    text
}
