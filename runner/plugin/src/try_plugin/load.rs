//! From files to compiled modules.

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pw_cases::files;
use pw_harness::error::HarnessError;
use pw_host::{Compiler, Engine, EngineConfig, Limits, Metering, Module, ModuleError};

use super::cache;

/// The time that a module may take to compile.
const COMPILE_TIMEOUT: Duration = Duration::from_secs(300);

/// One that compiles fast, for each plugin gets one request.
pub(super) fn engine(no_cache: bool) -> Result<Engine, HarnessError> {
    let cache = if no_cache { None } else { cache::of_the_user() };
    let (metering, compiler) = (Metering::Fuel, Compiler::Winch);
    let engine = Engine::with_config(&EngineConfig { metering, compiler, parallel: true, pool: None, cache });
    engine.map_err(|error| HarnessError::new(format!("failed to set up wasmtime: {error:#}")))
}

/// The host's own limits, but for the fuel that is asked for.
pub(super) fn limits(fuel: Option<u64>) -> Limits {
    let limits = Limits::default();
    match fuel {
        Some(fuel) => Limits { fuel, ..limits },
        None => limits,
    }
}

pub(super) fn load(engine: &Engine, path: &Path) -> Result<Module, HarnessError> {
    let shown = path.display();
    let wasm = files::read(path, files::MODULE).map_err(|error| HarnessError::io("read", &shown, &error))?;
    compile(engine, &wasm).map_err(|error| HarnessError::new(format!("failed to load {shown}: {error}")))
}

pub(super) fn compile(engine: &Engine, wasm: &[u8]) -> Result<Module, String> {
    module_in_time(engine, wasm)?.map_err(|error| {
        let hint = if wasm.starts_with(b"\0asm") {
            ""
        } else {
            "; a plugin is a compiled module, as a compiler or wat2wasm writes it"
        };
        format!("{error}{hint}")
    })
}

/// The module, unless it takes too long to compile. The thread that compiles it is not waited for then: the program ends.
fn module_in_time(engine: &Engine, wasm: &[u8]) -> Result<Result<Module, ModuleError>, String> {
    let (sender, receiver) = mpsc::channel();
    let (engine, wasm) = (engine.clone(), wasm.to_vec());
    // The receiver is gone if it took too long.
    thread::spawn(move || drop(sender.send(Module::new(&engine, &wasm))));
    receiver.recv_timeout(COMPILE_TIMEOUT).map_err(|_| {
        let seconds = COMPILE_TIMEOUT.as_secs();
        format!("it takes longer than {seconds} seconds to compile: make its functions smaller")
    })
}
