//! Logs the path, the status and two trailers of each stream when it is finished.

use log::info;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::LogLevel;

#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| Box::new(Stream));
}

struct Stream;

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_log(&mut self) {
        info!(
            "{} {} {} {}",
            shown(self.get_http_request_header(":path")),
            shown(self.get_http_response_header(":status")),
            shown(self.get_http_request_trailer("x-sum")),
            shown(self.get_http_response_trailer("x-sum")),
        );
    }
}

fn shown(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".to_owned())
}
