//! VMs in a pool: what does not fit is rejected with a reason, and a place keeps nothing of the VM before.

use pw_host::{
    Effect, Engine, Limits, Metering, Module, ModuleError, PluginConfig, PluginId, Pool, Proxy, ProxyConfig, StartError,
};

const PAGE: usize = 65_536;
const POOL: Pool = Pool { instances: 2, memory: 4 * PAGE, tables: 1, table_elements: 10, resident: PAGE };

/// A plugin that logs the number `value` when it is configured.
fn module(pool: Pool, head: &str, value: &str) -> Result<Module, ModuleError> {
    let text = format!(
        r#"(module
            (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
            {head}
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
            (func $value (result i32) (local $number i32) {value})
            (func (export "proxy_on_configure") (param i32 i32) (result i32)
                (i32.store (i32.const 0) (call $value))
                (drop (call $log (i32.const 2) (i32.const 0) (i32.const 4)))
                (i32.const 1)))"#
    );
    let wasm = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"));
    let engine = Engine::with_pool(Metering::None, pool).unwrap_or_else(|error| panic!("{error}"));
    Module::new(&engine, &wasm)
}

/// Starts a plugin; what it logs.
fn start(proxy: &mut Proxy, module: &Module, limits: Limits) -> Result<(PluginId, u32), StartError> {
    let plugin = proxy.add_plugin(module, PluginConfig { limits, ..PluginConfig::default() })?;
    let Some(Effect::Log { message, .. }) = proxy.next_effect() else { panic!("it logs") };
    Ok((plugin, message.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))))
}

#[track_caller]
fn check_rejected(head: &str, reason: &str) {
    let Err(error) = module(POOL, head, "(i32.const 0)") else { panic!("{head} is loaded") };
    assert!(matches!(error, ModuleError::Pool(_)), "{error}");
    let error = error.to_string();
    assert!(error.starts_with("the module has no room in the engine's pool: ") && error.contains(reason), "{error}");
}

#[test]
fn rejects_a_module_that_does_not_fit() {
    check_rejected(r#"(memory (export "memory") 5)"#, "minimum byte size of 327680 which exceeds the limit of 0x40000");
    check_rejected(r#"(memory (export "memory") 1) (table 11 funcref)"#, "minimum element size of 11");
    check_rejected(r#"(memory (export "memory") 1) (table 1 funcref) (table 1 funcref)"#, "tables count of 2");
    let error = module(POOL, r#"(memory (export "memory") 5 4)"#, "(i32.const 0)").expect_err("it is not valid");
    assert!(matches!(error, ModuleError::Invalid(_)), "{error}");
}

#[test]
fn starts_another_plugin_only_after_one_has_ended() {
    let module = module(POOL, r#"(memory (export "memory") 1)"#, "(i32.const 7)").expect("it fits");
    let mut proxy = Proxy::new(ProxyConfig::default());
    let limits = Limits::default();
    let (first, _) = start(&mut proxy, &module, limits).expect("there is room");
    start(&mut proxy, &module, limits).expect("there is room");
    let error = start(&mut proxy, &module, limits).expect_err("there is no room");
    assert_eq!(error.to_string(), "the engine's pool has no room for another VM");
    proxy.remove_plugin(first);
    assert_eq!(start(&mut proxy, &module, limits).map(|(_, number)| number), Ok(7));
}

#[test]
fn clears_a_place_for_the_next_vm() {
    // Near the beginning and after what stays in RAM: the module's data there is 1, and then the plugin changes it.
    let reads = "(local.set $number (i32.add
            (i32.add (i32.load (i32.const 2048)) (i32.load (i32.const 140000)))
            (i32.add (i32.load8_u (i32.const 3072)) (i32.load8_u (i32.const 150000)))))
        (i32.store (i32.const 2048) (i32.const 100))
        (i32.store (i32.const 140000) (i32.const 100))
        (i32.store (i32.const 3072) (i32.const 100))
        (i32.store (i32.const 150000) (i32.const 100))
        (local.get $number)";
    let memory = r#"(memory (export "memory") 3) (data (i32.const 3072) "\01") (data (i32.const 150000) "\02")"#;
    let module = module(Pool { instances: 1, ..POOL }, memory, reads).expect("it fits");
    let mut proxy = Proxy::new(ProxyConfig::default());
    for _ in 0..3 {
        let (plugin, number) = start(&mut proxy, &module, Limits::default()).expect("there is room");
        assert_eq!(number, 3);
        proxy.remove_plugin(plugin);
    }
}

#[test]
fn a_memory_is_bounded_by_the_limit_and_the_pool() {
    let bomb = "(loop $more
            (local.set $number (memory.grow (i32.const 1)))
            (br_if $more (i32.ne (local.get $number) (i32.const -1))))
        (memory.size)";
    let module = module(POOL, r#"(memory (export "memory") 1)"#, bomb).expect("it fits");
    let mut proxy = Proxy::new(ProxyConfig::default());
    for (limit, pages) in [(3 * PAGE, 3), (4 * PAGE, 4), (5 * PAGE, 4)] {
        let limits = Limits { memory: limit, ..Limits::default() };
        let (plugin, size) = start(&mut proxy, &module, limits).expect("there is room");
        assert_eq!(size, pages);
        proxy.remove_plugin(plugin);
    }
}
