//! Texts that several renderers need.

use pw_abi::Version;
use pw_harness::record::Record;

/// A host and its version, as tables head a column.
pub(crate) fn host(record: &Record) -> String {
    format!("{} {}", record.header.host.name, cell(&record.header.host.version))
}

/// The heading of a section of cases.
pub(crate) fn title(slug: &str) -> String {
    match pw_abi::section(slug) {
        Some(section) => section.title.to_owned(),
        None if slug.is_empty() => "The manual".to_owned(),
        None => cell(slug),
    }
}

/// The clauses that a case checks, with links into the text of the latest of these versions.
pub(crate) fn clauses<'a>(
    clauses: impl IntoIterator<Item = &'a String>,
    versions: impl IntoIterator<Item = &'a str>,
) -> String {
    let latest = versions.into_iter().filter_map(Version::parse).max().unwrap_or(Version::V0_2_1);
    let link = |clause: &String| format!("[`{clause}`]({})", pw_abi::clause_url(clause, latest));
    clauses.into_iter().map(link).collect::<Vec<_>>().join(", ")
}

/// A text that does not break a table.
pub(crate) fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}
