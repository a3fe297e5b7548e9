//! Changes the bytes of TCP connections, both ways, and logs what becomes of them.

use log::info;
use proxy_wasm::traits::{Context, StreamContext};
use proxy_wasm::types::{Action, LogLevel, PeerType};

#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_stream_context(|_, _| Box::new(Connection));
}

struct Connection;

impl Context for Connection {}

impl StreamContext for Connection {
    fn on_new_connection(&mut self) -> Action {
        info!("open");
        Action::Continue
    }

    fn on_downstream_data(&mut self, data_size: usize, _end_of_stream: bool) -> Action {
        if data_size > 0
            && let Some(mut data) = self.get_downstream_data(0, data_size)
        {
            data.make_ascii_uppercase();
            self.set_downstream_data(0, data_size, &data);
        }
        Action::Continue
    }

    fn on_downstream_close(&mut self, _peer_type: PeerType) {
        info!("client closed");
    }

    fn on_upstream_data(&mut self, data_size: usize, _end_of_stream: bool) -> Action {
        if data_size > 0 {
            self.set_upstream_data(0, 0, b"> ");
        }
        Action::Continue
    }

    fn on_upstream_close(&mut self, _peer_type: PeerType) {
        info!("upstream closed");
    }

    fn on_log(&mut self) {
        info!("finished");
    }
}
