//! The catalog holds on the reference host: every expectation of every case, in each of its versions; and where the
//! specification is silent, the answer is the one that is on record.

use std::collections::BTreeMap;
use std::path::Path;

use pw_cases::catalog;
use pw_conform::adapter::reference::Reference;
use pw_conform::attempt::{Attempt, attempt};
use pw_conform::plan::Job;
use pw_conform::record::Record;

const CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cases/catalog");

#[test]
fn the_catalog_holds() {
    let (cases, errors) = catalog::load(Path::new(CATALOG));
    assert!(errors.is_empty(), "{errors:#?}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/reference.jsonl");
    let record = Record::read(&path).unwrap_or_else(|error| panic!("{error}"));
    let on_record: BTreeMap<(&str, &str), &Option<String>> =
        record.cases.iter().map(|case| ((case.id.as_str(), case.abi.as_str()), &case.answer)).collect();
    let mut reference = Reference::new().expect("wasmtime runs here");
    for (case, version) in cases.iter().flat_map(|case| case.versions.iter().map(move |version| (case, *version))) {
        let Attempt::Judged(_, judgement) = attempt(Job { case, target: &case.id, version }, &mut reference) else {
            panic!("{} did not run in ABI v{version}", case.id);
        };
        assert!(judgement.findings.is_empty(), "{} fails in ABI v{version}: {:#?}", case.id, judgement.findings);
        let answer = (!judgement.answers.is_empty()).then(|| judgement.answers.join("; "));
        if let Some(recorded) = on_record.get(&(case.id.as_str(), version.name())) {
            assert_eq!(answer, **recorded, "{} in ABI v{version} answers otherwise than on record", case.id);
        }
    }
}
