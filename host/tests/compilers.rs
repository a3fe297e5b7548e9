//! The host's limits hold for the code of both compilers; the cache of compiled modules works if it can and never fails.

use std::fs;
use std::path::{Path, PathBuf};

use pw_host::{
    Cache, Compiler, Engine, EngineConfig, Limits, Metering, Module, ModuleError, ModuleLimits, PluginConfig, Proxy,
    ProxyConfig, StartError,
};

const BOTH: [Compiler; 2] = [Compiler::Cranelift, Compiler::Winch];

/// A plugin that does something when it is configured.
fn plugin(configure: &str) -> Vec<u8> {
    let text = format!(
        r#"(module (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 8))
            (func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))
            (func $again (param i32) (result i32) (return_call $again (local.get 0)))
            (func (export "proxy_on_configure") (param i32 i32) (result i32) {configure}))"#
    );
    // Winch compiles modules without tail calls.
    let text = if configure.contains("$again") { text } else { text.replace("return_call $again", "call $again") };
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

fn start(config: &EngineConfig, limits: Limits, wasm: &[u8]) -> Result<(), StartError> {
    let engine = Engine::with_config(config).unwrap_or_else(|error| panic!("{error}"));
    let module = Module::new(&engine, wasm).unwrap_or_else(|error| panic!("{error}"));
    let mut proxy = Proxy::new(ProxyConfig::default());
    proxy.add_plugin(&module, PluginConfig { limits, ..PluginConfig::default() }).map(drop)
}

#[test]
fn limits_hold_for_code_of_either_compiler() {
    let limits = Limits { fuel: 1_000_000, ..Limits::default() };
    let rows = [
        ("(loop $l (br $l)) (i32.const 1)", "all fuel consumed"),
        ("(call $again (i32.const 1))", "all fuel consumed"),
        ("(call $deeper (i32.const 1))", "call stack exhausted"),
        ("(i32.load (i32.const -1))", "out of bounds"),
        ("(i32.div_s (local.get 0) (i32.const 0))", "integer divide by zero"),
        ("(drop (memory.grow (i32.const 60000))) (i32.load (i32.const 1000000))", "out of bounds"),
    ];
    for compiler in BOTH {
        let config = EngineConfig { metering: Metering::Fuel, compiler, ..EngineConfig::default() };
        for (configure, expected) in rows {
            let error = start(&config, limits, &plugin(configure)).expect_err(configure).to_string();
            assert!(error.contains(expected), "{compiler:?}: {configure}: {error}");
        }
        assert!(start(&config, limits, &plugin("(i32.const 1)")).is_ok());
    }
}

#[test]
fn a_tick_interrupts_code_of_either_compiler() {
    let limits = Limits { epochs: 1, ..Limits::default() };
    for configure in ["(loop $l (br $l)) (i32.const 1)", "(call $again (i32.const 1))"] {
        let config = EngineConfig { metering: Metering::Epochs, compiler: Compiler::Winch, ..EngineConfig::default() };
        let engine = Engine::with_config(&config).unwrap_or_else(|error| panic!("{error}"));
        let module = Module::new(&engine, &plugin(configure)).unwrap_or_else(|error| panic!("{error}"));
        let (done, end) = std::sync::mpsc::channel::<()>();
        let ticker = std::thread::spawn(move || {
            while end.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                engine.tick();
                std::thread::yield_now();
            }
        });
        let mut proxy = Proxy::new(ProxyConfig::default());
        let error = proxy.add_plugin(&module, PluginConfig { limits, ..PluginConfig::default() });
        drop(done);
        ticker.join().expect("it ends");
        assert!(error.expect_err(configure).to_string().contains("interrupt"), "{configure}");
    }
}

#[test]
fn a_large_module_has_more_fuel() {
    // Some three million units.
    let count = "(loop $l (local.set 0 (i32.add (local.get 0) (i32.const 1))) \
                 (br_if $l (i32.lt_u (local.get 0) (i32.const 400000)))) (i32.const 1)";
    let large = |bytes: usize| {
        let padding = format!("{count}) (data $padding \"{}\"", "x".repeat(bytes));
        plugin(&padding).into_boxed_slice()
    };
    let limits = Limits { fuel: 1_500_000, ..Limits::default() };
    for compiler in BOTH {
        let config = EngineConfig { metering: Metering::Fuel, compiler, ..EngineConfig::default() };
        assert!(start(&config, limits, &large(0)).is_err());
        assert!(start(&config, limits, &large(4 << 20)).is_ok());
        assert!(start(&config, Limits { fuel: 0, ..limits }, &large(4 << 20)).is_err());
        assert!(start(&config, Limits { fuel: u64::MAX, ..limits }, &large(4 << 20)).is_ok());
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn cached(folder: &Path, compiler: Compiler) -> EngineConfig {
    let cache = Cache { folder: folder.to_owned(), size: 64 << 20 };
    EngineConfig { compiler, cache: Some(cache), ..EngineConfig::default() }
}

/// Files with their bytes: only the compiled modules, or all.
fn files(folder: &Path, modules: bool) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, modules));
        } else if !modules || (path.to_string_lossy().contains("modules") && path.extension().is_none()) {
            found.extend(fs::read(&path).map(|bytes| (path, bytes)));
        }
    }
    found
}

#[test]
fn does_not_use_a_changed_entry() {
    for compiler in BOTH {
        let folder = folder(&format!("cache-{compiler:?}"));
        let run = |value: u32| {
            start(&cached(&folder, compiler), Limits::default(), &plugin(&format!("(i32.const {value})")))
                .unwrap_or_else(|error| panic!("{error}"));
        };
        run(1);
        let [(entry, good)] = &files(&folder, true)[..] else { panic!("not exactly one module was compiled") };
        run(2);
        assert_eq!(files(&folder, true).len(), 2);
        let broken: [fn(&mut Vec<u8>); 4] = [
            |bytes| bytes.clear(),
            |bytes| bytes.truncate(bytes.len() / 2),
            |bytes| bytes.iter_mut().skip(20).for_each(|byte| *byte ^= 0x55),
            |bytes| bytes.push(0),
        ];
        for break_it in broken {
            let mut bytes = good.clone();
            break_it(&mut bytes);
            fs::write(entry, bytes).unwrap_or_else(|error| panic!("{error}"));
            run(1);
            let repaired = fs::read(entry).unwrap_or_default();
            assert_eq!(&repaired, good, "{compiler:?}: it was not compiled again");
        }
        // A file of checksums that is not one.
        let seals = files(&folder.join("seals"), false);
        assert_eq!(seals.len(), 2);
        seals.iter().for_each(|(seal, _)| fs::write(seal, b"\xff nothing").unwrap_or_else(|error| panic!("{error}")));
        run(1);
    }
}

#[test]
fn works_without_a_usable_cache() {
    let folder = folder("cache-unusable");
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{error}"));
    fs::write(folder.join("file"), b"").unwrap_or_else(|error| panic!("{error}"));
    for unusable in [folder.join("file"), folder.join("file/below"), PathBuf::new(), PathBuf::from("\0")] {
        start(&cached(&unusable, Compiler::Winch), Limits::default(), &plugin("(i32.const 1)"))
            .unwrap_or_else(|error| panic!("{}: {error}", unusable.display()));
    }
}

#[test]
fn bounds_the_cache() {
    let folder = folder("cache-bound");
    let mut config = cached(&folder, Compiler::Winch);
    config.cache = config.cache.map(|cache| Cache { size: 10_000, ..cache });
    for value in 0..20 {
        start(&config, Limits::default(), &plugin(&format!("(i32.const {})", value + 1)))
            .unwrap_or_else(|error| panic!("{error}"));
    }
    Engine::with_config(&config).unwrap_or_else(|error| panic!("{error}"));
    let bytes: usize = files(&folder, false).iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes <= 10_000, "{bytes} bytes");
}

#[test]
fn compiles_a_module_too_large_for_cranelift_with_winch_or_rejects_it() {
    let limits = ModuleLimits { cranelift_work: 10, ..ModuleLimits::default() };
    let rows = [("(i32.const 1)", true), ("(call $again (i32.const 1))", false)];
    for compiler in BOTH {
        let config = EngineConfig { metering: Metering::Fuel, compiler, ..EngineConfig::default() };
        let engine = Engine::with_config(&config).unwrap_or_else(|error| panic!("{error}"));
        for (configure, loads) in rows {
            let module = Module::with_limits(&engine, &plugin(configure), &limits);
            // On machines that Winch does not support Cranelift compiles everything.
            let winch = cfg!(target_arch = "aarch64") || has_avx();
            match module {
                Ok(module) => {
                    assert!(loads || !winch, "{compiler:?}: {configure}");
                    let added = Proxy::new(ProxyConfig::default()).add_plugin(&module, PluginConfig::default());
                    assert_eq!(added.is_ok(), loads, "{compiler:?}: {configure}");
                }
                Err(error) => {
                    assert!(matches!(error, ModuleError::Limit { limit: "cranelift_work", .. }), "{error}");
                    assert!(!loads, "{compiler:?}: {configure}");
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx() -> bool {
    std::arch::is_x86_feature_detected!("avx")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx() -> bool {
    false
}
