//! Renders records of runs, and the table of the ABI. Each renderer is a pure function; [`write()`] puts their texts where they belong.

pub mod badge;
pub mod choices;
pub mod coverage;
pub mod matrix;
pub mod questions;
mod reasons;
pub mod sdks;
pub mod table;
mod text;

use std::path::{Path, PathBuf};

use self::choices::Switch;
use pw_cases::case::Case;
use pw_harness::embedded;
use pw_harness::error::HarnessError;
use pw_harness::record::Record;

/// Records, read.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Of the catalog, each of another host or of another version of one.
    pub hosts: Vec<Record>,
    /// Of the SDK kit, each of another SDK or of another host.
    pub sdks: Vec<Record>,
}

/// Writes badges, the matrix, the questions and the choices of these records, and for those of the SDK kit a page and badges of SDKs; says which
/// files these are. The cases are those of the catalog, the switches those of the reference host.
pub fn write(files: &[PathBuf], cases: &[Case], switches: &[Switch], out: &Path) -> Result<Vec<PathBuf>, HarnessError> {
    let Records { hosts, sdks } = read(files)?;
    std::fs::create_dir_all(out).map_err(|error| HarnessError::io("make the folder", out.display(), &error))?;
    let mut written = Vec::new();
    for record in &hosts {
        let host = &record.header.host;
        let several = hosts.iter().filter(|other| other.header.host.name == host.name).count() > 1;
        let name = if several { format!("{}-{}", host.name, host.version) } else { host.name.clone() };
        written.push((format!("{name}.badge.json"), badge::json(record)));
    }
    if !hosts.is_empty() {
        written.push(("matrix.md".to_owned(), matrix::render(&hosts)));
        written.push(("spec-questions.md".to_owned(), questions::render(&hosts, cases)));
        written.push(("choices.md".to_owned(), choices::render(&hosts, switches)));
    }
    let kit = embedded::kit();
    let builds = sdks::builds(&sdks, &kit);
    written.extend(builds.iter().map(|build| (sdks::badge::file(build), sdks::badge::json(build))));
    if !builds.is_empty() {
        written.push(("sdks.md".to_owned(), sdks::page::render(&builds)));
    }
    for (name, text) in &written {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(|error| HarnessError::io("write", path.display(), &error))?;
    }
    Ok(written.into_iter().map(|(name, _)| out.join(name)).collect())
}

/// Reads records. Those of the SDK kit are kept apart from those of the catalog.
///
/// # Errors
///
/// A file cannot be read, its run was cut short or was of some of the kit's plugins, or two records are of the same host or of the same SDK and host.
pub fn read(files: &[PathBuf]) -> Result<Records, HarnessError> {
    let records = files.iter().map(|file| Record::read(file)).collect::<Result<Vec<_>, _>>()?;
    if let Some(at) = twice(&records) {
        let host = text::host(&records[at]);
        let (of, per) = match &records[at].header.sdk {
            Some(sdk) => (format!("the SDK {} {} on {host}", sdk.name, sdk.version), "SDK and host"),
            None => (format!("the host {host}"), "host and version"),
        };
        let file = files[at].display();
        return Err(HarnessError::new(format!("{file}: a second record of {of}: name one record per {per}")));
    }
    for (file, record) in files.iter().zip(&records) {
        let (run, planned, file) = (record.cases.len(), record.header.planned, file.display());
        if record.footer.cut_short.is_some() {
            let message = format!("{file}: the run was cut short, {run} of {planned} were run: run it again");
            return Err(HarnessError::new(message));
        }
        if record.header.sdk.as_ref().is_some_and(|sdk| sdk.part) {
            let message = format!("{file}: some of the SDK kit's cases were run: run all of them");
            return Err(HarnessError::new(message));
        }
    }
    let (sdks, hosts) = records.into_iter().partition(|record| record.header.sdk.is_some());
    Ok(Records { hosts, sdks })
}

/// The first record that has the host, and the SDK if it has one, of a record before it.
fn twice(records: &[Record]) -> Option<usize> {
    let key = |record: &Record| {
        let sdk = record.header.sdk.as_ref().map(|sdk| (sdk.name.clone(), sdk.version.clone()));
        (record.header.host.clone(), sdk)
    };
    (1..records.len()).find(|at| records[..*at].iter().any(|other| key(other) == key(&records[*at])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pw_harness::record::Judged;
    use pw_harness::sample::sample;
    use pw_harness::verdict::Verdict;

    #[test]
    fn an_sdk_may_be_judged_on_several_hosts_and_a_host_may_run_several_sdks() {
        let of = |host: &str, sdk: Option<&str>| {
            let mut record = sample(host, &[("a/b", "0.2.1", Verdict::Pass)]);
            record.header.sdk = sdk.map(|name| Judged { name: name.to_owned(), ..Judged::default() });
            record
        };
        let records = [of("x", None), of("x", Some("s")), of("x", Some("t")), of("y", Some("s")), of("y", None)];
        assert_eq!(twice(&records), None);
        let with = |last: Record| records.iter().cloned().chain([last]).collect::<Vec<_>>();
        assert_eq!(twice(&with(of("x", None))), Some(5));
        assert_eq!(twice(&with(of("y", Some("s")))), Some(5));
    }
}
