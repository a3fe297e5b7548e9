//! What of a module's exports the host uses, looked up once for all of its instances.

use wasmtime::{ExternType, ModuleExport};

use crate::guest::On;

pub(crate) struct Exports {
    pub(crate) memory: Option<ModuleExport>,
    /// The newer one first.
    pub(crate) allocators: Vec<ModuleExport>,
    /// The functions that start an instance: `_initialize` and then `main`, or `_start`.
    pub(crate) start: Vec<(&'static str, ModuleExport)>,
    callbacks: Vec<Option<Callback>>,
    /// The module imports `proxy_set_buffer_bytes`.
    pub(crate) sets_buffers: bool,
}

/// A callback that a module exports.
#[derive(Clone, Copy)]
pub(crate) struct Callback {
    pub(crate) export: ModuleExport,
    /// How many parameters it has.
    pub(crate) params: usize,
    pub(crate) result: bool,
}

impl Exports {
    pub(crate) fn of(module: &wasmtime::Module) -> Exports {
        let callback = |on: &On| match module.get_export(on.name()) {
            Some(ExternType::Func(ty)) => {
                let export = module.get_export_index(on.name())?;
                Some(Callback { export, params: ty.params().len(), result: ty.results().len() > 0 })
            }
            _ => None,
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
