//! The language of case files, as data: each table with its keys, what can stand at them, what they usually are, and a sentence.
//!
//! The reader, the printer, the JSON Schema for editors, the reference in `docs/case-reference.md` and what a step needs of a host follow
//! from these tables. Knows nothing of hosts, and reads no files.

mod form;
mod manual;
mod print;
mod schema;
mod steps;
mod tables;

pub use self::form::{Form, Key, Table, Usual};
pub use self::manual::manual;
pub use self::print::{bytes, entries, fields, step, text};
pub use self::schema::schema;
pub use self::steps::{Kind, STEPS, of};
pub use self::tables::{ACCEPT, CALL, CASE, EXPECT, GRPC, GUEST, LOG_LINE, MESSAGE, PLUGIN, SETTINGS, STEP, WANTS};

#[cfg(test)]
mod tests {
    use pw_abi::LogLevel;

    use super::*;
    use crate::case::Level;

    /// The words of a key of a table.
    fn words(table: &Table, name: &str) -> Vec<&'static str> {
        let key = table.keys.iter().find(|key| key.name == name).expect("the table has it");
        let Form::Word(words) = key.form else { panic!("{name} is not a word") };
        words.to_vec()
    }

    #[test]
    fn words_are_those_of_the_enums() {
        assert_eq!(words(&CASE, "level"), Level::ALL.map(|(name, _)| name));
        let levels: Vec<&str> = LogLevel::TABLE.values.iter().map(|value| value.name).collect();
        assert_eq!(words(&LOG_LINE, "level"), levels);
    }
}
