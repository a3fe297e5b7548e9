//! Runs conformance cases on a host, whatever host it is.
//!
//! [`select`] finds the cases in the [`embedded`] catalog or elsewhere, [`plan`] pairs them with versions of the ABI, [`connection`] starts
//! an [`adapter`] of the host, [`survey`] finds out which functions the host has, [`attempt`] runs one case, [`pool`] several side by side,
//! [`weigh`] compares the outcome with the expected failures of the host, [`record`] keeps it. [`run`] does all of that.
//! [`console`] is the only module that prints, [`adapter`] the only one that starts processes. Nothing here knows a host by name.
//!
//! A host that is written in Rust runs the catalog as its own tests: [`suite`].

pub mod adapter;
pub mod attempt;
pub mod connection;
pub mod console;
pub mod draft;
pub mod embedded;
pub mod error;
pub mod exit;
pub mod interrupt;
pub mod invocation;
pub mod junit;
pub mod plan;
pub mod pool;
pub mod record;
pub mod recorder;
pub mod run;
pub mod running;
#[doc(hidden)]
pub mod sample;
pub mod score;
pub mod sdk;
pub mod select;
pub mod suite;
pub mod summary;
pub mod survey;
pub mod timestamp;
pub mod verdict;
pub mod weigh;
