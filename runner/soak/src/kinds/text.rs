//! Pieces of the text of modules. What a module imports follows from what it calls: `$log` is `proxy_log`.

use pw_abi::{Function, Version};

/// Where there is a mebibyte of zeros, and its size.
pub(super) const BIG: u32 = 1 << 16;
pub(super) const MIB: u32 = 1 << 20;
/// A number that [`NEXT`] changes, of four bytes.
pub(super) const COUNT: u32 = 64;
/// Where returned values go.
pub(super) const OUT: u32 = 72;
pub(super) const OUT_SIZE: u32 = 76;
/// Names of eight bytes: of an upstream, a queue or a key.
pub(super) const NAME: [u32; 2] = [16, 8];
/// The serialised headers of a request.
const HEADERS: u32 = 128;
/// Where rows put data of their own.
pub(super) const DATA: u32 = 8192;

/// Counts on; the count is left, and is at [`COUNT`] too.
pub(super) const NEXT: &str = "(call $next)";

/// A module with these callbacks.
pub(super) fn module(version: Version, allocate: &str, parts: &str) -> String {
    let imports: String = pw_abi::host_functions(version)
        .filter(|row| [allocate, parts].iter().any(|text| text.contains(&format!("${}", short(row.name)))))
        .map(|row| {
            let params: String = row.lanes().map(|(_, lane)| format!(" {}", lane.name())).collect();
            let result = row.result().map_or("", |_| "(result i32)");
            format!("(import \"{}\" \"{}\" (func ${} (param{params}) {result}))", row.module, row.name, short(row.name))
        })
        .collect();
    include_str!("../plugins/bad.wat")
        .replace("IMPORTS", &imports)
        .replace("HEADERS", &data(HEADERS, &headers()))
        .replace("VERSION", version.marker())
        .replace("ALLOCATE", allocate)
        .replace("PARTS", parts)
}

fn short(name: &str) -> &str {
    name.strip_prefix("proxy_").unwrap_or(name)
}

fn headers() -> Vec<u8> {
    pw_abi::pairs::encode([(&b":method"[..], &b"GET"[..]), (b":path", b"/"), (b":authority", b"upstream")])
}

/// A callback with the locals `$i` and `$n`.
pub(super) fn callback(version: Version, name: &str, body: &str, result: u32) -> String {
    // The rows are fixed, and a test assembles all of them.
    let row = pw_abi::callback(version, name).unwrap_or_else(|| panic!("no callback {name}"));
    let params: String = row.params(version).map(|_| " i32").collect();
    let (ty, value) = match row.result {
        Some(_) => ("(result i32)", format!("(i32.const {result})")),
        None => ("", String::new()),
    };
    format!("(func (export \"{name}\") (param{params}) {ty} (local $i i32) (local $n i32) {body} {value})")
}

/// A call with these arguments, whose status is dropped.
pub(super) fn call(name: &str, args: &[u32]) -> String {
    let status = status(name, args);
    if function(name).result().is_some() { format!("(drop {status})") } else { status }
}

/// A call with these arguments, whose status is left.
pub(super) fn status(name: &str, args: &[u32]) -> String {
    let lanes = function(name).lanes().zip(args);
    let args: String = lanes.map(|((_, lane), arg)| format!(" ({}.const {arg})", lane.name())).collect();
    format!("(call ${name}{args})")
}

fn function(name: &str) -> &'static Function {
    let rows = Version::FINAL.into_iter().flat_map(pw_abi::host_functions);
    rows.into_iter().find(|row| short(row.name) == name).unwrap_or_else(|| panic!("no function {name}"))
}

/// Calls until the status is not OK, with another number at [`COUNT`] each time.
pub(super) fn until_refused(status: &str) -> String {
    format!("(loop $more (drop {NEXT}) (br_if $more (i32.eqz {status})))")
}

/// Does something again and again, with `$i` counted from 0.
pub(super) fn repeat(times: u32, body: &str) -> String {
    format!(
        "(local.set $i (i32.const 0))
        (loop $again {body}
            (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {times}))))"
    )
}

/// Does something until it is stopped.
pub(super) fn forever(body: &str) -> String {
    format!("(loop $again {body} (br $again))")
}

/// Crashes each time that it was done so often.
pub(super) fn crash_after(times: u32) -> String {
    format!("(if (i32.eqz (i32.rem_u {NEXT} (i32.const {times}))) (then unreachable))")
}

/// Registers a queue, whose id is at [`OUT`] from then on; done in `proxy_on_configure`.
pub(super) fn register() -> String {
    call("register_shared_queue", &[NAME[0], NAME[1], OUT])
}

/// Puts an item of some bytes into the queue of [`register`]; its status is left.
pub(super) fn enqueue(size: u32) -> String {
    format!("(call $enqueue_shared_queue (i32.load (i32.const {OUT})) (i32.const {BIG}) (i32.const {size}))")
}

/// Makes an HTTP call with a body of some bytes; its status is left.
pub(super) fn ask(body: u32, timeout: u32) -> String {
    let size = headers().len() as u32;
    status("http_call", &[NAME[0], NAME[1], HEADERS, size, BIG, body, 0, 0, timeout, OUT_SIZE])
}

/// Opens a gRPC stream with these names and this metadata; its id is at [`OUT`], and its status is left.
pub(super) fn grpc([name, name_size]: [u32; 2], [metadata, metadata_size]: [u32; 2]) -> String {
    let [upstream, size] = NAME;
    let names = [upstream, size, name, name_size, name, name_size, metadata, metadata_size, OUT];
    status("grpc_stream", &names)
}

/// Sends a local response with a body of `size` bytes; leaves the status on the stack.
pub(super) fn answer(size: u32) -> String {
    status("send_local_response", &[200, 0, 0, BIG, size, BIG, 4, u32::MAX])
}

/// A data segment.
pub(super) fn data(address: u32, bytes: &[u8]) -> String {
    let bytes: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const {address}) \"{bytes}\")")
}
