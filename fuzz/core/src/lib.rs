//! What must hold of any input, as functions that panic where it does not. A fuzz target is one call of one of them.
//!
//! `cargo fuzz run pairs --features libfuzzer`; each also runs over generated inputs in `cargo test`, on stable.

pub mod against;
pub mod campaign;
pub mod canonical;
pub mod coverage;
pub mod drive;
pub mod generate;
pub mod keep;
pub mod minimise;
pub mod model;
pub mod oracle;
pub mod print;
pub mod share;
pub mod shrink;
mod tell;

use pw_abi::pairs;
use pw_cases::format;

/// Bytes that are a serialised map come out again as they went in, but for the forms of the empty one.
pub fn pairs(bytes: &[u8]) {
    let Ok(map) = pairs::decode(bytes) else { return };
    let encoded = pairs::encode(map.iter().copied());
    assert_eq!(pairs::decode(&encoded).as_ref(), Ok(&map));
    assert!(map.is_empty() || encoded == bytes, "{map:?} came from other bytes than it is written as");
}

/// Any text is a case, or an error that names one of its lines.
pub fn case_text(text: &str) {
    let no_modules = |_: &str| Err("there is no such file".to_owned());
    if let Err(error) = format::parse("fuzz", "fuzz.toml", text, &no_modules) {
        let lines = text.matches('\n').count() + 1;
        assert!(error.line <= lines, "{error}: the text has {lines} lines");
        assert!(!error.message.is_empty());
    }
}
