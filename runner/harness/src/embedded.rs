//! The catalog, the SDK kit and the expected failures: those in the program, or those of a folder that the user names.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use pw_cases::case::Case;
use pw_cases::catalog::{self, File};
use pw_cases::files;
use pw_cases::format::Error;
use pw_cases::known::ExpectedFailures;

use crate::error::HarnessError;
use crate::record::{self, Line, Program};
use crate::sdk::Sdk;

/// What `build.rs` has put into the program, by path, sorted.
static FILES: &[File] = &include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Where the catalog in the program comes from.
const CATALOG: &str = "cases/catalog";
/// Where the SDK kit in the program comes from.
const KIT: &str = "cases/kit";
/// Where the expected failures in the program come from.
const KNOWN: &str = "cases/known";
/// Where what hosts get wrong in the SDK kit's cases comes from.
const FAULTS: &str = "cases/known/kit";
/// Where the records in the program come from.
const REPORTS: &str = "reports/";

/// The text in the program that comes from this path.
pub fn text(path: &str) -> Option<&'static str> {
    let index = FILES.binary_search_by_key(&path, |(known, _)| known).ok()?;
    std::str::from_utf8(FILES[index].1).ok()
}

/// What hosts did in a case for a version of the ABI when they were last run, by the committed records in the program.
pub fn outcomes(id: &str, abi: &str) -> Vec<(Program, record::Case)> {
    let id = format!("\"id\":{}", serde_json::Value::from(id));
    let outcome = |text: &str| {
        let Ok(Line::Header(header)) = serde_json::from_str(text.lines().next()?) else { return None };
        // To read all lines would take seconds.
        let cases = text.lines().filter(|line| line.contains(&id)).filter_map(|line| serde_json::from_str(line).ok());
        let case = cases.filter_map(|line| if let Line::Case(case) = line { Some(*case) } else { None });
        Some((header.host, case.into_iter().find(|case| case.abi == abi)?))
    };
    records().filter_map(|text| outcome(&text)).collect()
}

/// The texts of the records. One that cannot be read says nothing; they are checked when they are made.
fn records() -> impl Iterator<Item = String> {
    let files = FILES.iter().filter(|(path, _)| path.starts_with(REPORTS));
    files.filter_map(|(_, bytes)| {
        let mut text = String::new();
        GzDecoder::new(*bytes).read_to_string(&mut text).ok()?;
        Some(text)
    })
}

/// The names of the plugins of the SDK kit.
pub fn kit() -> Vec<&'static str> {
    let readme = |(path, _): &(&'static str, _)| path.strip_prefix(KIT)?.strip_prefix('/')?.strip_suffix("/README.md");
    FILES.iter().filter_map(readme).collect()
}

/// A catalog, with the expected failures of hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Catalog {
    /// The one in the program.
    Embedded,
    /// One in a folder; the expected failures are in `known` beside that.
    Folder(PathBuf),
    /// The SDK kit's cases of these plugins: those in the program, or in a folder.
    Kit(Box<Sdk>, Option<PathBuf>),
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
            Catalog::Kit(sdk, None) => catalog::embedded_kit(FILES, KIT, &sdk.modules()),
            Catalog::Kit(sdk, Some(folder)) => catalog::load_kit(folder, &sdk.modules()),
        }
    }

    /// All of its cases.
    pub fn cases(&self) -> (Vec<Case>, Vec<Error>) {
        match self {
            Catalog::Kit(..) => self.written(),
            Catalog::Embedded | Catalog::Folder(_) => catalog::with_generated(self.written()),
        }
    }

    /// The build of the SDK kit that its cases judge, if they do.
    pub fn sdk(&self) -> Option<&Sdk> {
        match self {
            Catalog::Kit(sdk, _) => Some(sdk),
            Catalog::Embedded | Catalog::Folder(_) => None,
        }
    }

    /// Its folder, if it has one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Catalog::Embedded => None,
            Catalog::Folder(folder) => Some(folder),
            Catalog::Kit(_, folder) => folder.as_deref(),
        }
    }

    /// The expected failures in a file: of a host, or of an SDK if the cases are the kit's.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is wrong.
    pub fn read_known(&self, file: &Path) -> Result<ExpectedFailures, HarnessError> {
        let current = std::env::current_dir().unwrap_or_default();
        let name = file.strip_prefix(current).unwrap_or(file).display().to_string();
        let source = files::text(file, files::TEXT).map_err(|error| HarnessError::io("read", &name, &error))?;
        self.parse_known(&name, &source)
    }

    fn parse_known(&self, name: &str, source: &str) -> Result<ExpectedFailures, HarnessError> {
        let parse = if self.sdk().is_some() { ExpectedFailures::parse_of_sdk } else { ExpectedFailures::parse };
        parse(name, source).map_err(|error| HarnessError::new(error.to_string()))
    }

    /// The expected failures of a host; none if there is no file for it. Of the SDK kit they are those of the SDK.
    pub fn expected_failures(&self, host: &str) -> Result<ExpectedFailures, HarnessError> {
        match self {
            Catalog::Embedded => {
                let name = format!("{KNOWN}/{host}.toml");
                text(&name).map_or(Ok(ExpectedFailures::default()), |source| self.parse_known(&name, source))
            }
            Catalog::Folder(folder) => {
                let known = folder.join("../known").join(format!("{host}.toml"));
                if known.exists() { self.read_known(&known) } else { Ok(ExpectedFailures::default()) }
            }
            Catalog::Kit(sdk, _) => {
                sdk.known.as_deref().map_or(Ok(ExpectedFailures::default()), |file| self.read_known(file))
            }
        }
    }

    /// What a host gets wrong in cases of the SDK kit; nothing if there is no file for it, or these are other cases.
    pub fn faults(&self, host: &str) -> Result<ExpectedFailures, HarnessError> {
        let name = format!("{FAULTS}/{host}.toml");
        match (self.sdk(), text(&name)) {
            (Some(_), Some(source)) => {
                ExpectedFailures::parse_of_kit(&name, source).map_err(|error| HarnessError::new(error.to_string()))
            }
            _ => Ok(ExpectedFailures::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hosts_get_wrong_is_about_cases_of_the_kit() {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/plugins/c");
        let sdk = Sdk::read(&plugins, &kit()).unwrap_or_else(|error| panic!("{error}"));
        let catalog = Catalog::Kit(Box::new(sdk), None);
        let (cases, errors) = catalog.cases();
        assert!(errors.is_empty(), "{errors:?}");
        let cases: Vec<&Case> = cases.iter().collect();
        let faults = FILES.iter().filter_map(|(path, _)| path.strip_prefix(FAULTS)?.strip_suffix(".toml"));
        let hosts: Vec<&str> = faults.filter_map(|name| name.strip_prefix('/')).collect();
        assert!(hosts.contains(&"envoy"), "{hosts:?}");
        for host in hosts {
            let faults = catalog.faults(host).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(faults.check(&cases), Vec::new());
        }
    }

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
        assert!(text("cases/known/envoy.toml").is_some_and(|text| text.contains("[[known]]")));
        assert_eq!(text("cases/known/nothing.toml"), None);
        let reports = folder.join("../../reports").read_dir().expect("the checkout has reports");
        let reports = reports.map(|entry| entry.expect("a folder can be read").path());
        let mut on_disk: Vec<PathBuf> =
            reports.filter(|path| path.extension().is_some_and(|is| is == "jsonl")).collect();
        on_disk.sort();
        let on_disk: Vec<_> =
            on_disk.iter().map(std::fs::read_to_string).collect::<Result<_, _>>().expect("they are text");
        assert!(records().eq(on_disk), "the program is stale: its records are not those on disk");
        let outcomes = outcomes("http_fields/add_value", "0.2.1");
        let hosts: Vec<&str> = outcomes.iter().map(|(host, _)| host.name.as_str()).collect();
        assert!(hosts.contains(&"envoy") && hosts.contains(&"reference"), "{hosts:?}");
        assert!(
            Catalog::Embedded
                .expected_failures("envoy")
                .is_ok_and(|failures| failures.file() == "cases/known/envoy.toml")
        );
    }
}
