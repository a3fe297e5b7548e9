//! What each function must answer: one file per section of the specification.

mod buffers;
pub(super) mod calls;
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
pub(super) mod metrics;
mod properties;
mod randomness;
pub(super) mod shared_key_value_store;
pub(super) mod shared_queues;
mod timers;
mod unimplemented_wasi_functions;

use super::Model;
use super::call::{Call, Judged};

/// Judges a call whose pointers are sound, and does in the model what it has done.
pub(super) fn judge(model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let section = match call.function.section {
        "buffers" => buffers::judge,
        "clocks" => clocks::judge,
        "common_stream_operations" => common_stream_operations::judge,
        "configuration" => configuration::judge,
        "context_lifecycle" => context_lifecycle::judge,
        "environment_variables" => environment_variables::judge,
        "foreign_function_interface" => foreign_function_interface::judge,
        "grpc_calls" => grpc_calls::judge,
        "http_calls" => http_calls::judge,
        "http_fields" => http_fields::judge,
        "http_streams" => http_streams::judge,
        "logging" => logging::judge,
        "metrics" => metrics::judge,
        "properties" => properties::judge,
        "randomness" => randomness::judge,
        "shared_key_value_store" => shared_key_value_store::judge,
        "shared_queues" => shared_queues::judge,
        "timers" => timers::judge,
        "unimplemented_wasi_functions" => unimplemented_wasi_functions::judge,
        _ => return call.promised(),
    };
    section(model, instance, call)
}
