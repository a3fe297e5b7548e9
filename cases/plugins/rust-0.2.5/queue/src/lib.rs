//! Puts jobs into a shared queue, or takes them out of it.

use log::info;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { producer: false }));
}}

/// The name of the queue.
const JOBS: &str = "kit.jobs";

struct Root {
    producer: bool,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _configuration_size: usize) -> bool {
        let configuration = self.get_plugin_configuration();
        self.producer = configuration.as_deref() == Some(b"producer");
        if configuration.as_deref() == Some(b"consumer") {
            self.register_shared_queue(JOBS);
        }
        true
    }

    fn on_queue_ready(&mut self, queue_id: u32) {
        while let Ok(Some(job)) = self.dequeue_shared_queue(queue_id) {
            // The log takes text only.
            info!("job: {}", String::from_utf8_lossy(&job));
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { producer: self.producer }))
    }
}

struct Stream {
    producer: bool,
}

impl Stream {
    /// Puts the request's job, if it has one, into the consumer's queue; `None` if that fails.
    fn enqueue(&self) -> Option<()> {
        let queue = self.resolve_shared_queue("consumer", JOBS)?;
        if let Some(job) = self.get_http_request_header_bytes("x-job") {
            self.enqueue_shared_queue(queue, Some(&job)).ok()?;
        }
        Some(())
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        if self.producer {
            let queued = if self.enqueue().is_some() { "yes" } else { "no" };
            self.add_http_request_header("x-queued", queued);
        }
        Action::Continue
    }
}
