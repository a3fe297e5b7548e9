//! Runs scenarios on a real Envoy: what [`pw_adapter_kit`] has to know of it.
//!
//! [`program`] is what `pw-conform adapter envoy` runs. [`target`] is Envoy's program ([`find`] looks for it), [`driver`] one process of
//! it. Below them: [`config`] (its configuration), [`lds`] (listeners for it while it runs), [`log`], [`contexts`] and
//! [`attribution`] (which plugin is a line about), [`stats`] (metrics).

pub mod attribution;
pub mod config;
pub mod contexts;
pub mod driver;
pub mod find;
pub mod lds;
pub mod log;
pub mod program;
pub mod stats;
pub mod target;
