//! What a world can do to a plugin, once each.

use pw_cases::data::{Data, Fields};
use pw_cases::scenario::Step;
use pw_reference::World;

/// Lets a request and a connection come and go, time pass, calls be answered, and the plugin end.
pub(crate) fn everything(world: &mut World) {
    let stream = 0;
    let some: Fields = [("x-a", "1")].into_iter().map(|(name, value)| (Data::from(name), Data::from(value))).collect();
    let steps = [
        Step::RequestHeaders { stream, headers: request(), end_of_stream: false },
        Step::RequestBody { stream, body: Data::from("body"), end_of_stream: false },
        Step::RequestTrailers { stream, trailers: some.clone() },
        Step::CallResponse { call: 0, headers: response(), body: Data::from("answer"), trailers: some.clone() },
        Step::GrpcInitialMetadata { call: 0, metadata: some.clone() },
        Step::GrpcMessage { call: 0, message: Data::from("message") },
        Step::GrpcClose { call: 0, status: 0, message: String::new(), metadata: some.clone() },
        Step::ResponseHeaders { stream, headers: response(), end_of_stream: false },
        Step::ResponseBody { stream, body: Data::from("body"), end_of_stream: false },
        Step::ResponseTrailers { stream, trailers: some },
        Step::Connect { stream: 1 },
        Step::ClientData { stream: 1, data: Data::from("data"), end_of_stream: false },
        Step::UpstreamData { stream: 1, data: Data::from("data"), end_of_stream: true },
        Step::ClientData { stream: 1, data: Data::from(""), end_of_stream: true },
        Step::ForeignCall { function: 1, arguments: Data::from("arguments") },
        Step::Advance { milliseconds: 1000 },
        Step::Shutdown,
    ];
    for step in &steps {
        world.step(step);
        world.drain("");
    }
}

/// The headers of a request.
pub(crate) fn request() -> Fields {
    let fields =
        [(":method", "GET"), (":scheme", "http"), (":authority", "example.test"), (":path", "/"), ("x-a", "1")];
    fields.into_iter().map(|(name, value)| (Data::from(name), Data::from(value))).collect()
}

fn response() -> Fields {
    [(":status", "200"), ("x-a", "1")].into_iter().map(|(name, value)| (Data::from(name), Data::from(value))).collect()
}
