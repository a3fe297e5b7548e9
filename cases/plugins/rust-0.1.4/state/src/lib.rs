//! Counts ticks in the shared data, and keeps three metrics.

use std::str;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, Bytes, ContextType, LogLevel, MetricType, Status};

#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { metrics: None }));
}

/// The key of the number of ticks in the shared data.
const TICKS: &str = "kit.ticks";

/// The ids of the metrics.
#[derive(Clone, Copy)]
struct Metrics {
    ticks: u32,
    level: u32,
    sizes: u32,
}

impl Metrics {
    fn define() -> Result<Self, Status> {
        Ok(Self {
            ticks: hostcalls::define_metric(MetricType::Counter, "kit_ticks")?,
            level: hostcalls::define_metric(MetricType::Gauge, "kit_level")?,
            sizes: hostcalls::define_metric(MetricType::Histogram, "kit_sizes")?,
        })
    }
}

struct Root {
    metrics: Option<Metrics>,
}

impl Root {
    /// Increments the number of ticks, and returns it; `None` if that fails.
    fn count(&self) -> Option<u64> {
        loop {
            let (value, cas) = self.get_shared_data(TICKS);
            let ticks = value.and_then(number).unwrap_or(0) + 1;
            match self.set_shared_data(TICKS, Some(ticks.to_string().as_bytes()), cas) {
                Ok(()) => return Some(ticks),
                // Another VM was faster.
                Err(Status::CasMismatch) => {}
                Err(_) => return None,
            }
        }
    }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _configuration_size: usize) -> bool {
        let period = self.get_configuration().and_then(number);
        // A period of 0 means no ticks.
        self.set_tick_period(Duration::from_millis(period.unwrap_or(0)));
        self.metrics = Metrics::define().ok();
        true
    }

    fn on_tick(&mut self) {
        let ticks = self.count();
        if let Some(metrics) = self.metrics {
            _ = hostcalls::increment_metric(metrics.ticks, 1);
            if let Some(ticks) = ticks {
                _ = hostcalls::record_metric(metrics.level, ticks);
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { metrics: self.metrics }))
    }
}

struct Stream {
    metrics: Option<Metrics>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize) -> Action {
        let path = self.get_http_request_header_bytes(":path");
        if let (Some(metrics), Some(path)) = (self.metrics, path) {
            _ = hostcalls::record_metric(metrics.sizes, path.len() as u64);
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _num_headers: usize) -> Action {
        let (ticks, _) = self.get_shared_data(TICKS);
        self.add_http_response_header_bytes("x-ticks", ticks.as_deref().unwrap_or(b"0"));
        if let Some(level) = self.metrics.and_then(|metrics| hostcalls::get_metric(metrics.level).ok()) {
            self.add_http_response_header("x-level", &level.to_string());
        }
        Action::Continue
    }
}

/// Decimal ASCII.
fn number(digits: Bytes) -> Option<u64> {
    str::from_utf8(&digits).ok()?.parse().ok()
}
