//! Compares the table with facts that were read from the specification's text, for each version.

use pw_abi::{Version, callbacks, host_functions};

#[test]
fn the_table_has_exactly_the_facts_of_the_specification() {
    for version in Version::FINAL {
        let expected: Vec<String> =
            facts(version).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        let mut actual: Vec<String> = host_functions(version).map(|row| host_line(row, version)).collect();
        actual.extend(callbacks(version).map(|row| guest_line(row, version)));
        let missing: Vec<_> = expected.iter().filter(|line| !actual.contains(line)).collect();
        let extra: Vec<_> = actual.iter().filter(|line| !expected.contains(line)).collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "ABI v{version}: the table lacks {missing:#?} and has {extra:#?}"
        );
        assert_eq!(actual.len(), expected.len());
    }
}

#[test]
fn rows_have_their_out_parameters_last_and_a_sentence() {
    for row in pw_abi::SECTIONS.iter().flat_map(|section| section.host) {
        let first_out = row.params.iter().position(|param| param.out).unwrap_or(row.params.len());
        assert!(
            row.params[first_out..].iter().all(|param| param.out),
            "{}: an in-parameter after an out-parameter",
            row.name
        );
        assert!(row.doc.ends_with('.'), "{}: its doc is not a sentence", row.name);
        assert!(
            pw_abi::section(row.section).is_some_and(|section| section.host.iter().any(|other| other.name == row.name))
        );
    }
    for row in pw_abi::SECTIONS.iter().flat_map(|section| section.guest) {
        assert!(row.doc.ends_with('.'), "{}: its doc is not a sentence", row.name);
    }
}

fn facts(version: Version) -> &'static str {
    match version {
        Version::V0_1_0 => include_str!("spec/0.1.0.txt"),
        Version::V0_2_0 => include_str!("spec/0.2.0.txt"),
        _ => include_str!("spec/0.2.1.txt"),
    }
}

fn host_line(row: &pw_abi::Function, version: Version) -> String {
    let params = row.lanes().map(|(name, lane)| format!("{} {name}", lane.name()));
    let promises = row.promises(version).map(|promise| promise.name.to_owned());
    let result = row.result().map_or("-", |lane| lane.name());
    line("host", row.section, &row.qualified(), join(params, ", "), result, join(promises, " "))
}

fn guest_line(row: &pw_abi::Callback, version: Version) -> String {
    let params = row.params(version).map(|param| format!("{} {}", param.kind.lane().name(), param.name));
    let result = row.result.map_or("-", |kind| kind.lane().name());
    line("guest", row.section, row.name, join(params, ", "), result, "-".to_owned())
}

fn line(side: &str, section: &str, name: &str, params: String, result: &str, statuses: String) -> String {
    let title = pw_abi::section(section).expect("every row is in a section").title;
    format!("{side} | {title} | {name} | {params} | {result} | {statuses}")
}

fn join(parts: impl Iterator<Item = String>, separator: &str) -> String {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(separator) }
}
