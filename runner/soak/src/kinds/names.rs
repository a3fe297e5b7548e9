//! Plugins that send, set or guess what is not theirs to.

use super::text::{BIG, DATA, NAME, OUT, OUT_SIZE, answer, call, crash_after, data, grpc, repeat};
use super::{Kind, kind};

/// What HTTP cannot carry, or not together: names and values.
const FIELDS: [(&str, &str); 12] = [
    ("transfer-encoding ", "chunked"),
    ("transfer-encoding", "chunked"),
    ("content-length", "7"),
    ("content-length", "8"),
    ("x-a: b\tc", "1"),
    (" x", "1"),
    ("", "1"),
    (":evil", "1"),
    ("x-\u{1}", "1"),
    ("x-evil", "a\r\nx: y"),
    (":path", "/a HTTP/1.1\r\nx: y"),
    (":status", "77777"),
];
/// What only the host vouches for.
const PROPERTIES: [&str; 4] =
    ["connection\0subject_peer_certificate", "connection\0requested_server_name", "source\0address", "plugin_name"];

pub(super) fn kinds() -> Vec<Kind> {
    let bytes: Vec<u8> = FIELDS.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()].concat()).collect();
    let smuggle = |map: u32| {
        let each = |function: &str, at: &mut u32, (name, value): (&str, &str)| {
            let (name_at, value_at) = (*at, *at + name.len() as u32);
            *at = value_at + value.len() as u32;
            call(function, &[map, name_at, name.len() as u32, value_at, value.len() as u32])
        };
        let all = |function: &str| {
            let mut at = DATA;
            FIELDS.iter().map(|field| each(function, &mut at, *field)).collect::<String>()
        };
        all("add_header_map_value") + &all("replace_header_map_value")
    };
    let metadata = pw_abi::pairs::encode(FIELDS.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let (service, metadata_at) = (b"a\r\nb: c", DATA + 64);
    let grpc = [grpc([DATA, service.len() as u32], [BIG, 4]), grpc(NAME, [metadata_at, metadata.len() as u32])];
    let out_of_turn = [
        format!("(drop {})", answer(1_000)),
        call("continue_stream", &[0]),
        call("continue_stream", &[1]),
        call("close_stream", &[0]),
        call("add_header_map_value", &[0, NAME[0], NAME[1], NAME[0], NAME[1]]),
        call("done", &[]),
        call("done", &[]),
    ]
    .concat();
    let guess = format!(
        "(drop (call $increment_metric (local.get $i) (i64.const 1)))
        (drop (call $record_metric (local.get $i) (i64.const 0)))
        (drop (call $dequeue_shared_queue (local.get $i) (i32.const {OUT}) (i32.const {OUT_SIZE})))
        (drop (call $enqueue_shared_queue (local.get $i) (i32.const 16) (i32.const 8)))"
    );
    let line = b"one\n[info] two\x1b[2J\0three";
    vec![
        kind("smuggles fields into requests")
            .with(&data(DATA, &bytes))
            .request(&(smuggle(0) + &call("remove_header_map_value", &[0, 32, 5]))),
        kind("smuggles fields into responses").with(&data(DATA, &bytes)).on("proxy_on_response_headers", &smuggle(2)),
        kind("smuggles fields into gRPC calls")
            .with(&(data(DATA, service) + &data(metadata_at, &metadata)))
            .request(&grpc.map(|open| format!("(drop {open})")).concat()),
        kind("states what the host vouches for").with(&paths()).request(&spoof()),
        kind("guesses queues and metrics").request(&repeat(400, &guess)),
        kind("logs control characters").with(&data(DATA, line)).request(&call("log", &[2, DATA, line.len() as u32])),
        kind("acts out of turn")
            .on("proxy_on_context_create", &out_of_turn)
            .returning("proxy_on_done", &out_of_turn, 0)
            .on("proxy_on_log", &out_of_turn)
            .on("proxy_on_delete", &out_of_turn),
        kind("changes a request and crashes, and is passed over")
            .request(&format!(
                "{} {} unreachable",
                call("add_header_map_value", &[0, NAME[0], NAME[1], NAME[0], NAME[1]]),
                call("remove_header_map_value", &[0, 32, 5]),
            ))
            .tuned(|config| config.failure.open = true),
        kind("closes streams, and crashes").request(&(call("close_stream", &[0]) + &crash_after(8))),
    ]
}

fn paths() -> String {
    data(DATA, PROPERTIES.concat().as_bytes())
}

fn spoof() -> String {
    let mut at = DATA;
    let set = |path: &&str| {
        let text = call("set_property", &[at, path.len() as u32, NAME[0], NAME[1]]);
        at += path.len() as u32;
        text
    };
    PROPERTIES.iter().map(set).collect()
}
