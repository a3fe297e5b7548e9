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
pub use self::tables::{
    ACCEPT, CALL, CASE, EXPECT, GRPC, GUEST, LIMITS_TABLE, LOG_LINE, MESSAGE, PLUGIN, SETTINGS, STEP, WANTS,
};
