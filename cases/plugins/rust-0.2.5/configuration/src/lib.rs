//! Reads the configurations of the VM and of the plugin, refuses bad ones, and adds them to responses.

use std::rc::Rc;
use std::sync::OnceLock;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, Bytes, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

/// All plugins of a VM have this in common, and only the first one may see the VM start.
static VM_CONFIGURATION: OnceLock<Bytes> = OnceLock::new();

#[derive(Default)]
struct Root {
    configuration: Rc<[u8]>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_vm_start(&mut self, _configuration_size: usize) -> bool {
        let configuration = self.get_vm_configuration().unwrap_or_default();
        if configuration == b"refuse" {
            return false;
        }
        VM_CONFIGURATION.get_or_init(|| configuration);
        true
    }

    fn on_configure(&mut self, _configuration_size: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        if configuration.starts_with(b"refuse") {
            return false;
        }
        self.configuration = configuration.into();
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { configuration: Rc::clone(&self.configuration) }))
    }
}

struct Stream {
    /// The plugin's configuration when the stream began.
    configuration: Rc<[u8]>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_response_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        let vm_configuration = VM_CONFIGURATION.get().map_or(&[][..], Bytes::as_slice);
        self.add_http_response_header_bytes("x-configuration", &self.configuration);
        self.add_http_response_header_bytes("x-vm-configuration", vm_configuration);
        Action::Continue
    }
}
