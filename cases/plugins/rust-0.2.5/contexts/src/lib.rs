//! Keeps several streams apart: each asks the upstream `callout` about its own path, and gets its own answer.

use std::str;
use std::time::Duration;

use log::info;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, Bytes, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| Box::new(Stream { path: vec![], action: Action::Continue }));
}}

const TIMEOUT: Duration = Duration::from_millis(1000);

struct Stream {
    /// The path of the request.
    path: Bytes,
    /// What the callbacks of the request return at present.
    action: Action,
}

impl Stream {
    /// Starts the call; `None` if it cannot be made. A path that is not UTF-8 is such a case: calls take text only.
    fn ask(&self) -> Option<u32> {
        let path = str::from_utf8(&self.path).ok()?;
        let headers = vec![(":method", "GET"), (":path", path), (":authority", "callout"), (":scheme", "http")];
        self.dispatch_http_call("callout", headers, None, vec![], TIMEOUT).ok()
    }

    fn answered(&mut self, answer: &[u8]) {
        self.set_http_request_header_bytes("x-answer", Some(answer));
        self.set_http_request_header_bytes("x-asked", Some(&self.path));
        self.action = Action::Continue;
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _token: u32, num_headers: usize, body_size: usize, _num_trailers: usize) {
        if num_headers == 0 {
            self.answered(b"failed");
        } else {
            let body = self.get_http_call_response_body(0, body_size).unwrap_or_default();
            self.answered(&body);
        }
        self.resume_http_request();
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        self.path = self.get_http_request_header_bytes(":path").unwrap_or_default();
        self.action = Action::Pause;
        if self.ask().is_none() {
            self.answered(b"failed");
        }
        self.action
    }

    fn on_http_request_body(&mut self, _body_size: usize, _end_of_stream: bool) -> Action {
        self.action
    }

    fn on_http_request_trailers(&mut self, _num_trailers: usize) -> Action {
        self.action
    }

    fn on_http_response_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        self.add_http_response_header_bytes("x-asked", &self.path);
        Action::Continue
    }

    fn on_log(&mut self) {
        // The log takes text only.
        info!("finished: {}", String::from_utf8_lossy(&self.path));
    }
}
