//! For authors of plugins: [`check`] inspects modules without running them, [`try_plugin`] sends a request through them on the
//! reference host, [`wasm_plugin`] reads Istio's resources, which describe chains of them.

pub mod check;
pub mod choices;
pub mod sha256;
pub mod try_plugin;
pub mod wasm_plugin;
