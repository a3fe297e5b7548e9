//! A host driven through a child process that speaks the adapter protocol.

mod child;
mod process;
mod tap;

pub use process::{Process, Program, Shapes, read};
pub use tap::Tap;
