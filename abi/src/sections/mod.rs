//! The sections of the specification, in its order, each under the one name that it has everywhere.

use crate::call::methods;
use crate::row::table;

/// Passes the names of all sections to the macro `$then`, in the order of the specification.
///
/// This is the only list of sections. The macro of a section, such as `pw_abi::http_fields!(then)`, passes its rows to `then`.
#[macro_export]
macro_rules! sections {
    ($then:ident) => {
        $then! {
            integration
            memory_management
            context_lifecycle
            configuration
            logging
            clocks
            timers
            randomness
            environment_variables
            buffers
            http_fields
            common_stream_operations
            tcp_streams
            http_streams
            http_calls
            grpc_calls
            shared_key_value_store
            shared_queues
            metrics
            properties
            foreign_function_interface
            unimplemented_wasi_functions
        }
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

macro_rules! define {
    ($($slug:ident)+) => {
        $(crate::$slug!(methods);)+

        const COUNT: usize = [$(stringify!($slug)),+].len();

        /// Every section, in the order of the specification.
        pub static SECTIONS: [&crate::Section; COUNT] = [$(crate::$slug!(table)),+];
    };
}

sections!(define);
