//! Streams as plugins see them: which part of a message is within reach of which callback.

use std::collections::{BTreeMap, VecDeque};

use proxy_wasm_host::abi::v0_2_1::types::{BufferType, MapType, PeerType, Status, StreamType};
use proxy_wasm_host::abi::v0_2_1::{
    Access, Callback, ContextId, ForeignCall, GuestId, Invocation, LocalResponse, StreamState,
};
use proxy_wasm_host::{Buffer, HeaderMap, HeaderMapExt, VecHeaderMap};

/// A piece of a message, or of one direction of a connection: its opening is headers without fields.
pub enum Piece {
    Headers(VecHeaderMap, bool),
    Body(Vec<u8>, bool),
    Trailers(VecHeaderMap),
}

/// The part of a message that a plugin was called for last.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Headers,
    Body,
    Trailers,
}

/// What a plugin has of a message, until it lets it go.
#[derive(Default)]
pub struct Stage {
    pub phase: Phase,
    pub paused: bool,
    /// The running callback has resumed what it may pause by its result.
    pub resume: bool,
    pub headers: Option<(VecHeaderMap, bool)>,
    pub body: Option<(Vec<u8>, bool)>,
    pub trailers: Option<VecHeaderMap>,
    /// What came while the plugin was paused at headers or trailers.
    pub waiting: VecDeque<Piece>,
}

impl Stage {
    /// Whether the plugin may add trailers to a message without any.
    fn may_add_trailers(&self) -> bool {
        self.phase == Phase::Body && self.body.as_ref().is_some_and(|(_, end_of_stream)| *end_of_stream)
    }
}

/// A plugin's place in the chain of a stream.
pub struct Filter {
    pub plugin: usize,
    pub guest: GuestId,
    /// `None` after the context was deleted, and if it never was.
    pub context: Option<ContextId>,
    pub stages: [Stage; 2],
}

/// What is the same of a message for all plugins.
#[derive(Default)]
pub struct Message {
    /// As the plugins that it reached last saw them, for `proxy_on_log`.
    pub headers: VecHeaderMap,
    pub trailers: VecHeaderMap,
    /// Bytes of the body that came.
    pub size: u64,
    /// All of it came.
    pub ended: bool,
    /// Its headers have left the chain.
    pub sent: bool,
    /// All of it has left the chain.
    pub complete: bool,
}

/// An exchange of HTTP, or a TCP connection.
pub struct Stream {
    pub tcp: bool,
    /// Nanoseconds since the beginning of the scenario.
    pub opened: u64,
    pub filters: Vec<Filter>,
    /// The request and the response, by [`REQUEST`] and [`RESPONSE`].
    pub messages: [Message; 2],
    pub properties: BTreeMap<Vec<Vec<u8>>, Vec<u8>>,
    pub over: bool,
    /// The upstream has reset it.
    pub upstream_gone: bool,
    /// Who has closed the connection to the client, and the one to the upstream.
    pub closed_by: (PeerType, PeerType),
}

pub const REQUEST: usize = 0;
pub const RESPONSE: usize = 1;

/// What is to be done to a stream when the running callback has returned.
pub enum Command {
    Continue {
        stream: u32,
        place: usize,
        direction: usize,
    },
    Close {
        stream: u32,
    },
    Respond {
        stream: u32,
        headers: VecHeaderMap,
        body: Vec<u8>,
    },
    /// A plugin has crashed, or returned nonsense.
    Fail {
        stream: u32,
    },
}

/// All streams: a plugin may turn to another stream than that of its callback.
#[derive(Default)]
pub struct Streams {
    pub streams: BTreeMap<u32, Stream>,
    pub commands: Vec<Command>,
    /// Nanoseconds since the beginning of the scenario.
    pub now: u64,
}

impl Streams {
    /// The stream of the effective context, and the plugin's place in it.
    fn find(&mut self, call: Invocation) -> Option<(u32, usize, &mut Stream)> {
        self.streams.iter_mut().find_map(|(number, stream)| {
            let own = |filter: &Filter| filter.guest == call.guest && filter.context == Some(call.context);
            let place = stream.filters.iter().position(own)?;
            Some((*number, place, stream))
        })
    }
}

impl StreamState for Streams {
    fn header_map(&mut self, call: Invocation, access: Access, map: MapType) -> Result<&mut dyn HeaderMap, Status> {
        let (direction, phase) = match map {
            MapType::HttpRequestHeaders => (REQUEST, Phase::Headers),
            MapType::HttpRequestTrailers => (REQUEST, Phase::Trailers),
            MapType::HttpResponseHeaders => (RESPONSE, Phase::Headers),
            MapType::HttpResponseTrailers => (RESPONSE, Phase::Trailers),
            _ => return Err(Status::BadArgument),
        };
        let (_, place, stream) = self.find(call).filter(|(_, _, stream)| !stream.tcp).ok_or(Status::BadArgument)?;
        let message = &mut stream.messages[direction];
        let stage = &mut stream.filters[place].stages[direction];
        let map = match (phase, access) {
            // All maps can be read there; one that never came has no fields.
            (Phase::Headers, Access::Read) if call.callback == Some(Callback::Log) => Some(&mut message.headers),
            (_, Access::Read) if call.callback == Some(Callback::Log) => Some(&mut message.trailers),
            _ if call.callback == Some(Callback::Log) => None,
            (Phase::Headers, _) if stage.phase == phase => stage.headers.as_mut().map(|(headers, _)| headers),
            (Phase::Trailers, _) if stage.phase == phase => stage.trailers.as_mut(),
            (Phase::Trailers, _) if stage.may_add_trailers() => Some(stage.trailers.get_or_insert_default()),
            _ => None,
        };
        map.map(|map| map as _).ok_or(Status::BadArgument)
    }

    fn buffer(&mut self, call: Invocation, _: Access, buffer: BufferType) -> Result<&mut dyn Buffer, Status> {
        let (tcp, direction) = match buffer {
            BufferType::HttpRequestBody => (false, REQUEST),
            BufferType::HttpResponseBody => (false, RESPONSE),
            BufferType::DownstreamData => (true, REQUEST),
            BufferType::UpstreamData => (true, RESPONSE),
            _ => return Err(Status::NotFound),
        };
        let (_, place, stream) = self.find(call).filter(|(_, _, stream)| stream.tcp == tcp).ok_or(Status::NotFound)?;
        let body = stream.filters[place].stages[direction].body.as_mut();
        body.map(|(body, _)| body as _).ok_or(Status::NotFound)
    }

    fn continue_stream(&mut self, call: Invocation, stream: StreamType) -> Result<(), Status> {
        let (tcp, direction) = match stream {
            StreamType::HttpRequest => (false, REQUEST),
            StreamType::HttpResponse => (false, RESPONSE),
            StreamType::Downstream => (true, REQUEST),
            StreamType::Upstream => (true, RESPONSE),
        };
        // A plugin's own context has no stream, so that nothing is paused there.
        let Some((number, place, stream)) = self.find(call) else { return Ok(()) };
        if stream.tcp != tcp {
            return Err(Status::Unimplemented);
        }
        let stage = &mut stream.filters[place].stages[direction];
        if stage.paused {
            self.commands.push(Command::Continue { stream: number, place, direction });
        } else {
            stage.resume = true;
        }
        Ok(())
    }

    fn close_stream(&mut self, call: Invocation, _: StreamType) -> Result<(), Status> {
        if let Some((stream, _, _)) = self.find(call) {
            self.commands.push(Command::Close { stream });
        }
        Ok(())
    }

    fn send_local_response(&mut self, call: Invocation, response: LocalResponse<'_>) -> Result<(), Status> {
        let (stream, _, found) = self.find(call).filter(|(_, _, stream)| !stream.tcp).ok_or(Status::BadArgument)?;
        if found.over || found.messages[RESPONSE].sent || !(200..=599).contains(&response.status_code) {
            return Err(Status::BadArgument);
        }
        let status = (b":status".to_vec(), response.status_code.to_string().into_bytes());
        let others = response.headers.iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
        let headers = std::iter::once(status).chain(others).collect();
        self.commands.push(Command::Respond { stream, headers, body: response.body.to_vec() });
        Ok(())
    }

    fn property(&mut self, call: Invocation, path: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Status> {
        let now = self.now;
        let (number, _, stream) = self.find(call).ok_or(Status::NotFound)?;
        let own = stream.properties.get(&path.iter().map(|part| part.to_vec()).collect::<Vec<_>>());
        let value = own.cloned().or_else(|| stream.property(path, number, now));
        *out = value.ok_or(Status::NotFound)?;
        Ok(())
    }

    fn set_property(&mut self, call: Invocation, path: &[&[u8]], value: &[u8]) -> Result<(), Status> {
        const READ_ONLY: [&[u8]; 6] = [b"connection", b"source", b"destination", b"upstream", b"request", b"response"];
        let (_, _, stream) = self.find(call).ok_or(Status::NotFound)?;
        if path.first().is_none_or(|root| READ_ONLY.contains(root)) {
            return Err(Status::NotFound);
        }
        stream.properties.insert(path.iter().map(|part| part.to_vec()).collect(), value.to_vec());
        Ok(())
    }

    fn call_foreign_function(&mut self, _: Invocation, call: ForeignCall<'_>, out: &mut Vec<u8>) -> Result<(), Status> {
        if *call.name != *b"echo" {
            return Err(Status::NotFound);
        }
        out.extend_from_slice(&call.arguments);
        Ok(())
    }
}

impl Stream {
    /// The well-known properties of the specification that a proxy without TLS has.
    fn property(&self, path: &[&[u8]], number: u32, now: u64) -> Option<Vec<u8>> {
        let [root, name] = *path else { return None };
        let integer = |value: u64| Some(value.to_le_bytes().to_vec());
        let total = |message: &Message| {
            let fields = [message.headers.pairs(), message.trailers.pairs()];
            let sizes = fields.iter().flatten().map(|(name, value)| name.len() + value.len());
            message.size + sizes.sum::<usize>() as u64
        };
        let [request, response] = &self.messages;
        match (root, name) {
            (b"connection", b"id") => integer(u64::from(number) + 1),
            (b"connection", b"mtls") => Some(vec![0]),
            (b"source" | b"destination" | b"upstream", b"address") => Some(b"127.0.0.1".to_vec()),
            (b"upstream", b"local_address") => Some(b"127.0.0.1".to_vec()),
            (b"source", b"port") => integer(40000),
            (b"destination", b"port") => integer(8080),
            (b"upstream", b"port") => integer(8081),
            (b"upstream", b"local_port") => integer(40001),
            (b"request", b"protocol") if !self.tcp => Some(b"HTTP/2".to_vec()),
            (b"request", b"time") => integer(crate::services::START.saturating_add(self.opened)),
            (b"request", b"duration") => integer(now - self.opened),
            (b"request", b"size") => integer(request.size),
            (b"request", b"total_size") => integer(total(request)),
            (b"response", b"size") => integer(response.size),
            (b"response", b"total_size") => integer(total(response)),
            _ => None,
        }
    }
}
