//! The HTTP and gRPC calls of a run that are in flight, and the callbacks that are due for them.

use pw_cases::scenario::Step;

use super::fields::Map;

/// gRPC's statuses of a call that failed, and of a call that timed out.
pub(in crate::model) const UNAVAILABLE: u32 = 14;
pub(in crate::model) const DEADLINE_EXCEEDED: u32 = 4;

/// What a callback is about if not about a stream.
pub(in crate::model) enum Subject {
    None,
    HttpCall {
        headers: Map,
        body: Vec<u8>,
        trailers: Map,
    },
    InitialMetadata(Map),
    TrailingMetadata(Map),
    Message(Vec<u8>),
    /// The status, and the message if it is the server's.
    Closed(u32, Option<String>),
    Arguments(Vec<u8>),
}

/// The kind of a call, and what may still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Kind {
    Http,
    Call,
    Stream,
    HalfClosed,
}

/// All calls.
#[derive(Default)]
pub(in crate::model) struct Calls {
    pub(in crate::model) in_flight: Vec<InFlight>,
    /// The calls that reached a server, in their order: instance and id.
    pub(in crate::model) http: Vec<(usize, u32)>,
    pub(in crate::model) grpc: Vec<(usize, u32)>,
    pub(in crate::model) due: Vec<Due>,
}

pub(in crate::model) struct InFlight {
    pub(in crate::model) instance: usize,
    pub(in crate::model) id: u32,
    pub(in crate::model) kind: Kind,
    pub(in crate::model) deadline: Option<u64>,
}

/// A callback that is due.
pub(in crate::model) struct Due {
    pub(in crate::model) instance: usize,
    pub(in crate::model) callback: &'static str,
    /// The arguments after the context's id.
    pub(in crate::model) args: Vec<u32>,
    pub(in crate::model) subject: Subject,
}

impl Calls {
    /// An instance has ended.
    pub(in crate::model) fn remove(&mut self, instance: usize) {
        self.in_flight.retain(|call| call.instance != instance);
        self.due.retain(|due| due.instance != instance);
    }

    /// A server answers a call.
    pub(in crate::model) fn step(&mut self, step: &Step) {
        self.due.clear();
        let known = match step {
            Step::CallResponse { call, .. } | Step::CallReset { call } => self.http.get(*call as usize),
            Step::GrpcInitialMetadata { call, .. }
            | Step::GrpcMessage { call, .. }
            | Step::GrpcClose { call, .. }
            | Step::GrpcReset { call } => self.grpc.get(*call as usize),
            _ => None,
        };
        let Some((instance, id)) = known.copied() else { return };
        if !self.in_flight.iter().any(|call| call.instance == instance && call.id == id) {
            return;
        }
        match step {
            Step::CallResponse { headers, body, trailers, .. } => {
                let (headers, trailers, body) = (Map::of(headers), Map::of(trailers), body.0.clone());
                let args = [headers.0.len(), body.len(), trailers.0.len()];
                let args = [id].into_iter().chain(args.map(|size| size as u32)).collect();
                let (callback, subject) =
                    ("proxy_on_http_call_response", Subject::HttpCall { headers, body, trailers });
                self.due.push(Due { instance, callback, args, subject });
            }
            Step::CallReset { .. } => self.fails(instance, id),
            Step::GrpcInitialMetadata { metadata, .. } => {
                let metadata = Map::of(metadata);
                let args = vec![id, metadata.0.len() as u32];
                let (callback, subject) =
                    ("proxy_on_grpc_receive_initial_metadata", Subject::InitialMetadata(metadata));
                self.due.push(Due { instance, callback, args, subject });
            }
            Step::GrpcMessage { message, .. } => {
                let (args, subject) = (vec![id, message.0.len() as u32], Subject::Message(message.0.clone()));
                self.due.push(Due { instance, callback: "proxy_on_grpc_receive", args, subject });
            }
            Step::GrpcClose { status, message, metadata, .. } => {
                let metadata = Map::of(metadata);
                let args = vec![id, metadata.0.len() as u32];
                let (callback, subject) =
                    ("proxy_on_grpc_receive_trailing_metadata", Subject::TrailingMetadata(metadata));
                self.due.push(Due { instance, callback, args, subject });
                self.closes(instance, id, *status, Some(message.clone()));
            }
            Step::GrpcReset { .. } => self.closes(instance, id, UNAVAILABLE, None),
            _ => {}
        }
    }

    pub(in crate::model) fn fails(&mut self, instance: usize, id: u32) {
        let (headers, trailers) = (Map::default(), Map::default());
        let subject = Subject::HttpCall { headers, body: Vec::new(), trailers };
        self.due.push(Due { instance, callback: "proxy_on_http_call_response", args: vec![id, 0, 0, 0], subject });
    }

    pub(in crate::model) fn closes(&mut self, instance: usize, id: u32, status: u32, message: Option<String>) {
        let subject = Subject::Closed(status, message);
        self.due.push(Due { instance, callback: "proxy_on_grpc_close", args: vec![id, status], subject });
    }
}
