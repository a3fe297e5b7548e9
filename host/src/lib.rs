//! A reference host of the Proxy-Wasm ABI: runs plugins, v0.1.0 to v0.2.1, without doing any I/O itself.
//!
//! A proxy feeds it events and drains effects. It has no sockets, no clock and no threads: the embedder sets the time, and
//! random bytes come from a seed, so that a run can be repeated to the byte.
//!
//! ```
//! use pw_host::{Effect, Engine, Fields, Metering, Module, Piece, PluginConfig, Proxy, ProxyConfig, StreamInfo};
//!
//! // A plugin, here as text: it adds a header to every request.
//! let wasm = wat::parse_str(r#"(module
//!     (import "env" "proxy_add_header_map_value"
//!         (func $add (param i32 i32 i32 i32 i32) (result i32)))
//!     (memory (export "memory") 1)
//!     (data (i32.const 16) "x-plugin" "was here")
//!     (func (export "proxy_abi_version_0_2_1"))
//!     (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
//!     (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
//!         (call $add (i32.const 0) (i32.const 16) (i32.const 8) (i32.const 24) (i32.const 8))))"#)?;
//!
//! let engine = Engine::new(Metering::None)?;
//! let module = Module::new(&engine, &wasm)?;
//! let mut proxy = Proxy::new(ProxyConfig::default());
//! let plugin = proxy.add_plugin(&module, PluginConfig::default())?;
//!
//! // A client sends a request …
//! let stream = proxy.open_stream(&[plugin], StreamInfo::default());
//! let request = Fields::from([(":method", "GET"), (":path", "/"), (":authority", "example.test")]);
//! proxy.request(stream, Piece::headers(request, true));
//!
//! // … and the proxy must send this to the upstream.
//! let Some(Effect::Upstream { piece: Piece::Headers { headers, end_of_stream: true }, .. }) = proxy.next_effect() else {
//!     panic!("the request was not sent to the upstream");
//! };
//! assert_eq!(headers.get(b"x-plugin").map(|value| &value[..]), Some(&b"was here"[..]));
//!
//! // The upstream responds, and the proxy must send the response to the client.
//! proxy.response(stream, Piece::headers(Fields::from([(":status", "200")]), true));
//! assert!(matches!(proxy.next_effect(), Some(Effect::Downstream { .. })));
//! assert_eq!(proxy.next_effect(), Some(Effect::StreamEnded { stream }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Open questions of the specification
//!
//! [`Choices`] has the questions that an embedder can answer in either way. Besides:
//!
//! - A plugin that pauses at the headers gets no callbacks for the body, which is buffered (the text can be read either way).
//! - A call for a map that is not available returns BAD_ARGUMENT, for pairs too.
//! - A module that claims several versions, or exports no memory or no allocator, is not loaded.
//! - While a plugin's allocator runs for the host it may log and read clocks; other calls return INTERNAL_FAILURE.

mod callbacks;
mod calls;
mod choices;
mod config;
mod effect;
mod engine;
mod exports;
mod features;
mod fields;
mod guest;
mod guest_data;
mod http;
mod ids;
mod interface;
mod limits;
mod linker;
mod local_response;
mod memory;
mod metering;
mod module;
mod observer;
mod planted;
mod policy;
mod pool;
mod property_source;
mod proxy;
mod rules;
mod state;
mod text;
mod value;

pub use choices::Choices;
pub use config::{CertificateInfo, ForeignFunction, PluginConfig, ProxyConfig, StreamInfo, TlsInfo};
pub use effect::{Discarded, Effect, Piece};
pub use engine::{Cache, Compiler, Engine, EngineConfig};
pub use fields::Fields;
pub use ids::{GrpcCallId, HttpCallId, PluginId, StreamId};
pub use interface::{Export, Import, Interface, Item, Signature};
pub use limits::Limits;
pub use metering::Metering;
pub use module::Module;
pub use module::error::ModuleError;
pub use module::limits::ModuleLimits;
pub use observer::Observer;
#[cfg(feature = "planted")]
pub use planted::{Planted, plant};
pub use policy::{Canary, FailurePolicy, Reload};
pub use pool::Pool;
pub use property_source::PropertySource;
pub use proxy::usage::Usage;
pub use proxy::{Proxy, StartError};
pub use state::GrpcEvent;
