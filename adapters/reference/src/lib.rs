//! The reference host in the world of cases: a scenario in, a transcript out. Probes are compiled once per shape, and
//! given their scripts as data; what they report must be what the host itself saw.
//!
//! Knows nothing of what is expected, of other hosts, and of files.

mod adapter;
mod agree;
mod live;
mod modules;
mod reference;
mod room;
mod trace;
mod world;
mod zlib;

pub use crate::adapter::InProcess;
pub use crate::reference::{Reference, policy};
pub use crate::trace::Trace;
pub use crate::world::{START, UPSTREAMS, World};
