//! What the world does, as a case file has it.

use pw_cases::scenario::Step;

use super::values::{data, fields, text};

pub(super) fn print(step: &Step) -> String {
    let kind = step.name();
    let stream = step.stream().map_or(String::new(), |stream| format!("stream = {stream}\n"));
    let with_end = |value: String, end: bool| format!("{kind} = {value}\n{stream}end_of_stream = {end}\n");
    match step {
        Step::RequestHeaders { headers, end_of_stream, .. } | Step::ResponseHeaders { headers, end_of_stream, .. } => {
            with_end(fields(headers), *end_of_stream)
        }
        Step::RequestBody { body, end_of_stream, .. } | Step::ResponseBody { body, end_of_stream, .. } => {
            with_end(data(body), *end_of_stream)
        }
        Step::ClientData { data: bytes, end_of_stream, .. } | Step::UpstreamData { data: bytes, end_of_stream, .. } => {
            with_end(data(bytes), *end_of_stream)
        }
        Step::RequestTrailers { trailers, .. } | Step::ResponseTrailers { trailers, .. } => {
            format!("{kind} = {}\n{stream}", fields(trailers))
        }
        Step::CallResponse { call, headers, body, trailers } => format!(
            "{kind} = {}\ncall = {call}\nbody = {}\ntrailers = {}\n",
            fields(headers),
            data(body),
            fields(trailers)
        ),
        Step::CallReset { call } | Step::GrpcReset { call } => format!("{kind} = true\ncall = {call}\n"),
        Step::GrpcInitialMetadata { call, metadata } => format!("{kind} = {}\ncall = {call}\n", fields(metadata)),
        Step::GrpcMessage { call, message } => format!("{kind} = {}\ncall = {call}\n", data(message)),
        Step::GrpcClose { call, status, message, metadata } => {
            let (message, metadata) = (text(message), fields(metadata));
            format!("{kind} = {status}\ncall = {call}\nmessage = {message}\nmetadata = {metadata}\n")
        }
        Step::ForeignCall { function, arguments } => format!("{kind} = {function}\narguments = {}\n", data(arguments)),
        Step::Reconfigure { plugin, configuration } => {
            format!("{kind} = {}\nplugin = {}\n", data(configuration), text(plugin))
        }
        Step::Replace { plugin, by } => format!("{kind} = {}\nby = {}\n", text(plugin), text(by)),
        Step::Canary { plugin, by, share, faults } => {
            format!("{kind} = {}\nby = {}\nshare = {share}\nfaults = {faults}\n", text(plugin), text(by))
        }
        Step::Promote { plugin } | Step::RollBack { plugin } | Step::Remove { plugin } => {
            format!("{kind} = {}\n", text(plugin))
        }
        Step::Advance { milliseconds } => format!("{kind} = {milliseconds}\n"),
        Step::Connect { .. }
        | Step::ClientReset { .. }
        | Step::UpstreamReset { .. }
        | Step::ReadMetrics
        | Step::Shutdown => format!("{kind} = true\n{stream}"),
    }
}
