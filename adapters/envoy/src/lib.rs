//! Runs scenarios on a real Envoy: the adapter protocol on one side, real sockets on loopback on the other.
//!
//! From the outside in: [`program`] is what `pw-conform adapter envoy` runs, [`adapter`] chooses an Envoy for a scenario, [`run`] does a scenario's steps and says what was seen,
//! [`instance`] is one Envoy with the servers that it talks to. [`job`] is a scenario as it is run here. Below them, each knowing nothing of scenarios:
//! [`find`] and [`guard`] (which program, and that it never outlives us), [`process`] (the child and its log),
//! [`net`], [`http2`] and [`grpc`] (sockets, frames, messages), [`link`] (what is at the other end), [`lds`] (listeners
//! handed to Envoy), [`config`] and [`module`] (Envoy's configuration), [`log`], [`contexts`] and [`attribution`] (whose line is it), [`sockets`] and
//! [`threads`] (whose connection is it, and what is under way), [`stats`] (metrics), [`window`] (order of events).

pub mod adapter;
pub mod attribution;
pub mod config;
pub mod contexts;
pub mod find;
pub mod grpc;
pub mod guard;
pub mod http2;
pub mod instance;
pub mod job;
pub mod lds;
pub mod link;
pub mod log;
pub mod module;
pub mod net;
pub mod process;
pub mod program;
pub mod run;
pub mod sockets;
pub mod stats;
pub mod threads;
pub mod window;
