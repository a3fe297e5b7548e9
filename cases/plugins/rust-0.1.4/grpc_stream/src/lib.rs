//! Pauses a request until a gRPC stream of the upstream `callout` says `go`.

use log::info;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, Bytes, LogLevel};

#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| Box::new(Stream { feed: None, messages: 0, action: Action::Continue }));
}

struct Stream {
    /// The gRPC stream, while it is open.
    feed: Option<u32>,
    /// How many messages have come.
    messages: u32,
    /// What the callbacks of the request return at present.
    action: Action,
}

impl Context for Stream {
    fn on_grpc_stream_initial_metadata(&mut self, _token: u32, _num_elements: u32) {
        info!("initial: {}", shown(self.get_grpc_stream_initial_metadata_value("x-feed")));
    }

    fn on_grpc_stream_message(&mut self, token: u32, message_size: usize) {
        let message = self.get_grpc_stream_message(0, message_size).unwrap_or_default();
        info!("message: {}", String::from_utf8_lossy(&message));
        self.messages += 1;
        if message == b"go" {
            self.feed = None;
            self.close_grpc_stream(token);
            self.set_http_request_header("x-messages", Some(&self.messages.to_string()));
            self.action = Action::Continue;
            self.resume_http_request();
        } else {
            self.send_grpc_stream_message(token, Some(&message), false);
        }
    }

    fn on_grpc_stream_trailing_metadata(&mut self, _token: u32, _num_elements: u32) {
        info!("trailing: {}", shown(self.get_grpc_stream_trailing_metadata_value("x-feed")));
    }

    fn on_grpc_stream_close(&mut self, _token: u32, status: u32) {
        if self.feed.take().is_some() {
            self.send_http_response(503, vec![("x-grpc-status", &status.to_string())], None);
        }
    }

    fn on_done(&mut self) -> bool {
        if let Some(feed) = self.feed.take() {
            self.cancel_grpc_stream(feed);
        }
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize) -> Action {
        self.action = Action::Pause;
        let path = self.get_http_request_header_bytes(":path").unwrap_or_default();
        let metadata = vec![("x-kit", b"stream".as_slice())];
        match self.open_grpc_stream("callout", "kit.Feed", "Watch", metadata) {
            Ok(feed) => {
                self.feed = Some(feed);
                self.send_grpc_stream_message(feed, Some(&path), false);
            }
            Err(_) => self.send_http_response(503, vec![], None),
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

/// The log takes text only.
fn shown(value: Option<Bytes>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| String::from_utf8_lossy(&value).into_owned())
}
