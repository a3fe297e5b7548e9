//! The program `pw-conform`: its command line, and a file for each of its commands.
//!
//! The commands' work is in other crates: `pw-harness` runs cases, `pw-report` renders records, `pw-plugin` is for authors of
//! plugins, `pw-soak` for operators, `pw-fuzz` finds bugs. Only [`connect`] knows hosts by name.

pub mod adapter;
pub mod against;
pub mod cli;
pub mod commands;
pub mod connect;
pub mod duration;
mod examples;
pub mod explain;
pub mod fuzz;
pub mod init;
pub mod list;
pub mod run;
pub mod sdk;
pub mod smoke;
pub mod soak;
mod variations;
