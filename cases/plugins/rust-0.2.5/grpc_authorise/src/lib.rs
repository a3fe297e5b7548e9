//! Pauses a request and asks the upstream `auth` by a gRPC call whether it may pass.

use std::time::Duration;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| Box::new(Stream { action: Action::Continue }));
}}

const TIMEOUT: Duration = Duration::from_millis(1000);

struct Stream {
    /// What the callbacks of the request return at present.
    action: Action,
}

impl Context for Stream {
    /// The SDK reports the message, or the status if there was none, and nothing of the call after that.
    fn on_grpc_call_response(&mut self, _token: u32, status: u32, response_size: usize) {
        if status == 0 {
            let user = self.get_grpc_call_response_body(0, response_size).unwrap_or_default();
            self.set_http_request_header_bytes("x-user", Some(&user));
            self.action = Action::Continue;
            self.resume_http_request();
        } else {
            let (_, message) = self.get_grpc_status();
            let body = message.as_deref().map(str::as_bytes);
            self.send_http_response(403, vec![("x-grpc-status", &status.to_string())], body);
        }
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        self.action = Action::Pause;
        let token = self.get_http_request_header_bytes("x-token");
        let metadata = vec![("x-kit", b"call".as_slice())];
        if self.dispatch_grpc_call("auth", "kit.Auth", "Check", metadata, token.as_deref(), TIMEOUT).is_err() {
            self.send_http_response(503, vec![], None);
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
