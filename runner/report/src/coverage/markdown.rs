use std::fmt::Write;

use pw_abi::{SECTIONS, Section, Version};
use pw_cases::case::Case;

use crate::coverage::{Obligation, clauses, heads, obligations, share, shares};
use crate::text::host;
use pw_harness::record::Record;

/// The page: the counts, and for each obligation its cases.
pub fn markdown(cases: &[Case], records: &[Record]) -> String {
    let all = obligations(cases, records);
    let mut text = String::from(
        "# Coverage of the specification\n\nMade by `pw-conform coverage --markdown` of the catalog and of the records \
         beside it. An obligation is a status that the specification promises of a function, or an export that a plugin may \
         have; it is covered if a hand-written case names it as its clause. Where only cases of level `unspecified` name \
         it, it is *open*: they record what a host answers, and bind nobody. The numbers below a host: in the first table \
         the obligations, over all versions, of which every case that ran there holds; in the others the cases that hold, \
         of those that ran.\n\n",
    );
    let heads = heads(records);
    let _ = writeln!(text, "| section | {} |\n|---|{}", heads.join(" | "), "---:|".repeat(heads.len()));
    for section in SECTIONS {
        let _ = writeln!(text, "| {} | {} |", section.title, shares(&all, records, Some(section)).join(" | "));
    }
    let _ = writeln!(text, "| **all** | {} |", shares(&all, records, None).join(" | "));
    let lists = [
        ("No case checks", clauses(&all, |one| one.cases().is_empty())),
        ("Only cases of level `unspecified` check", clauses(&all, |one| one.is_open())),
    ];
    for (heading, clauses) in lists.into_iter().filter(|(_, clauses)| !clauses.is_empty()) {
        let _ = writeln!(text, "\n{heading}: `{}`.", clauses.join("`, `"));
    }
    SECTIONS.iter().for_each(|section| block(&mut text, &all, records, section));
    text
}

/// A section's obligations; versions that have the same cases, with the same results, share a line.
fn block(text: &mut String, all: &[Obligation<'_>], records: &[Record], section: &Section) {
    let hosts: String = records.iter().map(|record| format!(" {} |", host(record))).collect();
    let _ = writeln!(text, "\n## {}\n\n| clause | version |{hosts} cases |", section.title);
    let _ = writeln!(text, "|---|---|{}---|", "---:|".repeat(records.len()));
    let mut rows: Vec<(&Obligation<'_>, Vec<Version>)> = Vec::new();
    for one in all.iter().filter(|one| one.section.slug == section.slug) {
        match rows.iter_mut().find(|(first, _)| is_same(first, one)) {
            Some((_, versions)) => versions.push(one.version),
            None => rows.push((one, vec![one.version])),
        }
    }
    let clauses = clauses(all, |_| true);
    rows.sort_by_key(|(one, _)| clauses.iter().position(|clause| *clause == one.clause));
    for (one, versions) in rows {
        let versions: Vec<&str> = versions.into_iter().map(Version::name).collect();
        let shares: String =
            one.hosts.iter().map(|results| format!(" {} |", share(results.hold.len(), results.ran.len()))).collect();
        let url = pw_abi::clause_url(&one.clause, one.version);
        let _ = writeln!(text, "| [`{}`]({url}) | {} |{shares} {} |", one.clause, versions.join(", "), cases(one));
    }
}

fn is_same(one: &Obligation<'_>, other: &Obligation<'_>) -> bool {
    one.clause == other.clause && one.cases() == other.cases() && one.hosts == other.hosts
}

fn cases(one: &Obligation<'_>) -> String {
    match (one.cases(), one.is_open()) {
        ([], _) => "**none**".to_owned(),
        (cases, true) => format!("*open:* `{}`", cases.join("`, `")),
        (cases, false) => format!("`{}`", cases.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::tests::made_up;

    #[test]
    fn versions_that_differ_have_lines_of_their_own() {
        let (cases, records) = made_up();
        let text = markdown(&cases, &records);
        let set = |version| {
            let clause = "proxy_set_tick_period_milliseconds/OK";
            format!("| [`{clause}`]({})", pw_abi::clause_url(clause, version))
        };
        let on_tick = |version| format!("| [`proxy_on_tick`]({})", pw_abi::clause_url("proxy_on_tick", version));
        let lines = [
            "| section | v0.1.0 | v0.2.0 | v0.2.1 | one 1.2.3 | two 1.2.3 |".to_owned(),
            "| Timers | 0/2 | 1/2 | 2/2 (1 open) | 3/6 | 0/6 |".to_owned(),
            "| clause | version | one 1.2.3 | two 1.2.3 | cases |".to_owned(),
            set(Version::V0_1_0) + " | 0.1.0 |  |  | **none** |",
            set(Version::V0_2_0) + " | 0.2.0 | 1/1 |  | `timers/one` |",
            set(Version::V0_2_1) + " | 0.2.1 | 2/2 | 1/2 | `timers/one`, `timers/two` |",
            on_tick(Version::V0_1_0) + " | 0.1.0, 0.2.0 |  |  | **none** |",
            on_tick(Version::V0_2_1) + " | 0.2.1 | 1/1 | 0/1 | *open:* `timers/four` |",
            "Only cases of level `unspecified` check: `proxy_on_tick`.".to_owned(),
        ];
        for line in &lines {
            assert!(text.lines().any(|known| known == line.as_str()), "{line}\nis not in\n{text}");
        }
        let (last, next) = (text.find(lines[5].as_str()), text.find(lines[6].as_str()));
        assert!(last < next, "the lines of a clause do not stand together:\n{text}");
    }
}
