//! Every oracle over some hundred generated inputs, on stable.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use proptest::collection::vec;
use proptest::prelude::*;
use pw_cases::catalog;
use pw_cases::scenario::Scenario;
use pw_fuzz::drive::silence;
use pw_fuzz::{generate, oracle};
use pw_reference::Reference;

const CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../cases/catalog");

fn small_word() -> impl Strategy<Value = [u8; 4]> {
    (0u32..4).prop_map(u32::to_le_bytes)
}

/// Shrinks as its bytes do: to fewer steps and calls, and to the first of the choices.
fn scenario() -> impl Strategy<Value = Scenario> {
    vec(any::<u8>(), 0..700).prop_map(|bytes| generate::scenario(&bytes))
}

static HOST: LazyLock<Result<Reference, String>> = LazyLock::new(Reference::pooled);

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pairs_of_any_bytes(bytes: Vec<u8>) {
        pw_fuzz::pairs(&bytes);
    }

    /// Small numbers in front, so that many of the inputs are maps.
    #[test]
    fn pairs_of_likely_bytes(words in vec(small_word(), 1..6), text in vec(0u8..2, 0..12)) {
        pw_fuzz::pairs(&[words.concat(), text].concat());
    }

    #[test]
    fn pairs_of_any_map(map: Vec<(Vec<u8>, Vec<u8>)>) {
        let map: Vec<(&[u8], &[u8])> = map.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
        let bytes = pw_abi::pairs::encode(map.iter().copied());
        prop_assert_eq!(pw_abi::pairs::decode(&bytes), Ok(map));
        pw_fuzz::pairs(&bytes);
    }

    #[test]
    fn the_model_predicts_any_scenario(mut scenario in scenario()) {
        silence(&mut scenario, true);
        let host = HOST.as_ref().map_err(|error| TestCaseError::fail(error.clone()))?;
        let verdict = oracle::model(host, &Arc::new(scenario)).map_err(TestCaseError::fail)?;
        let found: Vec<&String> = verdict.findings.iter().map(|finding| &finding.message).collect();
        prop_assert!(found.is_empty(), "{found:#?}");
    }
}

/// A case of the catalog with a line left out, doubled, or cut: close enough to a case to get past the first checks.
#[test]
fn case_text_of_damaged_cases() {
    let (cases, _) = catalog::load(Path::new(CATALOG));
    for case in cases.iter().step_by(3) {
        let lines: Vec<&str> = case.source.lines().collect();
        for index in 0..lines.len() {
            let without: Vec<&str> =
                lines.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, line)| *line).collect();
            pw_fuzz::case_text(&without.join("\n"));
            let doubled: Vec<&str> = lines[..=index].iter().chain(&lines[index..]).copied().collect();
            pw_fuzz::case_text(&doubled.join("\n"));
            let half = lines[index].len() / 2;
            if lines[index].is_char_boundary(half) {
                pw_fuzz::case_text(&[&lines[..index], &[&lines[index][..half]]].concat().join("\n"));
            }
        }
    }
}
