//! Adds, replaces and removes header fields, in requests and in responses.
//!
//! The plugin configuration is the value of the field that responses get; without one it is `default`.

use std::rc::Rc;

use log::info;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { label: b"default".as_slice().into() }));
}}

/// The plugin: what its streams have in common.
struct Root {
    /// The configuration as it was given: bytes, since nothing says that it is UTF-8.
    label: Rc<[u8]>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _configuration_size: usize) -> bool {
        if let Some(configuration) = self.get_plugin_configuration().filter(|c| !c.is_empty()) {
            self.label = configuration.into();
        }
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let label = Rc::clone(&self.label);
        Some(Box::new(Stream { label }))
    }
}

/// One request and its response.
struct Stream {
    label: Rc<[u8]>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, num_headers: usize, _end_of_stream: bool) -> Action {
        info!("request headers: {num_headers}");
        self.add_http_request_header("x-request-plugin", "seen");
        // A replacement adds what is absent, so presence has to be asked for.
        if self.get_http_request_header_bytes("x-replace-me").is_some() {
            self.set_http_request_header("x-replace-me", Some("replaced"));
        }
        self.remove_http_request_header("x-remove-me");
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        self.add_http_response_header_bytes("x-response-plugin", &self.label);
        self.remove_http_response_header("server");
        Action::Continue
    }
}
