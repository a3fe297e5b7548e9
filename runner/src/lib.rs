//! Runs the conformance catalog on a host, and tells what came out.
//!
//! A run goes through these rooms: [`select`] finds the cases in the [`embedded`] catalog or elsewhere, [`plan`] pairs them with versions, [`adapter`] drives the
//! host, [`attempt`] runs one case through it, [`pool`] several side by side, [`verdict`] weighs what came out against
//! the ledger, [`record`] keeps it. Everything that is shown afterwards ([`report`], [`explain`]) is a function of these.
//! [`console`] is the only one that prints, [`adapter`] and [`plugins`] the only ones that start processes.

pub mod adapter;
pub mod against;
pub mod attempt;
pub mod check;
pub mod cli;
pub mod commands;
pub mod console;
pub mod coverage;
pub mod duration;
pub mod embedded;
pub mod error;
pub mod explain;
pub mod fuzz;
pub mod invocation;
pub mod list;
pub mod plan;
pub mod plugins;
pub mod pool;
pub mod record;
pub mod recorder;
pub mod report;
pub mod run;
pub mod running;
pub mod score;
pub mod select;
pub mod soak;
pub mod summary;
pub mod table;
pub mod timestamp;
pub mod try_plugin;
pub mod verdict;
