//! A small model of what the ABI promises, independent of any host's code: it shares the table and nothing else. Its
//! input is what the world does, which callbacks came and how each call was answered; its output is what cannot be right.
//!
//! One file per section of the specification says what its functions must answer. Where the specification is silent, the
//! model has the reference host's choice.

mod call;
mod calls;
mod fields;
mod finding;
mod flow;
mod instance;
mod life;
mod metrics;
mod queues;
mod rollout;
mod run;
mod sections;
mod state;
mod store;
mod stream;

pub use self::finding::{Finding, Out, Wanted, Wrong};
pub use self::state::{Model, Verdict};
