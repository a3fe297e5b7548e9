//! The words that a target's inputs are made of, for libFuzzer to put in: from the ABI table and from what reads them.

use std::collections::BTreeSet;

use pw_abi::{Kind, SECTIONS, Version};
use pw_cases::language;

/// The dictionary of a target in libFuzzer's form; none where an input is but a row of choices.
pub fn of(target: &str) -> Option<String> {
    let words: BTreeSet<Vec<u8>> = match target {
        "case_text" => texts(&[names(), statuses(), keys()].concat()),
        "check" => texts(&[names(), modules()].concat()).into_iter().chain(binary()).collect(),
        "protocol" => texts(&[names(), statuses(), messages()].concat()),
        "pairs" => [0u32, 1, 2, 3, 4, 8, 16, u32::MAX].iter().map(|number| number.to_le_bytes().to_vec()).collect(),
        "property_path" => texts(&properties()),
        _ => return None,
    };
    let lines: String = words.iter().map(|word| format!("\"{}\"\n", escaped(word))).collect();
    Some(format!("# Made by `{COMMAND}`.\n{lines}"))
}

/// What writes dictionaries and seeds.
pub const COMMAND: &str = "cargo run --release -p pw-fuzz-targets --example seeds";

fn escaped(word: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(*byte)),
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!("\\x{byte:02X}"),
    };
    word.iter().map(one).collect()
}

fn texts(words: &[String]) -> BTreeSet<Vec<u8>> {
    words.iter().map(|word| word.clone().into_bytes()).collect()
}

/// Functions and callbacks.
fn names() -> Vec<String> {
    let host = SECTIONS.iter().flat_map(|section| section.host).map(|row| row.name.to_owned());
    host.chain(SECTIONS.iter().flat_map(|section| section.guest).map(|row| row.name.to_owned())).collect()
}

/// Sections, values of enums, parameters.
fn statuses() -> Vec<String> {
    let rows = || SECTIONS.iter().flat_map(|section| section.host);
    let promises = rows().flat_map(|row| row.promises).map(|promise| promise.name);
    let values = rows().flat_map(|row| row.params).flat_map(|param| match param.kind {
        Kind::Enum(table) => table.values,
        _ => &[],
    });
    let params = rows().flat_map(|row| row.params).map(|param| param.name);
    let words = promises.chain(values.map(|value| value.name)).chain(params);
    words.chain(SECTIONS.iter().map(|section| section.slug)).map(str::to_owned).collect()
}

fn modules() -> Vec<String> {
    let markers = Version::ALL.into_iter().map(Version::marker);
    markers
        .chain(["env", "wasi_snapshot_preview1", "memory", "_start", "_initialize", "malloc"])
        .map(str::to_owned)
        .collect()
}

/// Beginnings of a module and of its sections.
fn binary() -> Vec<Vec<u8>> {
    let sections = (0..=13u8).map(|section| vec![section]);
    sections.chain([b"\0asm\x01\0\0\0".to_vec(), b"\0asm\x0d\0\x01\0".to_vec()]).collect()
}

/// The keys and words of case files.
fn keys() -> Vec<String> {
    let headings = ["[[step]]", "[[step.guest]]", "[[plugin]]", "[expect]", "[outcome."].map(str::to_owned);
    words(&language::schema().to_string()).map(str::to_owned).chain(headings).collect()
}

/// The words of the protocol's schema.
fn messages() -> Vec<String> {
    words(include_str!("../../runner/schemas/protocol.json")).map(|word| format!("\"{word}\"")).collect()
}

/// The words of a schema that stand in quotes, without sentences and references.
fn words(schema: &str) -> impl Iterator<Item = &str> {
    let quoted = schema.split('"').skip(1).step_by(2);
    quoted.filter(|word| !word.contains([' ', '$', '/', '#', '\\']) && word.len() > 1)
}

/// The names that are well known, each part for itself, and what goes between two.
fn properties() -> Vec<String> {
    let paths = crate::seeds::of("property_path").into_values();
    let parts = paths.flat_map(|path| {
        let parts = path.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
        parts.collect::<Vec<_>>()
    });
    parts
        .filter(|part| !part.is_empty() && part.len() < 60 && !part.contains(char::REPLACEMENT_CHARACTER))
        .chain(["\0".to_owned()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_so_that_libfuzzer_reads_them() {
        assert_eq!(escaped(b"a \"b\\\0\xFF"), "a \\\"b\\\\\\x00\\xFF");
    }

    #[test]
    fn the_words_of_every_reader_are_there() {
        let has = |target: &str, word: &str| of(target).is_some_and(|text| text.contains(&format!("\"{word}\"\n")));
        assert!(has("case_text", "proxy_on_tick") && has("case_text", "statement") && has("case_text", "NOT_FOUND"));
        assert!(has("check", "proxy_abi_version_0_2_1") && has("protocol", "\\\"request_headers\\\""));
        assert!(has("property_path", "plugin_name") && !has("scenario", ""));
    }
}
