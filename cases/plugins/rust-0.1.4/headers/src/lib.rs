//! Reads, adds, replaces and removes headers and trailers, both ways.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, Bytes, LogLevel};

#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| Box::new(Stream { echo: None }));
}

struct Stream {
    /// The request's `x-echo`.
    echo: Option<Bytes>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize) -> Action {
        self.echo = self.get_http_request_header_bytes("x-echo");
        for (name, value) in self.get_http_request_headers_bytes() {
            if let Some(rest) = name.strip_prefix("x-copy-") {
                self.add_http_request_header_bytes(&format!("x-copied-{rest}"), &value);
            }
        }
        if self.get_http_request_header_bytes("x-replace").is_some() {
            self.set_http_request_header("x-replace", Some("replaced"));
        }
        self.set_http_request_header("x-remove", None);
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, _num_trailers: usize) -> Action {
        let fields = self.get_http_request_trailers_bytes().len();
        self.add_http_request_trailer("x-trailer-fields", &fields.to_string());
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _num_headers: usize) -> Action {
        if let Some(echo) = &self.echo {
            self.add_http_response_header_bytes("x-echoed", echo);
        }
        let headers = self.get_http_response_headers_bytes();
        let mut pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        pairs.push(("x-all", b"set"));
        self.set_http_response_headers_bytes(pairs);
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _num_trailers: usize) -> Action {
        let fields = self.get_http_response_trailers_bytes().len();
        self.add_http_response_trailer("x-trailer-fields", &fields.to_string());
        Action::Continue
    }
}
