//! What adapters for hosts over sockets share: the adapter protocol on one side, real sockets on loopback on the other.
//!
//! An adapter implements [`target::Target`] (the host's program: what it can do, its configuration, how it is started) and
//! [`target::Driver`] (one process of it: which plugins it runs, whose line of the log is it), and calls [`program::run`].
//!
//! The modules, each of which uses only those after it:
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`program`] | the adapter as a program |
//! | [`adapter`] | scenarios, and the processes of the host between them |
//! | [`run`], [`steps`], [`stage`] | a scenario; what each step does to sockets; when a step is over |
//! | [`traffic`], [`plugins`], [`window`] | what was seen on connections and in the log, as events in a fixed order |
//! | [`instance`], [`process`], [`guard`] | one process of the host with all its connections; it ends when the adapter does |
//! | [`target`], [`scenario`], [`job`] | what a host implements; what a scenario needs; a scenario as it is run |
//! | [`link`], [`net`], [`http`], [`http1`], [`http2`], [`frame`], [`grpc`], [`fields`] | connections, frames, messages, fields |
//! | [`sockets`], [`threads`] | what the kernel knows of connections |
//!
//! # The main function of an adapter
//!
//! It calls [`guard::become_guarded`] before anything else, and then [`program::run`].

pub mod adapter;
pub mod fields;
pub mod frame;
pub mod grpc;
pub mod guard;
pub mod http;
pub mod http1;
pub mod http2;
pub mod instance;
pub mod job;
pub mod link;
pub mod net;
pub mod plugins;
pub mod process;
pub mod program;
pub mod run;
pub mod scenario;
pub mod sockets;
pub mod stage;
pub mod steps;
pub mod target;
pub mod threads;
pub mod traffic;
pub mod window;
