//! What is made of records. Each renderer is a pure function; [`write()`] puts their texts where they belong.

pub mod badge;
pub mod junit;
pub mod matrix;
pub mod questions;

use std::path::{Path, PathBuf};

use pw_abi::Version;

use crate::error::HarnessError;
use crate::record::Record;

/// Writes badges, the matrix and the questions of these records, and says which files these are.
pub fn write(files: &[PathBuf], out: &Path) -> Result<Vec<PathBuf>, HarnessError> {
    let records = read(files)?;
    std::fs::create_dir_all(out).map_err(|error| HarnessError::io("make the folder", out.display(), &error))?;
    let mut written = Vec::new();
    for record in &records {
        let name = &record.header.host.name;
        written.push((out.join(format!("{name}.badge.json")), badge::json(record)));
    }
    written.push((out.join("matrix.md"), matrix::render(&records)));
    written.push((out.join("spec-questions.md"), questions::render(&records)));
    for (path, text) in &written {
        std::fs::write(path, text).map_err(|error| HarnessError::io("write", path.display(), &error))?;
    }
    Ok(written.into_iter().map(|(path, _)| path).collect())
}

/// Reads records, each of a host of its own.
pub fn read(files: &[PathBuf]) -> Result<Vec<Record>, HarnessError> {
    let records = files.iter().map(|file| Record::read(file)).collect::<Result<Vec<_>, _>>()?;
    let name = |index: usize| records[index].header.host.name.as_str();
    if let Some(twice) = (1..records.len()).find(|at| (0..*at).any(|other| name(other) == name(*at))) {
        let message = format!("{}: a second record of the host {}", files[twice].display(), name(twice));
        return Err(HarnessError::new(message));
    }
    let cut_short = records.iter().position(|record| record.footer.cut_short.is_some());
    if let Some(at) = cut_short {
        let (file, record) = (files[at].display(), &records[at]);
        let (run, planned) = (record.cases.len(), record.header.planned);
        let message = format!("{file}: the run was cut short, {run} of {planned} were run: run it again");
        return Err(HarnessError::new(message));
    }
    Ok(records)
}

/// A host and its version, as tables head a column.
pub(crate) fn host(record: &Record) -> String {
    format!("{} {}", record.header.host.name, cell(&record.header.host.version))
}

/// The heading of a section of cases.
fn title(slug: &str) -> String {
    match pw_abi::section(slug) {
        Some(section) => section.title.to_owned(),
        None if slug.is_empty() => "The manual".to_owned(),
        None => cell(slug),
    }
}

/// The clauses that a case checks, with links into the text of the latest of these versions.
fn clauses<'a>(clauses: impl IntoIterator<Item = &'a String>, versions: impl IntoIterator<Item = &'a str>) -> String {
    let latest = versions.into_iter().filter_map(Version::parse).max().unwrap_or(Version::V0_2_1);
    let link = |clause: &String| format!("[`{clause}`]({})", pw_abi::clause_url(clause, latest));
    clauses.into_iter().map(link).collect::<Vec<_>>().join(", ")
}

/// A text that does not break a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}
