//! How plugins replace each other, as an embedder sees it.

use std::time::Duration;

use pw_host::{
    Canary, Effect, Engine, FailurePolicy, Fields, Limits, Metering, Module, Piece, PluginConfig, PluginId, Proxy,
    ProxyConfig, Reload, StreamId, StreamInfo,
};

/// A plugin that adds its configuration's first letter to the request, traps on the header `x-trap`, pauses on `x-pause`.
const PLUGIN: &str = r#"(module
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_buffer_bytes" (func $read (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "x-plugin")
    (data (i32.const 32) "x-trap")
    (data (i32.const 48) "x-pause")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $read (i32.const 7) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 4)))
        (i32.store8 (i32.const 8) (i32.load8_u (i32.const 1024)))
        (i32.const 1))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $add (i32.const 0) (i32.const 16) (i32.const 8) (i32.const 8) (i32.const 1)))
        (if (i32.eqz (call $get (i32.const 0) (i32.const 32) (i32.const 6) (i32.const 0) (i32.const 4))) (then unreachable))
        (i32.eqz (call $get (i32.const 0) (i32.const 48) (i32.const 7) (i32.const 0) (i32.const 4)))))"#;

struct World {
    module: Module,
    proxy: Proxy,
}

impl World {
    fn new() -> World {
        let wasm = wat::parse_str(PLUGIN).unwrap_or_else(|error| panic!("{error}"));
        let engine = Engine::new(Metering::None).unwrap_or_else(|error| panic!("{error}"));
        let module = Module::new(&engine, &wasm).unwrap_or_else(|error| panic!("{error}"));
        World { module, proxy: Proxy::new(ProxyConfig::default()) }
    }

    fn add(&mut self, config: PluginConfig) -> PluginId {
        self.proxy.add_plugin(&self.module, config).unwrap_or_else(|error| panic!("{error}"))
    }

    fn canary(&mut self, plugin: PluginId, name: &str, canary: Canary) -> PluginId {
        let started = self.proxy.canary(plugin, &self.module, named(name), canary);
        started.unwrap_or_else(|error| panic!("{error}"))
    }

    fn open(&mut self, plugin: PluginId, header: &str) -> (StreamId, Vec<Effect>) {
        let stream = self.proxy.open_stream(&[plugin], StreamInfo::default());
        let headers = Fields::from([(":method", "GET"), (":path", "/"), (header, "1")]);
        self.proxy.request(stream, Piece::headers(headers, true));
        (stream, self.effects())
    }

    /// The plugin that handled the request, by what it added.
    fn whose(&mut self, plugin: PluginId) -> String {
        let (stream, effects) = self.open(plugin, "x-none");
        self.proxy.response(stream, Piece::headers(Fields::from([(":status", "200")]), true));
        self.effects();
        let who = effects.into_iter().find_map(|effect| match effect {
            Effect::Upstream { piece: Piece::Headers { headers, .. }, .. } => {
                Some(headers.get(b"x-plugin").map_or("nobody".into(), |who| String::from_utf8_lossy(who).into_owned()))
            }
            _ => None,
        });
        who.unwrap_or_default()
    }

    fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.proxy.next_effect()).collect()
    }
}

fn named(name: &str) -> PluginConfig {
    PluginConfig { name: name.to_owned(), configuration: name.as_bytes().to_vec(), ..PluginConfig::default() }
}

#[test]
fn an_id_stands_for_the_plugins_successor() {
    let mut world = World::new();
    let first = world.add(named("a"));
    let module = world.module.clone();
    for name in ["b", "c"] {
        world.proxy.replace_plugin(first, &module, named(name)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(world.whose(first), name);
    }
    world.canary(first, "d", Canary { share: 100, faults: 0 });
    assert_eq!(world.whose(first), "d");
    world.proxy.roll_back(first);
    assert_eq!(world.whose(first), "c");
    let last = world.canary(first, "e", Canary { share: 100, faults: 0 });
    world.proxy.promote(first);
    world.proxy.roll_back(first);
    assert_eq!(world.whose(first), "e", "a promoted plugin is still a canary");
    world.proxy.retire_plugin(last);
    assert_eq!(world.whose(first), "nobody", "a stream runs through a retired plugin");
}

#[test]
fn a_canary_gets_its_share_and_the_same_streams_in_each_run() {
    let shares = [0, 1, 30, 100].map(|share| {
        let run = || {
            let mut world = World::new();
            let old = world.add(named("a"));
            world.canary(old, "b", Canary { share, faults: 0 });
            (0..1000).map(|_| world.whose(old)).collect::<String>()
        };
        let first = run();
        assert_eq!(first, run());
        first.matches('b').count()
    });
    assert_eq!((shares[0], shares[3]), (0, 1000));
    assert!((1..30).contains(&shares[1]) && (250..350).contains(&shares[2]), "{shares:?}");
}

#[test]
fn rolls_back_a_canary_that_crashes_too_often() {
    let mut world = World::new();
    let old = world.add(named("a"));
    let canary = world.canary(old, "b", Canary { share: 100, faults: 0 });
    let (_, effects) = world.open(old, "x-trap");
    assert!(effects.contains(&Effect::RolledBack { plugin: old, canary }), "{effects:?}");
    assert_eq!(world.whose(old), "a");
}

#[test]
fn a_log_only_plugin_does_not_act_whatever_its_policy() {
    for open in [true, false] {
        let mut world = World::new();
        let failure = FailurePolicy { open, ..FailurePolicy::default() };
        let plugin = world.add(PluginConfig { log_only: true, failure, ..named("a") });
        assert_eq!(world.whose(plugin), "nobody");
        let (_, effects) = world.open(plugin, "x-trap");
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Upstream { .. })), "{effects:?}");
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Fault { .. })), "{effects:?}");
        assert_eq!(world.whose(plugin), "nobody");
    }
}

#[test]
fn endless_copies_are_bounded_and_block_nothing() {
    let mut world = World::new();
    let limits = Limits { pending: 3, ..Limits::default() };
    let plugin = world.add(PluginConfig { log_only: true, limits, ..named("a") });
    for _ in 0..10 {
        let (stream, effects) = world.open(plugin, "x-pause");
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Upstream { .. })), "{effects:?}");
        world.proxy.response(stream, Piece::headers(Fields::from([(":status", "200")]), true));
        assert!(world.effects().contains(&Effect::StreamEnded { stream }));
    }
    assert_eq!((world.proxy.usage().vms, world.proxy.usage().streams), (1, 3));
    world.proxy.retire_plugin(plugin);
    assert_eq!((world.proxy.usage().vms, world.proxy.usage().streams), (0, 0));
}

#[test]
fn the_crash_of_a_canary_does_not_affect_its_plugin() {
    let mut world = World::new();
    let shared = |name: &str| PluginConfig { vm_id: "shared".to_owned(), ..named(name) };
    let old = world.add(shared("a"));
    let module = world.module.clone();
    let how = Canary { share: 100, faults: 0 };
    let canary = world.proxy.canary(old, &module, shared("b"), how).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(world.proxy.usage().vms, 2);
    let (_, effects) = world.open(old, "x-trap");
    assert!(effects.contains(&Effect::RolledBack { plugin: old, canary }), "{effects:?}");
    assert_eq!(world.whose(old), "a");
    let other = world.add(shared("c"));
    assert_eq!((world.proxy.usage().vms, world.whose(other)), (1, "c".to_owned()), "other plugins do not share a VM");
}

#[test]
fn a_log_only_canary_acts_once_it_is_promoted() {
    let mut world = World::new();
    let old = world.add(named("a"));
    let module = world.module.clone();
    let config = PluginConfig {
        log_only: true,
        failure: FailurePolicy { reload: Some(Reload::default()), open: false },
        ..named("b")
    };
    let how = Canary { share: 100, faults: 100 };
    let canary = world.proxy.canary(old, &module, config, how).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(world.whose(old), "a");
    world.proxy.promote(old);
    assert_eq!((world.whose(old), world.whose(canary)), ("b".to_owned(), "b".to_owned()));
    world.open(old, "x-trap");
    world.proxy.advance(Duration::from_secs(5));
    world.effects();
    assert_eq!(world.whose(old), "b", "after its restart it is log-only again");
}

#[test]
fn streams_opened_for_a_rolled_back_canary_go_to_the_plugin() {
    for fault in [false, true] {
        let mut world = World::new();
        let old = world.add(named("a"));
        let canary = world.canary(old, "b", Canary { share: 0, faults: 0 });
        assert_eq!(world.whose(canary), "b");
        if fault {
            world.open(canary, "x-trap");
        } else {
            world.proxy.roll_back(old);
        }
        assert_eq!(world.whose(canary), "a", "by a fault: {fault}");
        world.canary(old, "c", Canary { share: 100, faults: 0 });
        assert_eq!(world.whose(canary), "c");
    }
}
