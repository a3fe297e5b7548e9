//! The rules of HTTP hold for what plugins, clients, upstreams and servers of calls send, at a cost in proportion to its size.

mod calls;
mod request;
mod response;
mod support;
