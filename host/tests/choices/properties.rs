//! Properties from the embedder.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use pw_host::{Effect, Limits, PluginConfig, PropertySource, ProxyConfig, StreamInfo};

use super::support::{Act, World, lines, text};

/// Some paths with their values.
struct Table(&'static [(&'static str, &'static str)]);

impl PropertySource for Table {
    fn property(&self, path: &[u8]) -> Option<Bytes> {
        let found = self.0.iter().find(|(known, _)| known.as_bytes() == path);
        found.map(|(_, value)| Bytes::from_static(value.as_bytes()))
    }
}

fn source(table: &'static [(&'static str, &'static str)]) -> Option<Arc<dyn PropertySource>> {
    Some(Arc::new(Table(table)))
}

/// What plugins log with these sources.
#[track_caller]
fn seen(
    of_proxy: Option<Arc<dyn PropertySource>>,
    of_stream: Option<Arc<dyn PropertySource>>,
    limits: Limits,
    plugins: &[String],
) -> Vec<String> {
    let config = ProxyConfig { properties: of_proxy, ..ProxyConfig::default() };
    let info = StreamInfo { properties: of_stream, source: "192.0.2.1:1".parse().ok(), ..StreamInfo::default() };
    let own = PluginConfig { name: "itself".to_owned(), limits, ..PluginConfig::default() };
    let plugins: Vec<_> = plugins.iter().map(|text| (&text[..], own.clone())).collect();
    let mut world = World::new(config, info, &plugins);
    let mut effects = world.effects();
    effects.extend(world.request(&[], true));
    let fault = |effect: &Effect| if let Effect::Fault { reason, .. } = effect { Some(reason.clone()) } else { None };
    lines(&effects).into_iter().chain(effects.iter().filter_map(fault)).collect()
}

fn at_request(acts: &[Act<'_>]) -> String {
    text(&[("proxy_on_request_headers", acts)])
}

#[test]
fn plugins_come_before_the_host_the_stream_and_the_proxy() {
    let of_proxy = source(&[
        ("source\0address", "proxy"),
        ("plugin_name", "proxy"),
        ("request", "proxy"),
        ("node\0id", "proxy"),
        ("route_name", "proxy"),
        ("request\0id", "proxy"),
    ]);
    let of_stream = source(&[("route_name", "stream"), ("request\0id", "stream"), ("source\0port", "stream")]);
    let paths =
        ["source\0address", "plugin_name", "request", "node\0id", "node\0id\0", "route_name", "request\0id", "none"];
    let gets = paths.map(Act::Get);
    let sets = [Act::Set("route_name", "plugin"), Act::Set("request\0id", "plugin"), Act::Set("none", "plugin")];
    let plugins = [at_request(&gets), at_request(&sets), at_request(&gets)];
    let first = ["192.0.2.1:1", "itself", "status 3", "proxy", "proxy", "stream", "stream", "status 1"];
    let then = ["192.0.2.1:1", "itself", "status 3", "proxy", "proxy", "plugin", "stream", "plugin"];
    assert_eq!(seen(of_proxy, of_stream, Limits::default(), &plugins), [first, then].concat());
}

#[test]
fn only_those_of_the_proxy_exist_without_a_stream() {
    let plugin = text(&[("proxy_on_configure", &[Act::Get("node\0id"), Act::Get("route_name")])]);
    let (of_proxy, of_stream) = (source(&[("node\0id", "7")]), source(&[("route_name", "stream")]));
    assert_eq!(seen(of_proxy, of_stream, Limits::default(), &[plugin]), ["7", "status 1"]);
}

#[test]
fn values_and_paths_are_bounded() {
    let table = source(&[("four", "1234"), ("five", "12345"), ("long_", "1")]);
    let limits = Limits { property_source: 4, ..Limits::default() };
    let plugin = at_request(&["four", "five", "long_"].map(Act::Get));
    // INTERNAL_FAILURE is 10.
    assert_eq!(seen(None, table, limits, &[plugin]), ["1234", "status 0", "status 1"]);
}

#[test]
fn a_panic_of_a_source_crashes_the_plugin() {
    let panics: Arc<dyn PropertySource> = Arc::new(|_: &[u8]| -> Option<Bytes> { panic!("on purpose") });
    let plugin = at_request(&[Act::Get("plugin_name"), Act::Get("node\0id")]);
    let seen = seen(Some(panics), None, Limits::default(), &[plugin]);
    let [name, fault] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(name, "itself", "a source was asked for what the host has");
    assert!(fault.contains("a source of properties panicked: on purpose"), "{fault}");
}

#[test]
fn sources_are_called_only_when_a_plugin_reads() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let counts: Arc<dyn PropertySource> = Arc::new(move |_: &[u8]| -> Option<Bytes> {
        counter.fetch_add(1, Ordering::Relaxed);
        None
    });
    let plugins = [at_request(&[Act::Get("source\0address"), Act::Set("mine", "1"), Act::Get("mine")])];
    seen(Some(counts.clone()), Some(counts.clone()), Limits::default(), &plugins);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    seen(Some(counts.clone()), Some(counts), Limits::default(), &[at_request(&[Act::Get("other")])]);
    assert_eq!(asked.load(Ordering::Relaxed), 2, "the source of the stream and that of the proxy");
}
