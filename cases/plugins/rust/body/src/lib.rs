//! Holds bodies back until they are complete, then rewrites them whole: the request's in ASCII upper case, the
//! response's in brackets.

use std::mem;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| Box::new(Stream::default()));
}}

/// More than any body: the host returns what it has.
const ALL: usize = usize::MAX;

/// One request and its response.
#[derive(Default)]
struct Stream {
    request_held: bool,
    response_held: bool,
}

impl Stream {
    fn rewrite_request(&self) {
        let mut body = self.get_http_request_body(0, ALL).unwrap_or_default();
        body.make_ascii_uppercase();
        self.set_http_request_body(0, body.len(), &body);
    }

    fn rewrite_response(&self) {
        let body = self.get_http_response_body(0, ALL).unwrap_or_default();
        let wrapped = [b"[", body.as_slice(), b"]"].concat();
        self.set_http_response_body(0, body.len(), &wrapped);
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        self.remove_http_request_header("content-length");
        Action::Continue
    }

    fn on_http_request_body(&mut self, _body_size: usize, end_of_stream: bool) -> Action {
        self.request_held = !end_of_stream;
        if self.request_held {
            return Action::Pause;
        }
        self.rewrite_request();
        Action::Continue
    }

    /// Trailers end a body that no call with `end_of_stream` has ended.
    fn on_http_request_trailers(&mut self, _num_trailers: usize) -> Action {
        if mem::take(&mut self.request_held) {
            self.rewrite_request();
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        self.remove_http_response_header("content-length");
        Action::Continue
    }

    fn on_http_response_body(&mut self, _body_size: usize, end_of_stream: bool) -> Action {
        self.response_held = !end_of_stream;
        if self.response_held {
            return Action::Pause;
        }
        self.rewrite_response();
        Action::Continue
    }

    /// Trailers end a body that no call with `end_of_stream` has ended.
    fn on_http_response_trailers(&mut self, _num_trailers: usize) -> Action {
        if mem::take(&mut self.response_held) {
            self.rewrite_response();
        }
        Action::Continue
    }
}
