//! Servers that plugins call, which answer at length, wrongly, late, twice or not at all, as rows.

use std::sync::{Arc, LazyLock};

use pw_host::{Fields, GrpcCallId, GrpcEvent, HttpCallId};

use crate::call::Call;
use crate::traffic::Traffic;

/// A server, which answers calls by HTTP and by gRPC.
pub(super) struct Server {
    /// What it does.
    pub(super) name: &'static str,
    http: fn(&mut Traffic, HttpCallId),
    grpc: fn(&mut Traffic, GrpcCallId),
}

pub(super) const SERVERS: &[Server] = &[
    Server { name: "never answers", http: |_, _| {}, grpc: |_, _| {} },
    Server {
        name: "answers",
        http: |traffic, call| traffic.event(|proxy| proxy.http_call_response(call, ok(), &b"."[..], Fields::new())),
        grpc: |traffic, call| {
            say(traffic, call, GrpcEvent::InitialMetadata(Arc::default()));
            say(traffic, call, message(b"."));
            close(traffic, call, "");
        },
    },
    Server {
        name: "fails",
        http: |traffic, call| traffic.event(|proxy| proxy.http_call_failed(call)),
        grpc: |traffic, call| close(traffic, call, &"failed ".repeat(10_000)),
    },
    Server {
        name: "answers with a large body",
        http: |traffic, call| traffic.event(|proxy| proxy.http_call_response(call, ok(), &LARGE[..], Fields::new())),
        grpc: |traffic, call| (0..4).for_each(|_| say(traffic, call, message(&LARGE))),
    },
    Server {
        name: "answers with many fields",
        http: |traffic, call| {
            traffic.event(|proxy| proxy.http_call_response(call, many(), &b""[..], many_trailers()));
        },
        grpc: |traffic, call| {
            say(traffic, call, GrpcEvent::InitialMetadata(Arc::new(many_trailers())));
            say(traffic, call, GrpcEvent::TrailingMetadata(Arc::new(many_trailers())));
        },
    },
    Server {
        name: "answers with what HTTP cannot carry",
        http: |traffic, call| {
            let headers = Fields::from([(":status", "77777"), ("x", "a\r\nb: c")]);
            traffic.event(|proxy| proxy.http_call_response(call, headers, &b""[..], Fields::new()));
        },
        grpc: |traffic, call| {
            let metadata = Fields::from([(":path", "/"), ("x y", "a\r\nb: c")]);
            say(traffic, call, GrpcEvent::InitialMetadata(Arc::new(metadata)));
        },
    },
    Server {
        name: "answers twice, and after the end",
        http: |traffic, call| {
            for _ in 0..2 {
                traffic.event(|proxy| proxy.http_call_response(call, ok(), &b""[..], Fields::new()));
            }
            traffic.event(|proxy| proxy.http_call_failed(call));
        },
        grpc: |traffic, call| {
            for _ in 0..2 {
                close(traffic, call, "");
                say(traffic, call, message(b"."));
            }
        },
    },
    Server {
        name: "answers many times with nothing",
        http: |traffic, call| (0..100).for_each(|_| traffic.event(|proxy| proxy.http_call_failed(call))),
        grpc: |traffic, call| (0..500).for_each(|_| say(traffic, call, message(b""))),
    },
    Server {
        name: "answers late",
        http: |traffic, call| traffic.answer_late(Call::Http(call)),
        grpc: |traffic, call| traffic.answer_late(Call::Grpc(call)),
    },
];

static LARGE: [u8; 1 << 20] = [b'.'; 1 << 20];
static MANY: LazyLock<[Fields; 2]> = LazyLock::new(|| {
    let fields = || std::iter::repeat_n(("x", "y"), 10_000);
    [[(":status", "200")].into_iter().chain(fields()).collect(), fields().collect()]
});

impl Server {
    pub(super) fn answer(&self, traffic: &mut Traffic, call: Call) {
        match call {
            Call::Http(call) => (self.http)(traffic, call),
            Call::Grpc(call) => (self.grpc)(traffic, call),
        }
    }
}

fn ok() -> Fields {
    Fields::from([(":status", "200")])
}

fn many() -> Fields {
    MANY[0].clone()
}

fn many_trailers() -> Fields {
    MANY[1].clone()
}

fn message(message: &'static [u8]) -> GrpcEvent {
    GrpcEvent::Message(message.into())
}

fn say(traffic: &mut Traffic, call: GrpcCallId, event: GrpcEvent) {
    traffic.event(|proxy| proxy.grpc_event(call, event));
}

fn close(traffic: &mut Traffic, call: GrpcCallId, message: &str) {
    say(traffic, call, GrpcEvent::Closed { status: 0, message: message.to_owned() });
}
