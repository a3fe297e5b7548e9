//! What each function must answer: one file per section of the specification.

mod buffers;
mod calls;
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

use super::call::{Call, Judged};
use super::state::Model;

/// The functions of a section, so that its file must say of each what it does: a match without an arm for it does not compile.
macro_rules! functions {
    ([] section $Section:ident $slug:ident $title:literal host {} $($guest:tt)*) => {};
    (
        [] section $Section:ident $slug:ident $title:literal
        host { $({ $doc:literal $module:ident $name:ident $($rest:tt)* })+ }
        guest $guest:tt
    ) => {
        #[derive(Clone, Copy, PartialEq, Eq)]
        enum $Section {
            $($name,)+
        }
    };
}

/// Judges a call by the file of its section.
macro_rules! judge_in_section {
    ([$model:ident $instance:ident $call:ident] section $Section:ident $slug:ident $title:literal host {} $($guest:tt)*) => {
        $call.promised()
    };
    (
        [$model:ident $instance:ident $call:ident] section $Section:ident $slug:ident $title:literal
        host { $({ $doc:literal $module:ident $name:ident $($rest:tt)* })+ }
        guest $guest:tt
    ) => {
        match $call.function.name {
            $(stringify!($name) => $slug::judge($Section::$name, $model, $instance, $call),)+
            _ => $call.promised(),
        }
    };
}

macro_rules! sections {
    ($($slug:ident)+) => {
        $(pw_abi::$slug!(functions);)+

        /// Judges a call whose pointers are valid, and applies its effect to the model.
        pub(super) fn judge(model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
            match call.function.section {
                $(stringify!($slug) => pw_abi::$slug!(judge_in_section model instance call),)+
                _ => call.promised(),
            }
        }
    };
}

pw_abi::sections!(sections);
