//! The catalog, the expected failures and the compiled plugins: those in the program, or those of a folder that the user names.

use std::path::{Path, PathBuf};

use pw_cases::case::Case;
use pw_cases::catalog::{self, File};
use pw_cases::files;
use pw_cases::format::Error;
use pw_cases::known::ExpectedFailures;

use crate::error::HarnessError;
use crate::record::Record;

/// What `build.rs` has put into the program, by path, sorted.
static FILES: &[File] = &include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Where the catalog in the program comes from.
const CATALOG: &str = "cases/catalog";
/// Where the expected failures in the program come from.
const KNOWN: &str = "cases/known";
/// Where the records in the program come from.
const REPORTS: &str = "reports/";

/// The text in the program that comes from this path.
pub fn text(path: &str) -> Option<&'static str> {
    let index = FILES.binary_search_by_key(&path, |(known, _)| known).ok()?;
    std::str::from_utf8(FILES[index].1).ok()
}

/// The committed records in the program: what hosts did when they were last run.
pub fn records() -> impl Iterator<Item = Record> {
    let files = FILES.iter().filter(|(path, _)| path.starts_with(REPORTS));
    // They are checked when they are made; one that cannot be read says nothing.
    files.filter_map(|(_, bytes)| Record::parse(std::str::from_utf8(bytes).ok()?).ok())
}

/// A catalog, with the expected failures of hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Catalog {
    /// The one in the program.
    Embedded,
    /// One in a folder; the expected failures are in `known` beside that.
    Folder(PathBuf),
}

impl Catalog {
    /// The one in the program, unless a folder is named.
    pub fn new(folder: Option<&Path>) -> Result<Catalog, HarnessError> {
        match folder {
            None => Ok(Catalog::Embedded),
            Some(folder) if folder.is_dir() => Ok(Catalog::Folder(folder.to_owned())),
            Some(folder) => Err(HarnessError::new(format!("--catalog {}: there is no such folder", folder.display()))),
        }
    }

    /// Its hand-written cases.
    pub fn written(&self) -> (Vec<Case>, Vec<Error>) {
        match self {
            Catalog::Embedded => catalog::embedded(FILES, CATALOG),
            Catalog::Folder(folder) => catalog::load(folder),
        }
    }

    /// All of its cases.
    pub fn cases(&self) -> (Vec<Case>, Vec<Error>) {
        catalog::with_generated(self.written())
    }

    /// Its folder, if it has one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Catalog::Embedded => None,
            Catalog::Folder(folder) => Some(folder),
        }
    }

    /// The expected failures of a host; none if there is no file for it.
    pub fn expected_failures(&self, host: &str) -> Result<ExpectedFailures, HarnessError> {
        match self {
            Catalog::Embedded => {
                let name = format!("{KNOWN}/{host}.toml");
                text(&name).map_or(Ok(ExpectedFailures::default()), |source| parsed(&name, source))
            }
            Catalog::Folder(folder) => {
                let known = folder.join("../known").join(format!("{host}.toml"));
                if known.exists() { expected_failures(&known) } else { Ok(ExpectedFailures::default()) }
            }
        }
    }
}

/// The expected failures in a file.
pub fn expected_failures(file: &Path) -> Result<ExpectedFailures, HarnessError> {
    let current = std::env::current_dir().unwrap_or_default();
    let name = file.strip_prefix(current).unwrap_or(file).display().to_string();
    let source = files::text(file, files::TEXT).map_err(|error| HarnessError::io("read", &name, &error))?;
    parsed(&name, &source)
}

fn parsed(name: &str, source: &str) -> Result<ExpectedFailures, HarnessError> {
    ExpectedFailures::parse(name, source).map_err(|error| HarnessError::new(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_program_is_what_is_in_the_checkout() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/catalog");
        let (cases, errors) = Catalog::Embedded.written();
        assert!(errors.is_empty(), "{errors:?}");
        let ids = |cases: &[Case]| cases.iter().map(|case| (case.id.clone(), case.source.clone())).collect::<Vec<_>>();
        let mut on_disk = ids(&catalog::load(&folder).0);
        on_disk.sort();
        let mut embedded = ids(&cases);
        embedded.sort();
        assert!(embedded == on_disk, "the program is stale: {} cases, {} on disk", embedded.len(), on_disk.len());
        assert!(text("cases/plugins/manifest.toml").is_some_and(|text| text.contains("[[plugin]]")));
        assert_eq!(text("cases/plugins/nothing.toml"), None);
        let hosts: Vec<String> = records().map(|record| record.header.host.name).collect();
        assert_eq!(hosts, ["envoy", "reference"]);
        assert!(
            Catalog::Embedded
                .expected_failures("envoy")
                .is_ok_and(|failures| failures.file() == "cases/known/envoy.toml")
        );
    }
}
