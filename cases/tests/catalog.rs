//! The catalog as files: all of them are cases, and the probe exists in every version.

use std::path::Path;

use pw_abi::Version;
use pw_cases::case::Level;
use pw_cases::catalog;
use pw_cases::probe::{Template, assemble};
use pw_cases::scenario::Guest;
use pw_cases::script::Script;

const CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/catalog");

#[test]
fn every_file_is_a_case() {
    let (cases, errors) = catalog::load(Path::new(CATALOG));
    let errors: Vec<String> = errors.iter().map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert!(!cases.is_empty());
}

/// What the specification knows nothing of is apart from what it says, and in no score.
#[test]
fn extensions_are_a_folder_of_their_own() {
    let (cases, _) = catalog::load(Path::new(CATALOG));
    let is_apart = |case: &&pw_cases::case::Case| case.id.starts_with("extensions/");
    let wrong: Vec<&str> = cases
        .iter()
        .filter(|case| is_apart(case) != (case.level == Level::Extension))
        .map(|case| case.id.as_str())
        .collect();
    assert!(wrong.is_empty(), "level and folder differ: {wrong:?}");
    assert!(cases.iter().filter(is_apart).count() > 100);
}

#[test]
fn probes_of_every_version_are_valid_modules() {
    for version in Version::ALL {
        let script = Script::new(version);
        for template in [Template::full(&script), Template::smallest(&script), Template::streamed(version)] {
            let bytes =
                assemble(&template.wat(&script.bytes())).unwrap_or_else(|error| panic!("ABI v{version}: {error}"));
            assert!(bytes.starts_with(b"\0asm"));
        }
    }
}

#[test]
fn every_probe_of_the_catalog_is_a_valid_module() {
    let (cases, _) = catalog::load(Path::new(CATALOG));
    for case in &cases {
        for version in &case.versions {
            let lowered = case.lower(*version).unwrap_or_else(|error| panic!("{}: {error:?}", case.id));
            for plugin in &lowered.scenario.plugins {
                if let Guest::Probe(script) = &plugin.guest {
                    let wat = Template::smallest(script).wat(&script.bytes());
                    assemble(&wat).unwrap_or_else(|error| panic!("{}: {error}", case.id));
                }
            }
        }
    }
}
