//! Reads properties into headers, and sets one.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| Box::new(Stream));
}}

struct Stream;

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        if let Some(path) = self.get_property(vec!["request", "path"]) {
            self.add_http_request_header_bytes("x-path", &path);
        }
        if let Some(note) = self.get_http_request_header_bytes("x-note") {
            self.set_property(vec!["kit.note"], Some(&note));
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        if let Some(name) = self.get_property(vec!["plugin_name"]) {
            self.add_http_response_header_bytes("x-plugin-name", &name);
        }
        if let Some(note) = self.get_property(vec!["kit.note"]) {
            self.add_http_response_header_bytes("x-note", &note);
        }
        if self.get_property(vec!["kit.missing"]).is_none() {
            self.add_http_response_header("x-missing", "yes");
        }
        Action::Continue
    }
}
