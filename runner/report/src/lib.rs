//! Renders records of runs, and the table of the ABI. Each renderer is a pure function; [`write()`] puts their texts where they belong.

pub mod badge;
pub mod choices;
pub mod coverage;
pub mod matrix;
pub mod questions;
mod reasons;
pub mod table;
mod text;

use std::path::{Path, PathBuf};

use self::choices::Switch;
use pw_cases::case::Case;
use pw_harness::error::HarnessError;
use pw_harness::record::Record;

/// Writes badges, the matrix, the questions and the choices of these records, and says which files these are. The cases are those of the catalog,
/// the switches those of the reference host.
pub fn write(files: &[PathBuf], cases: &[Case], switches: &[Switch], out: &Path) -> Result<Vec<PathBuf>, HarnessError> {
    let records = read(files)?;
    std::fs::create_dir_all(out).map_err(|error| HarnessError::io("make the folder", out.display(), &error))?;
    let mut written = Vec::new();
    for record in &records {
        let host = &record.header.host;
        let several = records.iter().filter(|other| other.header.host.name == host.name).count() > 1;
        let name = if several { format!("{}-{}", host.name, host.version) } else { host.name.clone() };
        written.push((out.join(format!("{name}.badge.json")), badge::json(record)));
    }
    written.push((out.join("matrix.md"), matrix::render(&records)));
    written.push((out.join("spec-questions.md"), questions::render(&records, cases)));
    written.push((out.join("choices.md"), choices::render(&records, switches)));
    for (path, text) in &written {
        std::fs::write(path, text).map_err(|error| HarnessError::io("write", path.display(), &error))?;
    }
    Ok(written.into_iter().map(|(path, _)| path).collect())
}

/// Reads records, each of another host or of another version of one.
pub fn read(files: &[PathBuf]) -> Result<Vec<Record>, HarnessError> {
    let records = files.iter().map(|file| Record::read(file)).collect::<Result<Vec<_>, _>>()?;
    let host = |index: usize| &records[index].header.host;
    if let Some(twice) = (1..records.len()).find(|at| (0..*at).any(|other| host(other) == host(*at))) {
        let message = format!(
            "{}: a second record of the host {}: name one record per host and version",
            files[twice].display(),
            text::host(&records[twice])
        );
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
