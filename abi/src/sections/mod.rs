//! The sections of the specification, in its order, each under the one name that it has everywhere.

/// Passes each section's rows in turn to the macro `$then`.
#[macro_export]
macro_rules! sections {
    ($then:ident) => {
        $crate::integration!($then);
        $crate::memory_management!($then);
        $crate::context_lifecycle!($then);
        $crate::configuration!($then);
        $crate::logging!($then);
        $crate::clocks!($then);
        $crate::timers!($then);
        $crate::randomness!($then);
        $crate::environment_variables!($then);
        $crate::buffers!($then);
        $crate::http_fields!($then);
        $crate::common_stream_operations!($then);
        $crate::tcp_streams!($then);
        $crate::http_streams!($then);
        $crate::http_calls!($then);
        $crate::grpc_calls!($then);
        $crate::shared_key_value_store!($then);
        $crate::shared_queues!($then);
        $crate::metrics!($then);
        $crate::properties!($then);
        $crate::foreign_function_interface!($then);
        $crate::unimplemented_wasi_functions!($then);
    };
}

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
mod integration;
mod logging;
mod memory_management;
mod metrics;
mod properties;
mod randomness;
mod shared_key_value_store;
mod shared_queues;
mod tcp_streams;
mod timers;
mod unimplemented_wasi_functions;

pub use buffers::Buffers;
pub use clocks::Clocks;
pub use common_stream_operations::CommonStreamOperations;
pub use configuration::Configuration;
pub use context_lifecycle::ContextLifecycle;
pub use environment_variables::EnvironmentVariables;
pub use foreign_function_interface::ForeignFunctionInterface;
pub use grpc_calls::GrpcCalls;
pub use http_calls::HttpCalls;
pub use http_fields::HttpFields;
pub use http_streams::HttpStreams;
pub use integration::Integration;
pub use logging::Logging;
pub use memory_management::MemoryManagement;
pub use metrics::Metrics;
pub use properties::Properties;
pub use randomness::Randomness;
pub use shared_key_value_store::SharedKeyValueStore;
pub use shared_queues::SharedQueues;
pub use tcp_streams::TcpStreams;
pub use timers::Timers;
pub use unimplemented_wasi_functions::UnimplementedWasiFunctions;

/// Every section, in the order of the specification.
pub static SECTIONS: [&crate::Section; 22] = [
    &integration::SECTION,
    &memory_management::SECTION,
    &context_lifecycle::SECTION,
    &configuration::SECTION,
    &logging::SECTION,
    &clocks::SECTION,
    &timers::SECTION,
    &randomness::SECTION,
    &environment_variables::SECTION,
    &buffers::SECTION,
    &http_fields::SECTION,
    &common_stream_operations::SECTION,
    &tcp_streams::SECTION,
    &http_streams::SECTION,
    &http_calls::SECTION,
    &grpc_calls::SECTION,
    &shared_key_value_store::SECTION,
    &shared_queues::SECTION,
    &metrics::SECTION,
    &properties::SECTION,
    &foreign_function_interface::SECTION,
    &unimplemented_wasi_functions::SECTION,
];
