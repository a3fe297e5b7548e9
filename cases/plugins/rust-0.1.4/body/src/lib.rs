//! Changes bodies to upper case, both ways: as a whole, or each piece as it comes.

use std::mem;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { buffer: true }));
}

struct Root {
    /// Whether bodies are changed as a whole.
    buffer: bool,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _configuration_size: usize) -> bool {
        self.buffer = self.get_configuration().as_deref() != Some(b"stream");
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { buffer: self.buffer, request_size: 0, response_size: 0 }))
    }
}

struct Stream {
    buffer: bool,
    /// Bytes of the request's body that are buffered.
    request_size: usize,
    /// Bytes of the response's body that are buffered.
    response_size: usize,
}

impl Stream {
    fn change_request(&self, size: usize) {
        if let Some(mut body) = self.get_http_request_body(0, size) {
            body.make_ascii_uppercase();
            self.set_http_request_body(0, size, &body);
        }
    }

    fn change_response(&self, size: usize) {
        if let Some(mut body) = self.get_http_response_body(0, size) {
            body.make_ascii_uppercase();
            self.set_http_response_body(0, size, &body);
        }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize) -> Action {
        self.set_http_request_header("content-length", None);
        Action::Continue
    }

    fn on_http_request_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        if self.buffer && !end_of_stream {
            self.request_size = body_size;
            return Action::Pause;
        }
        self.request_size = 0;
        self.change_request(body_size);
        Action::Continue
    }

    /// A body that trailers end has no callback with `end_of_stream`.
    fn on_http_request_trailers(&mut self, _num_trailers: usize) -> Action {
        let size = mem::take(&mut self.request_size);
        if size > 0 {
            self.change_request(size);
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _num_headers: usize) -> Action {
        self.set_http_response_header("content-length", None);
        Action::Continue
    }

    fn on_http_response_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        if self.buffer && !end_of_stream {
            self.response_size = body_size;
            return Action::Pause;
        }
        self.response_size = 0;
        self.change_response(body_size);
        Action::Continue
    }

    /// A body that trailers end has no callback with `end_of_stream`.
    fn on_http_response_trailers(&mut self, _num_trailers: usize) -> Action {
        let size = mem::take(&mut self.response_size);
        if size > 0 {
            self.change_response(size);
        }
        Action::Continue
    }
}
