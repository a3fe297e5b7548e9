//! Attacks on the host, by kind: what plugins, clients, upstreams and operators do must not crash it, nor affect others.

mod account;
mod metering;
mod names;
mod parked;
mod policy;
mod recursion;
mod restarts;
mod support;
mod work;
