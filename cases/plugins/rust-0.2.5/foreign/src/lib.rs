//! Calls the foreign functions that requests name, and logs when it is called as one.

use std::str;

use log::info;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, Bytes, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

struct Root;

impl Context for Root {
    fn on_foreign_function(&mut self, function_id: u32, arguments_size: usize) {
        let arguments = hostcalls::get_buffer(BufferType::CallData, 0, arguments_size).ok().flatten();
        // The log takes text only.
        info!("foreign {function_id}: {}", String::from_utf8_lossy(&arguments.unwrap_or_default()));
    }
}

impl RootContext for Root {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream))
    }
}

struct Stream;

impl Stream {
    /// Calls the function; `None` if that fails. A name that is not UTF-8 is such a case: names are text.
    fn call(&self, function: &[u8]) -> Option<Bytes> {
        let arguments = self.get_http_request_header_bytes("x-arguments");
        let results = self.call_foreign_function(str::from_utf8(function).ok()?, arguments.as_deref()).ok()?;
        Some(results.unwrap_or_default())
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        if let Some(function) = self.get_http_request_header_bytes("x-function") {
            match self.call(&function) {
                Some(results) => self.add_http_request_header_bytes("x-results", &results),
                None => self.add_http_request_header("x-failed", "yes"),
            }
        }
        Action::Continue
    }
}
