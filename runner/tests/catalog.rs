//! The catalog holds on the reference host: every expectation of every case, in each of its versions.

use pw_cases::catalog;
use pw_cases::judge::judge;
use pw_cases::report::decode;
use pw_conform::adapter::reference::Reference;
use pw_conform::adapter::{Adapter, Outcome};

#[test]
fn the_catalog_holds() {
    let (cases, errors) = catalog::load(&catalog::folder());
    assert!(errors.is_empty(), "{errors:#?}");
    let mut reference = Reference::new().expect("wasmtime runs here");
    for case in &cases {
        for version in &case.versions {
            let lowered = case.lower(*version).expect("the catalog is lowered when it is read");
            let outcome = reference.run(&case.id, *version, &lowered.scenario);
            let Outcome::Ran(transcript) = outcome.unwrap_or_else(|error| panic!("{}: {error}", case.id)) else {
                panic!("{} is skipped", case.id);
            };
            let findings = judge(case, &lowered, &decode(transcript, &lowered.scenario)).findings;
            assert!(findings.is_empty(), "{} fails in ABI v{version}: {findings:#?}", case.id);
        }
    }
}
