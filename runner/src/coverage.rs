//! How much of the specification the catalog checks: each promised status of each function, and each export of a plugin.
//! Pure.

use std::fmt::Write;

use pw_abi::{SECTIONS, Section, Version};
use pw_cases::case::Case;
use serde_json::{Value, json};

/// Something that the specification promises, and the cases that say that they check it.
struct Obligation<'a> {
    section: &'static str,
    version: Version,
    clause: String,
    cases: Vec<&'a str>,
}

/// Counts by section and version, and what no case checks.
pub fn text(cases: &[Case]) -> String {
    let all = obligations(cases);
    let mut text = format!("{:40}", "");
    Version::FINAL.iter().for_each(|version| text += &format!("{:>14}", format!("v{version}")));
    for section in SECTIONS {
        let _ = write!(text, "\n{:40}", section.slug);
        Version::FINAL.iter().for_each(|version| text += &format!("{:>14}", share(&all, *version, Some(section))));
    }
    let _ = write!(text, "\n{:40}", "all");
    Version::FINAL.iter().for_each(|version| text += &format!("{:>14}", share(&all, *version, None)));
    text += "\n";
    let missing: Vec<String> = missing(&all);
    if !missing.is_empty() {
        let _ = writeln!(text, "\nno case checks: {}", missing.join(", "));
    }
    text
}

/// An array of objects, one per obligation and version.
pub fn json(cases: &[Case]) -> String {
    let object = |Obligation { section, version, clause, cases }: &Obligation<'_>| json!({ "abi": version.name(), "section": section, "clause": clause, "cases": cases });
    format!("{:#}\n", Value::Array(obligations(cases).iter().map(object).collect()))
}

/// The page: the counts, and for each obligation its cases.
pub fn markdown(cases: &[Case]) -> String {
    let all = obligations(cases);
    let mut text = String::from(
        "# Coverage of the specification\n\nMade by `pw-conform coverage --markdown`. An obligation is a status that the \
         specification promises of a function, or an export that a plugin may have; it is covered if a hand-written case \
         names it as its clause.\n\n| section | v0.1.0 | v0.2.0 | v0.2.1 |\n|---|---:|---:|---:|\n",
    );
    for section in SECTIONS {
        let shares = Version::FINAL.map(|version| share(&all, version, Some(section)));
        let _ = writeln!(text, "| {} | {} |", section.title, shares.join(" | "));
    }
    let shares = Version::FINAL.map(|version| share(&all, version, None));
    let _ = writeln!(text, "| **all** | {} |", shares.join(" | "));
    for section in SECTIONS {
        let _ = writeln!(text, "\n## {}\n\n| clause | version | cases |\n|---|---|---|", section.title);
        for obligation in all.iter().filter(|obligation| obligation.section == section.slug) {
            let cases: Vec<String> = obligation.cases.iter().map(|case| format!("`{case}`")).collect();
            let cases = if cases.is_empty() { "**none**".to_owned() } else { cases.join(", ") };
            let _ = writeln!(text, "| `{}` | {} | {cases} |", obligation.clause, obligation.version);
        }
    }
    text
}

fn obligations(cases: &[Case]) -> Vec<Obligation<'_>> {
    let mut all = Vec::new();
    for (section, version) in SECTIONS.iter().flat_map(|section| Version::FINAL.map(|version| (section, version))) {
        let functions = section.host.iter().filter(|row| row.versions.contains(version));
        let promises =
            functions.flat_map(|row| row.promises(version).map(|promise| format!("{}/{}", row.name, promise.name)));
        let exports = section.guest.iter().filter(|row| row.versions.contains(version)).map(|row| row.name.to_owned());
        for clause in promises.chain(exports) {
            let checks = |case: &&Case| case.versions.contains(&version) && case.clauses.contains(&clause);
            let cases = cases.iter().filter(checks).map(|case| case.id.as_str()).collect();
            all.push(Obligation { section: section.slug, version, clause, cases });
        }
    }
    all
}

/// `28/28`; nothing where there are none.
fn share(all: &[Obligation<'_>], version: Version, section: Option<&Section>) -> String {
    let meant = |obligation: &&Obligation<'_>| {
        obligation.version == version && section.is_none_or(|section| obligation.section == section.slug)
    };
    let count = all.iter().filter(meant).count();
    let covered = all.iter().filter(meant).filter(|obligation| !obligation.cases.is_empty()).count();
    if count == 0 { String::new() } else { format!("{covered}/{count}") }
}

fn missing(all: &[Obligation<'_>]) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    for obligation in all.iter().filter(|obligation| obligation.cases.is_empty()) {
        if !missing.contains(&obligation.clause) {
            missing.push(obligation.clause.clone());
        }
    }
    missing
}
