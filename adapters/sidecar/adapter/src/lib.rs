//! Runs scenarios on the sidecar: what [`pw_adapter_kit`] has to know of it.
//!
//! [`target`] is the program with its configuration, [`driver`] one process of it and its log. Each scenario has its own process,
//! since the sidecar reads its configuration once.

pub mod driver;
pub mod target;
