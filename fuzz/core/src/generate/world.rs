//! The steps of a scenario: messages whose pieces come in an order in which a peer can send them, answers to calls that may
//! have been made, time, and the operator.

use pw_abi::Version;
use pw_cases::data::Data;
use pw_cases::scenario::Step;

use super::draw::Draw;
use super::plugins::{FIRST, STANDBY};
use super::values::{body, fields};

const REQUEST: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "example.test"), (":path", "/")];
const STATUS: [(&str, &str); 1] = [(":status", "200")];
/// The maximum number of streams in a scenario.
const MAX_STREAMS: u32 = 3;

/// What a direction of a stream has sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    Headers,
    All,
}

struct Stream {
    http: bool,
    request: Sent,
    response: Sent,
}

/// The steps of a scenario, most of them about its streams; some are only used if the functions of a section, by `on`, are.
pub(super) fn steps(draw: &mut Draw<'_>, version: Version, on: &dyn Fn(&str) -> bool) -> Vec<Step> {
    let mut streams: Vec<Stream> = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    let tcp = draw.chance(20);
    let mut operated = false;
    // The operator changes plugins first, and several streams follow.
    let early = draw.chance(6);
    if early {
        steps.push(operate(draw, &mut operated));
    }
    let often = if early { 40 } else { 12 };
    for _ in 0..3 + draw.below(7) {
        let open = (streams.len() as u32) < MAX_STREAMS && (streams.is_empty() || draw.chance(often));
        let step = if open && !draw.chance(8) {
            open_stream(draw, &mut streams, tcp)
        } else if draw.chance(70) {
            piece(draw, &mut streams)
        } else {
            event(draw, version, on, &mut operated).or_else(|| piece(draw, &mut streams))
        };
        steps.extend(step);
    }
    if draw.chance(30) {
        steps.push(Step::Shutdown);
    }
    steps
}

fn open_stream(draw: &mut Draw<'_>, streams: &mut Vec<Stream>, tcp: bool) -> Option<Step> {
    let stream = streams.len() as u32;
    if tcp && draw.chance(80) {
        streams.push(Stream { http: false, request: Sent::Headers, response: Sent::Headers });
        return Some(Step::Connect { stream });
    }
    let end_of_stream = draw.chance(35);
    let request = if end_of_stream { Sent::All } else { Sent::Headers };
    streams.push(Stream { http: true, request, response: Sent::Nothing });
    Some(Step::RequestHeaders { stream, headers: fields(draw, &REQUEST), end_of_stream })
}

/// The next piece of one of the streams; `None` if everything was sent.
fn piece(draw: &mut Draw<'_>, streams: &mut [Stream]) -> Option<Step> {
    if streams.is_empty() {
        return None;
    }
    let number = draw.below(streams.len());
    let (found, stream) = (&mut streams[number], number as u32);
    if draw.chance(6) {
        return Some(if draw.chance(50) { Step::ClientReset { stream } } else { Step::UpstreamReset { stream } });
    }
    let end_of_stream = draw.chance(35);
    let request = found.request != Sent::All && (found.response == Sent::All || draw.chance(60));
    let sent = if request { &mut found.request } else { &mut found.response };
    let before = *sent;
    *sent = if end_of_stream { Sent::All } else { Sent::Headers };
    Some(match (found.http, request, before) {
        (_, _, Sent::All) => return None,
        (true, false, Sent::Nothing) => Step::ResponseHeaders { stream, headers: fields(draw, &STATUS), end_of_stream },
        (true, true, _) if end_of_stream && draw.chance(40) => {
            Step::RequestTrailers { stream, trailers: fields(draw, &[]) }
        }
        (true, false, _) if end_of_stream && draw.chance(40) => {
            Step::ResponseTrailers { stream, trailers: fields(draw, &[]) }
        }
        (true, true, _) => Step::RequestBody { stream, body: body(draw), end_of_stream },
        (true, false, _) => Step::ResponseBody { stream, body: body(draw), end_of_stream },
        (false, true, _) => Step::ClientData { stream, data: body(draw), end_of_stream },
        (false, false, _) => Step::UpstreamData { stream, data: body(draw), end_of_stream },
    })
}

/// A step that is not about a stream, if it can have an effect. Calls are answered in any order, made or not.
fn event(draw: &mut Draw<'_>, version: Version, on: &dyn Fn(&str) -> bool, operated: &mut bool) -> Option<Step> {
    let call = [0, 0, 0, 1, 2][draw.below(5)];
    Some(match draw.below(18) {
        0..4 if !on("http_calls") => return None,
        4..8 if !on("grpc_calls") => return None,
        0..3 => {
            Step::CallResponse { call, headers: fields(draw, &STATUS), body: body(draw), trailers: fields(draw, &[]) }
        }
        3 => Step::CallReset { call },
        4 => Step::GrpcInitialMetadata { call, metadata: fields(draw, &[]) },
        5 => Step::GrpcMessage { call, message: body(draw) },
        6 => {
            let (status, message) = ([0, 5, 14][draw.below(3)], ["", "said"][draw.below(2)].to_owned());
            Step::GrpcClose { call, status, message, metadata: fields(draw, &[]) }
        }
        7 => Step::GrpcReset { call },
        8 if version > Version::V0_1_0 => Step::ForeignCall { function: call, arguments: body(draw) },
        9 => Step::Reconfigure { plugin: FIRST.to_owned(), configuration: Data::from("again") },
        10 => Step::ReadMetrics,
        11..13 => operate(draw, operated),
        _ => Step::Advance { milliseconds: [10, 1, 40, 30, 100, 700, 40, 2000][draw.below(8)] },
    })
}

/// The operator puts the standby plugin in the place of the first, at once or as its canary; later, what becomes of these.
fn operate(draw: &mut Draw<'_>, operated: &mut bool) -> Step {
    let (plugin, by) = (FIRST.to_owned(), STANDBY.to_owned());
    match std::mem::replace(operated, true) {
        false if draw.chance(30) => Step::Replace { plugin, by },
        false => {
            Step::Canary { plugin, by, share: [100, 50, 100, 0][draw.below(4)], faults: [0, 30, 100][draw.below(3)] }
        }
        true => match draw.below(3) {
            0 => Step::Promote { plugin },
            1 => Step::RollBack { plugin },
            _ => Step::Remove { plugin },
        },
    }
}

/// Time in which a plugin that has crashed is started again, and perhaps crashes again, somewhere after the first step.
pub(super) fn wait(draw: &mut Draw<'_>, steps: &mut Vec<Step>) {
    let place = (1 + draw.below(steps.len().max(1))).min(steps.len());
    let waits = (0..1 + draw.below(4)).map(|_| Step::Advance { milliseconds: [700, 500, 2000, 100][draw.below(4)] });
    steps.splice(place..place, waits.collect::<Vec<_>>());
}
