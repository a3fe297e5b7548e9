//! What a newer text of the specification changes: the statements whose sentence is no longer in it, and the sentences that are new.

use std::collections::BTreeSet;
use std::fmt::Write;

use pw_abi::Version;
use pw_cases::statements;
use sha2::{Digest, Sha256};

/// The number of hexadecimal digits of a digest that are kept.
const DIGITS: usize = 12;

/// The statements of a version whose sentences a text does not have.
pub fn against(text: &str, version: Version) -> String {
    let there: BTreeSet<String> =
        blocks(text).iter().flat_map(|(_, block)| sentences(block)).map(|sentence| digest(&sentence)).collect();
    let places = statements::all().iter().filter_map(|one| {
        let place = one.places.iter().find(|place| place.version == version)?;
        Some((one, place))
    });
    let gone: Vec<_> = places.clone().filter(|(_, place)| !there.contains(&place.digest)).collect();
    let mut answer = format!(
        "{} of the {} statements of ABI v{version} are in this text word for word\n",
        places.count() - gone.len(),
        statements::all().iter().filter(|one| one.versions.contains(&version)).count()
    );
    for (one, place) in gone {
        let _ = writeln!(answer, "changed or gone: {} (was line {}): {}", one.id, place.line, one.says);
    }
    answer
}

/// Paragraphs, items of lists, rows of tables and headings, each with its line; code is left out.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let (mut is_open, mut is_code) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.starts_with("```") {
            (is_open, is_code) = (false, !is_code);
            continue;
        }
        if is_code {
            continue;
        }
        let line = line.trim_start_matches(['>', ' ']);
        if line.is_empty() || line.starts_with("[!") {
            is_open = false;
            continue;
        }
        let begins = unmarked(line).len() < line.len() || line.starts_with('|');
        match blocks.last_mut().filter(|_| is_open && !begins) {
            Some((_, block)) => {
                block.push(' ');
                block.push_str(line);
            }
            None => blocks.push((number, line.to_owned())),
        }
        is_open = !line.starts_with(['#', '|']);
    }
    blocks
}

/// A line without the mark of a heading or of an item.
fn unmarked(line: &str) -> &str {
    let after = |marks: &str| line.strip_prefix(marks).filter(|rest| rest.starts_with(' ')).map(str::trim_start);
    let heading = line.trim_start_matches('#');
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    match number.strip_prefix(". ") {
        Some(rest) if number.len() < line.len() => rest,
        _ if heading.len() < line.len() && heading.starts_with(' ') => heading.trim_start(),
        _ => after("*").or_else(|| after("-")).unwrap_or(line),
    }
}

/// The sentences of a block, without links and marks.
fn sentences(block: &str) -> Vec<String> {
    let text = plain(unmarked(block));
    let mut sentences = vec![String::new()];
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    for (at, word) in words.iter().enumerate() {
        let is_first = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        let ends = |before: &str| before.ends_with(['.', '!', '?']);
        let begins = at > 0 && ends(words[at - 1]) && word.starts_with(is_first);
        if begins {
            sentences.push(String::new());
        }
        if let Some(last) = sentences.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    sentences
}

/// A text without the targets of links, and without brackets, quotes of code and stars.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let link = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'));
        rest = match link {
            Some((words, after)) => {
                plain.push_str(words);
                after.strip_prefix('(').and_then(|target| target.split_once(')')).map_or(after, |(_, after)| after)
            }
            None => {
                plain.push(c);
                &rest[c.len_utf8()..]
            }
        };
    }
    plain.replace(['`', '*'], "").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn digest(sentence: &str) -> String {
    let digest = Sha256::digest(sentence.to_lowercase().as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_sentences() {
        let text = "# A `heading`\n\n```c\nint code;\n```\n* An item of [a link](https://example.test/x)\n  that goes on. It has two.\n> [!NOTE]\n> Quoted v0.2.1 text.\n| a | b |\n";
        let found: Vec<(usize, Vec<String>)> =
            blocks(text).into_iter().map(|(line, block)| (line, sentences(&block))).collect();
        let row = |line, texts: &[&str]| (line, texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let expected = [
            row(1, &["A heading"]),
            row(6, &["An item of a link that goes on.", "It has two."]),
            row(9, &["Quoted v0.2.1 text."]),
            row(10, &["| a | b |"]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn statements_that_a_text_does_not_have_are_listed() {
        let text = against("- `OK` on success.\n", Version::V0_2_1);
        assert!(text.contains("\nchanged or gone: timers/period_zero (was line 422): "), "{text}");
        assert!(!text.contains(" timers/period_ok "), "{text}");
    }
}
