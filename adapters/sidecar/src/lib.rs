//! A small HTTP proxy with Proxy-Wasm plugins: [`pw_host`] over sockets.
//!
//! It accepts HTTP/1.1 and HTTP/2, passes each request through a chain of plugins to one upstream, and the response back. Bodies
//! are streamed: a side that reads slowly slows the other one down. Each worker thread has its own listener on the same port, its
//! own VMs, and its own connections to upstreams; nothing is shared between workers but compiled modules.
//!
//! The modules, each of which uses only those after it:
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`serve`] | threads, listeners, the end |
//! | `admin` | the operator's questions |
//! | `front`, `exchange` | a client's request; the same request at the upstream, and HTTP calls of plugins |
//! | `upstream` | connections to upstreams |
//! | `worker` | the plugins of a thread: events in, effects out |
//! | `pipe`, `message`, `log` | pieces of a message that wait to be sent; fields of HTTP; lines about plugins |
//! | [`config`] | the file of configuration |

mod admin;
pub mod config;
mod exchange;
mod front;
mod log;
mod message;
mod pipe;
pub mod serve;
mod upstream;
mod worker;
