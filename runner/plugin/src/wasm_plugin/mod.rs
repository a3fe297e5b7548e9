//! Istio's `WasmPlugin`: what the fields of a resource say, and the chain that several of them make.
//!
//! Knows nothing of files, of cases and of any host.

mod chain;
mod node;
mod read;
mod resource;
mod yaml;

pub use chain::{Chain, Inbound};
pub use read::read;
pub use resource::{FAIL_STRATEGIES, Kind, Lined, Phase, Selector, Url, Variable, WasmPlugin, fail_strategy};
