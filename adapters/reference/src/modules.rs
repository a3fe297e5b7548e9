//! Modules, each compiled once for all clones of a host: probes without their scripts, and modules of cases.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pw_cases::probe::{Template, assemble};
use pw_cases::shape::Shape;
use pw_host::{Engine, Module, ModuleError};

/// Bytes of modules, as they came, that are kept compiled; beyond them all are forgotten. Probes are few.
const BYTES: usize = 32 << 20;

/// A compiler that compiles nothing twice. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Modules {
    engine: Engine,
    kept: Arc<Mutex<Kept>>,
}

/// A module, or why the host refuses it, which is not an error of ours.
pub(crate) type Loaded = Result<Module, ModuleError>;

/// Compiled by who needs it first; others wait for that.
type Once<T> = Arc<OnceLock<T>>;

#[derive(Default)]
struct Kept {
    probes: HashMap<Template, Once<Result<Loaded, String>>>,
    /// By the address of the shape, which stays there as long as it is kept.
    shapes: HashMap<usize, (Arc<Shape>, Once<Loaded>)>,
    modules: HashMap<Vec<u8>, Once<Loaded>>,
    bytes: usize,
}

impl Modules {
    pub(crate) fn new(engine: Engine) -> Modules {
        Modules { engine, kept: Arc::default() }
    }

    pub(crate) fn probe(&self, template: &Template) -> Result<Loaded, String> {
        let once = self.kept(|kept| kept.probes.entry(template.clone()).or_default().clone());
        let compiled = once.get_or_init(|| {
            let wasm = assemble(&template.wat(&[])).map_err(|error| error.to_string())?;
            Ok(Module::new(&self.engine, &wasm))
        });
        compiled.clone().map_err(|error| format!("the probe does not compile: {error}"))
    }

    pub(crate) fn shape(&self, shape: &Arc<Shape>) -> Loaded {
        let once = self.kept(|kept| {
            let (_, once) =
                kept.shapes.entry(Arc::as_ptr(shape).addr()).or_insert_with(|| (shape.clone(), Once::default()));
            once.clone()
        });
        once.get_or_init(|| Module::new(&self.engine, &shape.wasm)).clone()
    }

    pub(crate) fn module(&self, wasm: &[u8]) -> Loaded {
        let once = self.kept(|kept| kept.module(wasm));
        once.get_or_init(|| Module::new(&self.engine, wasm)).clone()
    }

    fn kept<T>(&self, of: impl FnOnce(&mut Kept) -> T) -> T {
        of(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kept {
    fn module(&mut self, wasm: &[u8]) -> Once<Loaded> {
        if let Some(once) = self.modules.get(wasm) {
            return once.clone();
        }
        if self.bytes + wasm.len() > BYTES {
            self.modules.clear();
            self.bytes = 0;
        }
        self.bytes += wasm.len();
        self.modules.entry(wasm.to_vec()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use pw_host::Metering;

    use super::*;

    #[test]
    fn what_is_kept_has_a_bound_and_is_found_again() {
        let modules = Modules::new(Engine::new(Metering::None).expect("wasmtime runs here"));
        for _ in 0..2 {
            assert!(modules.module(b"nothing").is_err());
        }
        assert_eq!(modules.kept(|kept| (kept.modules.len(), kept.bytes)), (1, 7));
        for number in 0..4 {
            let _ = modules.module(&vec![number; BYTES / 2 + 1]);
        }
        assert_eq!(modules.kept(|kept| kept.modules.len()), 1);
    }
}
