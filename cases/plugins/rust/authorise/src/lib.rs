//! Holds a request back and asks the upstream `auth` whether it may pass.
//!
//! Only an answer with status 200 lets the request through, with the user whom the answer names. All else (another
//! status, a call that failed or could not be made) is a 403 of the plugin's own.

use std::str;
use std::time::Duration;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| Box::new(Stream));
}}

const TIMEOUT: Duration = Duration::from_secs(1);

/// One request.
struct Stream;

impl Stream {
    /// Starts the call; `None` when it could not be made. A token that is not UTF-8 is such a case: the SDK's callouts
    /// take text, and to ask without the token would ask about another request.
    fn ask(&self) -> Option<u32> {
        let token = self.get_http_request_header_bytes("x-token");
        let token = token.as_deref().map(str::from_utf8).transpose().ok()?;
        let mut headers = vec![(":method", "GET"), (":path", "/check"), (":authority", "auth")];
        headers.extend(token.map(|token| ("x-token", token)));
        self.dispatch_http_call("auth", headers, None, vec![], TIMEOUT).ok()
    }

    fn allowed(&self) -> bool {
        let status = self.get_http_call_response_header_bytes(":status");
        status.is_some_and(|status| status == b"200")
    }

    /// Replaces what the client may have sent under the same name: it must not name its own user.
    fn pass(&self) {
        let user = self.get_http_call_response_header_bytes("x-user").unwrap_or_default();
        self.set_http_request_header_bytes("x-authorised", Some(&user));
        self.resume_http_request();
    }

    fn deny(&self) {
        self.send_http_response(403, vec![("x-denied-by", "authorise")], Some(b"denied"));
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, _token: u32, num_headers: usize, _body: usize, _trailers: usize) {
        // A failed call has no headers, and a host need not let an absent map be read.
        if num_headers > 0 && self.allowed() {
            self.pass();
        } else {
            self.deny();
        }
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        if self.ask().is_none() {
            self.deny();
        }
        Action::Pause
    }
}
