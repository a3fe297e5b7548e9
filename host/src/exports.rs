//! The exports of a module that the host uses, looked up once for all of its instances.

use pw_abi::Version;
use wasmtime::{ExternType, ModuleExport};

use crate::callbacks::On;

pub(crate) struct Exports {
    pub(crate) memory: Option<ModuleExport>,
    /// `proxy_on_memory_allocate` before `malloc`.
    pub(crate) allocators: Vec<ModuleExport>,
    /// The functions that start an instance: `_initialize` and then `main`, or `_start`.
    pub(crate) start: Vec<(&'static str, ModuleExport)>,
    callbacks: Vec<Option<Callback>>,
    /// The module imports `proxy_set_buffer_bytes`.
    pub(crate) sets_buffers: bool,
}

/// The maximum number of parameters of a callback.
const MAX_PARAMS: usize = 5;

/// A callback that a module exports.
#[derive(Clone, Copy)]
pub(crate) struct Callback {
    pub(crate) export: ModuleExport,
    /// The number of parameters, at most [`MAX_PARAMS`].
    pub(crate) params: usize,
    pub(crate) result: bool,
}

impl Exports {
    /// Looks up the exports. An export with the name of a callback is one only if the version has that callback; then its type is the
    /// table's.
    pub(crate) fn of(module: &wasmtime::Module, version: Version) -> Exports {
        let callback = |on: &On| {
            let row = pw_abi::callback(version, on.name())?;
            let Some(ExternType::Func(ty)) = module.get_export(on.name()) else { return None };
            let export = module.get_export_index(on.name())?;
            let (params, result) = (ty.params().len(), ty.results().len() == 1);
            let fits = params == row.params(version).count() && params <= MAX_PARAMS && result == row.result.is_some();
            fits.then_some(Callback { export, params, result })
        };
        let index = |name: &&'static str| module.get_export_index(name).map(|export| (*name, export));
        let reactor = module.get_export_index("_initialize").is_some();
        let start: &[&str] = if reactor { &["_initialize", "main"] } else { &["_start"] };
        let allocators = ["proxy_on_memory_allocate", "malloc"];
        Exports {
            memory: module.get_export_index("memory"),
            allocators: allocators.iter().filter_map(index).map(|(_, export)| export).collect(),
            start: start.iter().filter_map(index).collect(),
            callbacks: On::ALL.iter().map(callback).collect(),
            sets_buffers: module.imports().any(|import| import.name() == "proxy_set_buffer_bytes"),
        }
    }

    #[inline]
    pub(crate) fn callback(&self, on: On) -> Option<Callback> {
        self.callbacks.get(on as usize).copied().flatten()
    }
}
