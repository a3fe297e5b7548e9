//! Cases as a list. Pure.

use pw_cases::case::Case;
use serde_json::{Value, json};

use pw_harness::select::Selected;

/// One line per case: its id, its versions, its level, its title.
pub fn text(cases: &[Selected]) -> String {
    let width = cases.iter().map(|selected| selected.case.id.len()).max().unwrap_or(0);
    let line = |Selected { case, .. }: &Selected| {
        let Case { id, level, title, .. } = case;
        let (versions, level) = (versions(case), level.to_string());
        format!("{id:width$}  {versions:12}  {level:11}  {title}\n")
    };
    cases.iter().map(line).collect()
}

/// An array of objects.
pub fn json(cases: &[Selected]) -> String {
    let object = |Selected { case, .. }: &Selected| {
        json!({
            "id": case.id,
            "title": case.title,
            "level": case.level.to_string(),
            "abi": case.versions.iter().map(|version| version.name()).collect::<Vec<_>>(),
            "statement": case.statements,
            "clause": case.clauses,
            "file": case.file,
            "hazard": case.hazard,
            "why": case.why,
            "question": case.question,
        })
    };
    format!("{:#}\n", Value::Array(cases.iter().map(object).collect()))
}

/// `0.2.1`, or `0.1.0–0.2.1`.
fn versions(case: &Case) -> String {
    match case.versions.as_slice() {
        [] => String::new(),
        [one] => one.to_string(),
        [first, .., last] => format!("{first}–{last}"),
    }
}
