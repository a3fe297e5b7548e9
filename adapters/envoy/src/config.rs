//! Envoy's configuration as JSON: the bootstrap, and the listener of a scenario.
//!
//! Envoy adds, limits and times out as little as possible, so that what is seen is caused by plugins. It always adds
//! `x-forwarded-proto` to requests, without which it finds no route, and `date` to responses.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use pw_adapter_kit::job::{Plugin, Run};
use pw_adapter_kit::scenario;
use pw_adapter_kit::target::{CALLEES, DEAD, Ports, UPSTREAM};
use pw_cases::probe::assemble;
use pw_cases::scenario::{Failure, PluginSettings};
use serde_json::{Map, Value, json};

/// Bytes that Envoy buffers, and that a window of HTTP/2 allows.
const BUFFER_BYTES: u32 = 64 << 20;
/// Bytes of a frame: more than any body of a case, so that a piece of a body is one frame and one callback.
const FRAME_BYTES: u32 = 4 << 20;
/// The same upstream for streams of HTTP/1.1. Calls of plugins to [`UPSTREAM`] are of HTTP/2, as those to all others are.
const UPSTREAM_HTTP1: &str = "upstream_http1";
/// A name that no function has. Every restricted plugin may use it, because Envoy takes an empty list for no restriction.
const NO_CAPABILITY: &str = "none";

fn typed(kind: &str, mut value: Value) -> Value {
    value["@type"] = json!(format!("type.googleapis.com/{kind}"));
    value
}

/// The bootstrap, with listeners in this file; `extensions` were made by [`extension`].
pub fn bootstrap(ports: &Ports, listeners: &Path, extensions: &[Value]) -> Value {
    let callees = CALLEES.iter().zip(ports.callees).map(|(name, port)| cluster(name, port, only_http2(), None));
    let upstream = |name, options| cluster(name, ports.upstream, options, Some(proxy_protocol()));
    let http1 = json!({ "explicit_http_config": { "http_protocol_options": http1() } });
    let upstreams = [upstream(UPSTREAM, only_http2()), upstream(UPSTREAM_HTTP1, http1)];
    let clusters = upstreams.into_iter().chain([cluster(DEAD, ports.dead, only_http2(), None)]);
    json!({
        "admin": { "address": address(ports.admin) },
        // Clients may reset any number of streams.
        "layered_runtime": { "layers": [{ "name": "pw", "static_layer": {
            "overload.premature_reset_total_stream_count": 1_000_000_000,
        } }] },
        "node": { "id": "pw-conform", "cluster": "pw-conform" },
        "dynamic_resources": { "lds_config": {
            "resource_api_version": "V3",
            "path_config_source": { "path": listeners },
        } },
        "bootstrap_extensions": extensions,
        "static_resources": {
            "listeners": [barrier(ports.barrier)],
            "clusters": clusters.chain(callees).collect::<Vec<_>>(),
        },
    })
}

/// The listener of a scenario, with the plugins of this chain.
pub fn listener(name: &str, ports: &Ports, run: &Run, chain: &[usize]) -> Value {
    let is_alone = run.plugins.len() == 1;
    let kind = if scenario::is_tcp(run) { "network" } else { "http" };
    let plugins = chain.iter().map(|at| &run.plugins[*at]);
    let mut filters: Vec<Value> = plugins.map(|plugin| filter(kind, plugin, root_id(plugin, is_alone))).collect();
    if scenario::is_tcp(run) {
        let proxy = json!({ "stat_prefix": "pw", "cluster": UPSTREAM, "idle_timeout": "0s" });
        let kind = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
        filters.push(json!({ "name": "tcp_proxy", "typed_config": typed(kind, proxy) }));
        return of_filters(name, ports.tcp, &filters);
    }
    filters.push(json!({ "name": "router", "typed_config": typed("envoy.extensions.filters.http.router.v3.Router",
        json!({ "suppress_envoy_headers": true })) }));
    let cluster = if run.http1 { UPSTREAM_HTTP1 } else { UPSTREAM };
    http_listener(name, ports.http, json!({ "cluster": cluster, "timeout": "0s" }), "route", &filters)
}

/// A listener that Envoy rejects: before it finds that it lacks what the plugin imports, it has started V8.
///
/// # Errors
///
/// The text of the module is not valid.
pub fn rejected(ports: &Ports) -> Result<Value, String> {
    let wat = r#"(import "env" "nothing" (func)) (func (export "proxy_abi_version_0_2_1"))"#;
    let wasm = assemble(wat).map_err(|error| error.to_string())?;
    let settings = PluginSettings { name: "v8".into(), ..PluginSettings::default() };
    let filter = filter("http", &Plugin { settings, wasm }, "");
    Ok(http_listener("v8", ports.http, json!({ "cluster": UPSTREAM }), "route", &[filter]))
}

/// The `root_id` of a plugin. Envoy marks the lines of its root context by `root_id` and `vm_id` only, so plugins that share a
/// chain need one. A plugin that is alone keeps the default, by which some SDKs look up their contexts.
pub fn root_id(plugin: &Plugin, is_alone: bool) -> &str {
    if is_alone { "" } else { &plugin.settings.name }
}

/// What decides in which VM a plugin lives: plugins for which it is equal share one in each thread.
pub fn home(plugin: &Plugin) -> impl PartialEq + '_ {
    (
        &plugin.settings.vm_id,
        &plugin.settings.vm_configuration,
        &plugin.wasm,
        &plugin.settings.environment,
        &plugin.settings.capabilities,
    )
}

/// A plugin in the background: it is on no stream, and in one VM, of the main thread. Its module is in a file, because it may
/// be too large for an argument of a program.
pub fn extension(plugin: &Plugin, is_alone: bool, file: &Path) -> Value {
    let config = plugin_config(plugin, root_id(plugin, is_alone), json!({ "filename": file }));
    let service = json!({ "singleton": true, "config": config });
    json!({ "name": "envoy.bootstrap.wasm", "typed_config": typed("envoy.extensions.wasm.v3.WasmService", service) })
}

fn filter(kind: &str, plugin: &Plugin, root_id: &str) -> Value {
    let config = plugin_config(plugin, root_id, json!({ "inline_bytes": BASE64.encode(&plugin.wasm) }));
    let kind = format!("envoy.extensions.filters.{kind}.wasm.v3.Wasm");
    json!({ "name": plugin.settings.name, "typed_config": typed(&kind, json!({ "config": config })) })
}

fn plugin_config(plugin: &Plugin, root_id: &str, code: Value) -> Value {
    let bytes = |bytes: &[u8]| typed("google.protobuf.BytesValue", json!({ "value": BASE64.encode(bytes) }));
    let mut vm = json!({
        "vm_id": plugin.settings.vm_id,
        "runtime": "envoy.wasm.runtime.v8",
        "code": { "local": code },
        "configuration": bytes(&plugin.settings.vm_configuration.0),
    });
    if !plugin.settings.environment.is_empty() {
        vm["environment_variables"] = json!({ "key_values": plugin.settings.environment });
    }
    let mut config = json!({
        "name": plugin.settings.name,
        "root_id": root_id,
        "vm_config": vm,
        "configuration": bytes(&plugin.settings.configuration.0),
        "failure_policy": failure_policy(plugin.settings.failure),
    });
    if let Some(names) = &plugin.settings.capabilities {
        let allowed = names.iter().map(String::as_str).chain([NO_CAPABILITY]);
        let allowed: Map<String, Value> = allowed.map(|name| (name.to_owned(), json!({}))).collect();
        config["capability_restriction_config"] = json!({ "allowed_capabilities": allowed });
    }
    config
}

fn failure_policy(failure: Failure) -> &'static str {
    match failure {
        Failure::Closed => "FAIL_CLOSED",
        Failure::Open => "FAIL_OPEN",
        Failure::Reload => "FAIL_RELOAD",
    }
}

/// A listener of the worker thread that only answers pings: when it does, earlier work of the thread is done.
fn barrier(port: u16) -> Value {
    let router = json!({ "name": "router", "typed_config":
        typed("envoy.extensions.filters.http.router.v3.Router", json!({})) });
    http_listener("barrier", port, json!({ "status": 204 }), "direct_response", &[router])
}

fn http_listener(name: &str, port: u16, action: Value, kind: &str, filters: &[Value]) -> Value {
    let mut route = json!({ "match": { "prefix": "/" } });
    route[kind] = action;
    let manager = json!({
        "stat_prefix": "pw",
        "codec_type": "AUTO",
        "http_protocol_options": http1(),
        "http2_protocol_options": http2(),
        "common_http_protocol_options": { "idle_timeout": "0s", "max_headers_count": 20000 },
        "max_request_headers_kb": 8192,
        "stream_idle_timeout": "0s",
        "delayed_close_timeout": "0s",
        "drain_timeout": "0.001s",
        "generate_request_id": false,
        "preserve_external_request_id": true,
        "server_header_transformation": "PASS_THROUGH",
        "skip_xff_append": true,
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [route] }] },
        "http_filters": filters,
    });
    let kind = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    of_filters(name, port, &[json!({ "name": "http", "typed_config": typed(kind, manager) })])
}

fn of_filters(name: &str, port: u16, filters: &[Value]) -> Value {
    json!({
        "name": name,
        "address": address(port),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [{ "filters": filters }],
    })
}

fn cluster(name: &str, port: u16, mut options: Value, transport: Option<Value>) -> Value {
    let limits = json!({ "max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000 });
    options["common_http_protocol_options"] =
        json!({ "idle_timeout": "0s", "max_headers_count": 20000, "max_response_headers_kb": 8192 });
    let mut cluster = json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "circuit_breakers": { "thresholds": [limits] },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(port) } }] }],
        },
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions":
            typed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", options) },
    });
    if let Some(transport) = transport {
        cluster["transport_socket"] = transport;
    }
    cluster
}

/// Starts each connection to the upstream with a line that names the client's port: by that the adapter recognises the stream,
/// without a header that plugins could see. It also makes each stream use its own connection.
fn proxy_protocol() -> Value {
    let raw = typed("envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer", json!({}));
    let kind = "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";
    let config = json!({
        "config": { "version": "V1" },
        "transport_socket": { "name": "envoy.transport_sockets.raw_buffer", "typed_config": raw },
    });
    json!({ "name": "envoy.transport_sockets.upstream_proxy_protocol", "typed_config": typed(kind, config) })
}

fn only_http2() -> Value {
    json!({ "explicit_http_config": { "http2_protocol_options": http2() } })
}

fn http1() -> Value {
    json!({ "enable_trailers": true })
}

fn http2() -> Value {
    /// `SETTINGS_MAX_FRAME_SIZE`, for which Envoy has no option.
    const MAX_FRAME_SIZE: u32 = 5;
    json!({
        "initial_stream_window_size": BUFFER_BYTES,
        "initial_connection_window_size": BUFFER_BYTES,
        "custom_settings_parameters": [{ "identifier": MAX_FRAME_SIZE, "value": FRAME_BYTES }],
        "override_stream_error_on_invalid_http_message": true,
        "max_consecutive_inbound_frames_with_empty_payload": 1000,
    })
}

fn address(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pw_abi::Version;
    use pw_cases::data::Data;
    use pw_cases::scenario::Step;

    use super::*;

    fn plugin(name: &str) -> Plugin {
        let settings = PluginSettings {
            name: name.into(),
            vm_id: "vm".into(),
            vm_configuration: Data(vec![0, 0xff]),
            environment: BTreeMap::from([("A".into(), "b".into())]),
            ..PluginSettings::default()
        };
        Plugin { settings, wasm: b"\0asm".to_vec() }
    }

    const PORTS: Ports = Ports { barrier: 2, http: 3, tcp: 8, upstream: 4, callees: [5, 6], dead: 7, admin: 9 };

    fn filters(run: &Run) -> Vec<Value> {
        let listener = listener("l", &PORTS, run, &scenario::chain(run));
        let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
        manager["http_filters"].as_array().expect("is a list").clone()
    }

    fn run(plugins: Vec<Plugin>) -> Run {
        Run {
            id: "a/b".into(),
            abi: Version::V0_2_1,
            plugins,
            steps: Vec::new(),
            hazard: false,
            http1: false,
            keep: false,
        }
    }

    #[test]
    fn plugins_keep_their_order_and_their_bytes() {
        let filters = filters(&run(vec![plugin("a"), plugin("b")]));
        let names: Vec<_> = filters.iter().map(|filter| filter["name"].as_str().unwrap_or_default()).collect();
        assert_eq!(names, ["a", "b", "router"]);
        let config = &filters[0]["typed_config"]["config"];
        assert_eq!(config["root_id"], "a");
        assert_eq!(config["vm_config"]["configuration"]["value"], "AP8=");
        assert_eq!(config["vm_config"]["environment_variables"]["key_values"]["A"], "b");
    }

    #[test]
    fn a_plugin_alone_has_no_root_id() {
        assert_eq!(filters(&run(vec![plugin("a")]))[0]["typed_config"]["config"]["root_id"], "");
    }

    #[test]
    fn restricts_capabilities_and_sets_the_failure_policy() {
        let config = |plugin| filters(&run(vec![plugin]))[0]["typed_config"]["config"].clone();
        let free = config(plugin("a"));
        assert_eq!((&free["failure_policy"], free.get("capability_restriction_config")), (&json!("FAIL_CLOSED"), None));
        let restricted = |names: &[&str]| {
            let capabilities = Some(names.iter().map(|name| (*name).to_owned()).collect());
            config(
                plugin("a").set(|settings| (settings.failure, settings.capabilities) = (Failure::Open, capabilities)),
            )
        };
        let allowed = |names| restricted(names)["capability_restriction_config"]["allowed_capabilities"].clone();
        assert_eq!(restricted(&[])["failure_policy"], "FAIL_OPEN");
        assert_eq!(allowed(&["proxy_log"]), json!({ "proxy_log": {}, "none": {} }));
        assert_eq!(allowed(&[]), json!({ "none": {} }));
    }

    #[test]
    fn a_plugin_in_the_background_or_on_standby_is_on_no_listener() {
        let background = plugin("b").set(|settings| settings.background = true);
        let filters = filters(&run(vec![plugin("a"), background, plugin("c").set(|settings| settings.standby = true)]));
        let names: Vec<_> = filters.iter().map(|filter| filter["name"].as_str().unwrap_or_default()).collect();
        assert_eq!(names, ["a", "router"]);
    }

    #[test]
    fn a_scenario_with_connections_has_a_listener_of_its_own_kind() {
        let mut run = run(vec![plugin("a")]);
        run.steps = vec![Step::Connect { stream: 0 }];
        let listener = listener("l", &PORTS, &run, &[0]);
        assert_eq!(listener["address"], address(PORTS.tcp));
        let filters = &listener["filter_chains"][0]["filters"];
        assert_eq!((&filters[0]["name"], &filters[1]["name"]), (&json!("a"), &json!("tcp_proxy")));
    }

    #[test]
    fn the_bootstrap_names_every_upstream() {
        let bootstrap = bootstrap(&PORTS, Path::new("/l.json"), &[]);
        assert_eq!(bootstrap["dynamic_resources"]["lds_config"]["path_config_source"]["path"], "/l.json");
        let clusters = bootstrap["static_resources"]["clusters"].as_array().expect("is a list");
        let names: Vec<_> = clusters.iter().map(|cluster| cluster["name"].as_str().unwrap_or_default()).collect();
        assert_eq!(names, ["upstream", "upstream_http1", "dead", "auth", "callout"]);
    }

    /// The cluster that plugins know speaks HTTP/2, also where the client and the upstream do not.
    #[test]
    fn streams_of_http1_have_a_cluster_of_their_own() {
        let to = |http1| {
            let listener = listener("l", &PORTS, &Run { http1, ..run(vec![plugin("a")]) }, &[0]);
            let text = listener.to_string();
            ["\"cluster\":\"upstream\"", "\"cluster\":\"upstream_http1\""].map(|cluster| text.contains(cluster))
        };
        assert_eq!((to(false), to(true)), ([true, false], [false, true]));
    }
}
