//! What the reference host did in each case of the catalog, by section. A record, never a judge: nothing is recorded of
//! a case that fails.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use pw_cases::adapter::{Adapter, Outcome};
use pw_cases::case::Case;
use pw_cases::catalog;
use pw_cases::judge::judge;
use pw_cases::report::decode;
use pw_reference::InProcess;

const CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cases/catalog");

#[test]
fn the_reference_host_does_what_it_did() {
    let (cases, _) = catalog::load(Path::new(CATALOG));
    let mut reference = InProcess::new().expect("wasmtime runs here");
    let failed: Vec<&str> = cases
        .iter()
        .filter(|case| catch_unwind(AssertUnwindSafe(|| check(case, &mut reference))).is_err())
        .map(|case| case.id.as_str())
        .collect();
    let accept = "INSTA_UPDATE=always cargo test --workspace --test snapshots";
    assert!(failed.is_empty(), "{failed:#?}\nread the differences above; if they are meant, accept them: {accept}");
}

#[test]
fn every_snapshot_is_of_a_case() {
    let (cases, _) = catalog::load(Path::new(CATALOG));
    let expected: BTreeSet<PathBuf> = cases.iter().map(|case| folder().join(format!("{}.snap", case.id))).collect();
    let stale: Vec<PathBuf> = files(&folder()).into_iter().filter(|file| !expected.contains(file)).collect();
    assert!(stale.is_empty(), "these are of no case any more, delete them: {stale:#?}");
}

fn check(case: &Case, reference: &mut InProcess) {
    let text = transcripts(case, reference);
    let path = folder().join(&case.id);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(path.parent().unwrap_or(&path));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(case.title.clone());
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// The transcript for the newest version, and those of older ones that differ from the next newer.
fn transcripts(case: &Case, reference: &mut InProcess) -> String {
    let mut text = String::new();
    let mut newer = None;
    for version in case.versions.iter().rev() {
        let lowered = case.lower(*version).expect("the catalog is lowered when it is read");
        let outcome = reference.run(&case.id, *version, &lowered.scenario);
        let Outcome::Ran(transcript) = outcome.unwrap_or_else(|error| panic!("{}: {error}", case.id)) else {
            panic!("{}: skipped", case.id);
        };
        let transcript = decode(transcript, &lowered.scenario);
        let findings = judge(case, &lowered, &transcript).findings;
        assert!(findings.is_empty(), "{} fails, so there is nothing to record: {findings:#?}", case.id);
        let shown = transcript.to_string();
        if newer.as_ref() != Some(&shown) {
            let _ = write!(text, "{}# ABI v{version}\n{shown}", if newer.is_some() { "\n" } else { "" });
        }
        newer = Some(shown);
    }
    text
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapshots")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "snap"))
        .collect()
}
