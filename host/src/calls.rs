//! What each function means: one file per section of the specification, plain methods on plain state.
//!
//! Knows nothing of wasmtime, of the guest's memory, or of versions (see `rules`).

mod buffers;
mod clocks;
mod common_stream_operations;
mod configuration;
mod context_lifecycle;
mod environment_variables;
mod foreign_function_interface;
mod grpc_calls;
mod http_calls;
mod http_fields;
mod http_streams;
mod logging;
mod metrics;
mod properties;
mod randomness;
mod shared_key_value_store;
mod shared_queues;
mod timers;
mod unimplemented_wasi_functions;
