//! Measures headers and bodies of requests, and makes headers and bodies of responses as large as requests say.

use std::str;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, Bytes, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| Box::new(Stream::default()));
}}

#[derive(Default)]
struct Stream {
    /// How large, in bytes, the response's header and body are to be.
    size: Option<usize>,
    /// Bytes of the request's body that are buffered, if there is a body.
    request_size: Option<usize>,
    /// Bytes of the response's body that are buffered, if there is a body.
    response_size: Option<usize>,
}

impl Stream {
    fn replace_request(&self, size: usize) {
        let body = self.get_http_request_body(0, size).unwrap_or_default();
        self.set_http_request_body(0, size, body.len().to_string().as_bytes());
    }

    fn replace_response(&self, size: usize, new_size: usize) {
        self.set_http_response_body(0, size, &vec![b'b'; new_size]);
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        self.size = self.get_http_request_header_bytes("x-size").and_then(number);
        let headers = self.get_http_request_headers_bytes();
        let largest = headers.iter().map(|(_, value)| value.len()).max().unwrap_or(0);
        self.add_http_request_header("x-largest", &largest.to_string());
        self.remove_http_request_header("content-length");
        Action::Continue
    }

    fn on_http_request_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        if !end_of_stream {
            self.request_size = Some(body_size);
            return Action::Pause;
        }
        self.request_size = None;
        self.replace_request(body_size);
        Action::Continue
    }

    /// A body that trailers end has no callback with `end_of_stream`.
    fn on_http_request_trailers(&mut self, _num_trailers: usize) -> Action {
        if let Some(size) = self.request_size.take() {
            self.replace_request(size);
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        if let Some(size) = self.size {
            self.add_http_response_header_bytes("x-large", &vec![b'h'; size]);
            self.remove_http_response_header("content-length");
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        let Some(new_size) = self.size else { return Action::Continue };
        if !end_of_stream {
            self.response_size = Some(body_size);
            return Action::Pause;
        }
        self.response_size = None;
        self.replace_response(body_size, new_size);
        Action::Continue
    }

    /// A body that trailers end has no callback with `end_of_stream`.
    fn on_http_response_trailers(&mut self, _num_trailers: usize) -> Action {
        if let (Some(size), Some(new_size)) = (self.response_size.take(), self.size) {
            self.replace_response(size, new_size);
        }
        Action::Continue
    }
}

/// Decimal ASCII.
fn number(digits: Bytes) -> Option<usize> {
    str::from_utf8(&digits).ok()?.parse().ok()
}
