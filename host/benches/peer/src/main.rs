//! The rows of the benchmark `calls` on the crate `proxy-wasm-host`, set up as in its example: one line each, with the minimum CPU
//! time of this thread in nanoseconds. Rows that the host rejects are left out.

#[path = "../../measure.rs"]
mod measure;
#[path = "../../rows.rs"]
mod rows;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use proxy_wasm_host::abi::v0_2_1::types::{BufferType, LogLevel, MapType, Status};
use proxy_wasm_host::abi::v0_2_1::{
    Access, ContextId, Guest, GuestError, Host, InMemoryStore, Invocation, LogContext, LogSink, PluginConfig, Started,
    StreamKind, StreamState, VmServices,
};
use proxy_wasm_host::{Buffer, Engine, HeaderMap, Limits, Module, VecHeaderMap};
use rows::{ROWS, Row};

struct Sink;

impl LogSink for Sink {
    fn log(&self, _: LogContext<'_>, _: LogLevel, message: &[u8]) {
        black_box(message.to_vec());
    }
}

/// A request in progress.
struct Request {
    headers: VecHeaderMap,
    body: Vec<u8>,
    properties: BTreeMap<Vec<Vec<u8>>, Vec<u8>>,
}

impl StreamState for Request {
    fn header_map(&mut self, _: Invocation, _: Access, map: MapType) -> Result<&mut dyn HeaderMap, Status> {
        match map {
            MapType::HttpRequestHeaders => Ok(&mut self.headers),
            _ => Err(Status::BadArgument),
        }
    }

    fn buffer(&mut self, _: Invocation, _: Access, buffer: BufferType) -> Result<&mut dyn Buffer, Status> {
        match buffer {
            BufferType::HttpRequestBody => Ok(&mut self.body),
            _ => Err(Status::NotFound),
        }
    }

    fn property(&mut self, _: Invocation, path: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Status> {
        if *path == [&b"request"[..], b"protocol"] {
            out.extend_from_slice(b"HTTP/1.1");
            return Ok(());
        }
        let path: Vec<Vec<u8>> = path.iter().map(|part| part.to_vec()).collect();
        out.extend_from_slice(self.properties.get(&path).ok_or(Status::NotFound)?);
        Ok(())
    }

    fn set_property(&mut self, _: Invocation, path: &[&[u8]], value: &[u8]) -> Result<(), Status> {
        self.properties.insert(path.iter().map(|part| part.to_vec()).collect(), value.to_vec());
        Ok(())
    }
}

fn start(row: &Row) -> Result<Vec<(Guest, ContextId)>, GuestError> {
    let engine = Engine::new()?;
    let module = Module::new(&engine, &row.wasm())?;
    let host = Host::new(&engine)?;
    let mut guests = Vec::new();
    for _ in 0..row.plugins {
        let services = VmServices::new(Arc::new(Sink)).with_shared(Arc::new(InMemoryStore::new()));
        let mut guest = Guest::new(&host, &module, services, &Limits::default())?;
        if let Started::Serving(root) = guest.start(PluginConfig::new())? {
            guests.push((guest, root));
        }
    }
    Ok(guests)
}

fn request(guests: &mut [(Guest, ContextId)], mut request: Request) -> Result<Request, GuestError> {
    let (count, size) = (request.headers.len() as u32, request.body.len() as u32);
    for (guest, root) in guests {
        let (answer, back) = guest.with(request, |scope| {
            let stream = scope.on_context_create(Some(*root))?;
            scope.expect_stream_kind(stream, StreamKind::Http)?;
            scope.on_request_headers(stream, count, size == 0)?;
            if size > 0 {
                scope.on_request_body(stream, size, true)?;
            }
            scope.on_done(stream)?;
            scope.on_log(stream)?;
            scope.on_delete(stream)?;
            Ok::<_, GuestError>(())
        });
        answer?;
        request = back;
    }
    Ok(request)
}

fn measure(row: &Row) -> Result<f64, GuestError> {
    let mut guests = start(row)?;
    let bytes = |text: String| text.into_bytes();
    let headers: Vec<_> = row.headers().into_iter().map(|(name, value)| (bytes(name), bytes(value))).collect();
    let body = vec![b'.'; row.body];
    let new = || Request { headers: headers.clone().into(), body: body.clone(), properties: BTreeMap::new() };
    let begun = measure::now();
    for _ in 0..3 {
        request(&mut guests, new())?;
    }
    let once = (measure::now() - begun).as_secs_f64() / 3.0;
    let (rounds, batch) = ((0.2 / once).clamp(30.0, 1_000.0) as usize, rows::batch(once));
    let mut run = || (0..batch).for_each(|_| drop(black_box(request(&mut guests, new()).is_ok())));
    Ok(measure::least(rounds, [&mut run])[0] / row.per() / batch as f64)
}

fn main() {
    for row in ROWS {
        match measure(row) {
            Ok(nanoseconds) => println!("{}\t{nanoseconds:.1}", row.name),
            Err(error) => eprintln!("{}: {error}", row.name),
        }
    }
}
