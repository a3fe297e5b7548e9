//! Sends a local response in the first callback of the phase that its configuration names.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}

#[derive(Default)]
struct Root {
    phase: Rc<str>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _configuration_size: usize) -> bool {
        let configuration = self.get_configuration().unwrap_or_default();
        let Ok(phase) = String::from_utf8(configuration) else { return false };
        self.phase = phase.into();
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { phase: Rc::clone(&self.phase), answered: false }))
    }
}

struct Stream {
    /// The phase in which the response is sent.
    phase: Rc<str>,
    /// Whether it has been sent.
    answered: bool,
}

impl Stream {
    /// A request stays paused once it is answered.
    fn request(&mut self, phase: &str) -> Action {
        if *self.phase == *phase && !self.answered {
            self.answer();
        }
        if self.answered { Action::Pause } else { Action::Continue }
    }

    fn answer(&mut self) {
        self.answered = true;
        self.send_http_response(418, vec![("x-local", "yes"), ("x-local-phase", &self.phase)], Some(b"teapot"));
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize) -> Action {
        self.request("request_headers")
    }

    fn on_http_request_body(&mut self, _body_size: usize, end_of_stream: bool) -> Action {
        if *self.phase == *"request_trailers" && !end_of_stream {
            return Action::Pause;
        }
        self.request("request_body")
    }

    fn on_http_request_trailers(&mut self, _num_trailers: usize) -> Action {
        self.request("request_trailers")
    }

    /// A host may call this once more, for the local response.
    fn on_http_response_headers(&mut self, _num_headers: usize) -> Action {
        if *self.phase != *"response_headers" || self.answered {
            return Action::Continue;
        }
        self.answer();
        Action::Pause
    }
}
