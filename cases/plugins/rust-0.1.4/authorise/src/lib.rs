//! Pauses a request and asks the upstream `auth` over HTTP whether it may pass.

use std::str;
use std::time::Duration;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| Box::new(Stream { action: Action::Continue }));
}

const TIMEOUT: Duration = Duration::from_millis(1000);

struct Stream {
    /// What the callbacks of the request return at present.
    action: Action,
}

impl Stream {
    /// Starts the call; `None` if it cannot be made. A token that is not UTF-8 is such a case: calls take text only.
    fn ask(&self) -> Option<u32> {
        let token = self.get_http_request_header_bytes("x-token");
        let token = token.as_deref().map(str::from_utf8).transpose().ok()?;
        let mut headers = vec![(":method", "GET"), (":path", "/check"), (":authority", "auth"), (":scheme", "http")];
        headers.extend(token.map(|token| ("x-token", token)));
        self.dispatch_http_call("auth", headers, None, vec![], TIMEOUT).ok()
    }

    fn answer(&self, status: u32, body: Option<&[u8]>) {
        self.send_http_response(status, vec![("x-denied-by", "authorise")], body);
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _token: u32, num_headers: usize, body_size: usize, _num_trailers: usize) {
        if num_headers == 0 {
            self.answer(503, None);
        } else if self.get_http_call_response_header_bytes(":status").as_deref() == Some(b"200") {
            let user = self.get_http_call_response_header_bytes("x-user");
            self.set_http_request_header_bytes("x-user", user.as_deref());
            self.action = Action::Continue;
            self.resume_http_request();
        } else {
            let body = self.get_http_call_response_body(0, body_size);
            self.answer(403, body.as_deref());
        }
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize) -> Action {
        self.action = Action::Pause;
        if self.ask().is_none() {
            self.answer(503, None);
        }
        self.action
    }

    fn on_http_request_body(&mut self, _body_size: usize, _end_of_stream: bool) -> Action {
        self.action
    }

    fn on_http_request_trailers(&mut self, _num_trailers: usize) -> Action {
        self.action
    }
}
