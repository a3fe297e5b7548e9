//! The flags of `try`.

use std::path::PathBuf;

use clap::Args;

use crate::choices::ChoiceArgs;

/// A plugin, or resources that make a chain of them, and the request that is sent.
#[derive(Clone, Debug, Args)]
#[command(override_usage = "pw-conform try [OPTIONS] <PLUGIN.wasm> [PATH]\n       \
                      pw-conform try [OPTIONS] --wasm-plugin <FILE> [PATH]")]
pub struct TryArgs {
    /// The plugin; none with --wasm-plugin
    #[arg(value_name = "PLUGIN.wasm", required_unless_present = "wasm_plugins")]
    pub plugin: Option<PathBuf>,
    /// The request's path [default: /]
    #[arg(value_name = "PATH")]
    pub path: Option<String>,
    /// Istio's WasmPlugin resources, in YAML or JSON, whose plugins make a chain; may be given several times
    #[arg(long = "wasm-plugin", value_name = "FILE", conflicts_with = "config")]
    pub wasm_plugins: Vec<PathBuf>,
    /// The plugin's configuration: a file, or the text itself
    #[arg(long, value_name = "FILE|TEXT")]
    pub config: Option<String>,
    /// The request's method [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub method: Option<String>,
    /// A header of the request
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// The request's body
    #[arg(short = 'd', long, value_name = "BODY")]
    pub data: Option<String>,
    /// Show every callback and call
    #[arg(long)]
    pub trace: bool,
    /// Fuel of each callback, about a unit per instruction, and as much again for each MiB of the module
    /// [default: 1000000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub fuel: Option<u64>,
    #[expect(missing_docs, reason = "its type says it")]
    #[command(flatten)]
    pub choices: ChoiceArgs,
    /// Compile the plugin without the cache on disk
    #[arg(long)]
    pub no_cache: bool,
}
