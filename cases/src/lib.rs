//! What a conformance case is, the catalog of cases, and how what was seen of a run is judged.
//!
//! Pure but for [`catalog`] and [`files`], which read files: knows nothing of wasmtime, of processes or of any host.

pub mod adapter;
pub mod case;
pub mod catalog;
mod clause;
pub mod data;
pub mod departure;
pub mod files;
pub mod format;
pub mod generate;
pub mod judge;
pub mod known;
pub mod language;
pub mod lower;
pub mod narrate;
pub mod needs;
mod node;
pub mod probe;
pub mod protocol;
pub mod report;
mod rewrite;
pub mod scenario;
pub mod script;
pub mod serve;
pub mod shape;
pub mod statements;
mod tagged;
pub mod transcript;
pub mod want;
