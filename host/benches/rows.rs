//! What is measured: each row is a call that a plugin makes many times in one callback, or a request without calls.

/// A row of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What the plugin does when it is configured.
    setup: &'static str,
    /// The call, whose status stays on the stack.
    call: &'static str,
    /// The number of times that it is made in a callback.
    pub(crate) times: usize,
    /// Bytes of the request's body; if there are any, the calls are made in the body's callback, otherwise in that of the headers.
    pub(crate) body: usize,
    /// Fields of the request.
    pub(crate) fields: usize,
    /// Plugins in the chain.
    pub(crate) plugins: usize,
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const fn row(name: &'static str, call: &'static str) -> Row {
    Row { name, setup: "(i32.const 0)", call, times: 1_000, body: 0, fields: 8, plugins: 1 }
}

const fn request(name: &'static str, plugins: usize) -> Row {
    Row { times: 0, plugins, ..row(name, "(i32.const 0)") }
}

const GET_BUFFER: &str =
    "(call $get_buffer (i32.const 0) (i32.const 0) (i32.const 4194304) (i32.const 64) (i32.const 68))";
const GET_HEADER: &str = "(call $get_header (i32.const 0) (i32.const 16) (i32.const 12) (i32.const 64) (i32.const 68))";
const GET_PAIRS: &str = "(call $get_pairs (i32.const 0) (i32.const 64) (i32.const 68))";
const SET_DATA: &str = "(call $set_data (i32.const 16) (i32.const 12) (i32.const 32) (i32.const 16) (i32.const 0))";
const DEFINE: &str = "(call $define (i32.const 0) (i32.const 16) (i32.const 12) (i32.const 80))";
const REGISTER: &str = "(call $register (i32.const 16) (i32.const 12) (i32.const 80))";

pub(crate) const ROWS: &[Row] = &[
    request("whole request, 8 fields", 1),
    request("whole request, 5 plugins", 5),
    request("whole request, 20 plugins", 20),
    row("empty call", "(call $time (i32.const 64))"),
    row("header read", GET_HEADER),
    Row { fields: 64, ..row("header read of 64", GET_HEADER) },
    row(
        "header replaced",
        "(call $replace_header (i32.const 0) (i32.const 16) (i32.const 12) (i32.const 32) (i32.const 16))",
    ),
    row("all pairs of 8", GET_PAIRS),
    Row { fields: 64, ..row("all pairs of 64", GET_PAIRS) },
    Row { body: 4 * KIB, ..row("get_buffer 4 KiB", GET_BUFFER) },
    Row { body: MIB, times: 20, ..row("get_buffer 1 MiB", GET_BUFFER) },
    Row {
        body: MIB,
        ..row(
            "get_buffer 16 bytes of 1 MiB",
            "(call $get_buffer (i32.const 0) (i32.const 4096) (i32.const 16) (i32.const 64) (i32.const 68))",
        )
    },
    Row {
        body: 4 * KIB,
        ..row(
            "set_buffer 4 KiB",
            "(call $set_buffer (i32.const 0) (i32.const 0) (i32.const 4096) (i32.const 65536) (i32.const 4096))",
        )
    },
    Row {
        body: MIB,
        times: 100,
        ..row(
            "set_buffer 1 MiB",
            "(call $set_buffer (i32.const 0) (i32.const 0) (i32.const 1048576) (i32.const 65536) (i32.const 1048576))",
        )
    },
    Row {
        body: MIB,
        times: 100_000,
        ..row(
            "set_buffer 16 bytes of 1 MiB",
            "(call $set_buffer (i32.const 0) (i32.const 4096) (i32.const 16) (i32.const 32) (i32.const 16))",
        )
    },
    Row { body: 4 * KIB, ..row("buffer_status", "(call $buffer_status (i32.const 0) (i32.const 64) (i32.const 68))") },
    row("log dropped", "(call $log (i32.const 0) (i32.const 32) (i32.const 16))"),
    row("log taken", "(call $log (i32.const 2) (i32.const 32) (i32.const 16))"),
    row("property of the host's", "(call $get_property (i32.const 48) (i32.const 16) (i32.const 64) (i32.const 68))"),
    row("set_property", "(call $set_property (i32.const 72) (i32.const 12) (i32.const 32) (i32.const 16))"),
    Row {
        setup: SET_DATA,
        ..row(
            "get_shared_data",
            "(call $get_data (i32.const 16) (i32.const 12) (i32.const 64) (i32.const 68) (i32.const 80))",
        )
    },
    row("set_shared_data", SET_DATA),
    row("define_metric, a known one", DEFINE),
    Row { setup: DEFINE, ..row("increment_metric", "(call $increment (i32.load (i32.const 80)) (i64.const 1))") },
    Row {
        setup: REGISTER,
        ..row(
            "enqueue and dequeue",
            "(i32.or
                (call $enqueue (i32.load (i32.const 80)) (i32.const 32) (i32.const 16))
                (call $dequeue (i32.load (i32.const 80)) (i32.const 64) (i32.const 68)))",
        )
    },
    Row {
        setup: REGISTER,
        ..row(
            "resolve_shared_queue",
            "(call $resolve (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 12) (i32.const 84))",
        )
    },
];

impl Row {
    /// The plugin.
    pub(crate) fn wasm(&self) -> Vec<u8> {
        let headers = |body: &str| {
            format!(
                "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) {body} (i32.const 0))"
            )
        };
        let callbacks = match self.body {
            0 => headers("(call $work)"),
            _ => {
                "(func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32) (call $work) (i32.const 0))"
                    .to_owned()
            }
        };
        let text = include_str!("plugin.wat")
            .replace("CALLBACKS", &callbacks)
            .replace("SETUP", self.setup)
            .replace("TIMES", &self.times.to_string())
            .replace("CALL", self.call);
        wat::parse_str(text).expect("the text is a module")
    }

    /// The fields of a request: names and values.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        const HEADERS: [(&str, &str); 8] = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "example.test"),
            (":path", "/some/path?and=query"),
            ("user-agent", "bench/1.0"),
            ("accept", "*/*"),
            ("x-request-id", "3b241101-e2bb-4255-8caf-4136c566a962"),
            ("x-forwarded-proto", "https"),
        ];
        let more =
            (HEADERS.len()..self.fields).map(|number| (format!("x-field-{number:02}"), format!("value {number}")));
        HEADERS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain(more).collect()
    }

    /// The number of calls in one request, or 1 for the request itself.
    pub(crate) fn per(&self) -> f64 {
        self.times.max(1) as f64
    }
}

/// The number of repetitions between two readings of the clock, for something that takes `once` seconds. A reading costs some
/// hundred nanoseconds.
pub(crate) fn batch(once: f64) -> usize {
    (100e-6 / once).clamp(1.0, 1_000.0) as usize
}
