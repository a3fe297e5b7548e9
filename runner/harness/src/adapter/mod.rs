//! A host behind a program of its own, which speaks the adapter protocol.

mod child;
mod process;
mod tap;

pub use process::{Process, Program, Shapes, read};
pub use tap::Tap;
