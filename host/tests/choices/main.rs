//! Both answers to each open question of the specification.

mod local_response;
mod properties;
mod support;

use pw_host::{Choices, Effect, PluginConfig, ProxyConfig, StreamInfo};

use support::{Act, World, client, lines, text};

fn config(choices: Choices) -> ProxyConfig {
    ProxyConfig { choices, ..ProxyConfig::default() }
}

/// The local response of a plugin to a request with these fields.
#[track_caller]
fn answer(choices: Choices, request: &[(&str, &str)], respond: Act<'_>) -> (Vec<String>, String) {
    let mut world = World::chain(config(choices), &[text(&[("proxy_on_request_headers", &[respond])])]);
    let (headers, body, end) = client(&world.request(request, true));
    assert!(end, "it does not end");
    (headers, body)
}

#[test]
fn addresses_with_or_without_ports() {
    let paths = ["source\0address", "destination\0address", "upstream\0address", "upstream\0local_address"];
    let plugin = text(&[("proxy_on_request_headers", &paths.map(Act::Get))]);
    let rows = [
        (true, ["192.0.2.1:1", "[2001:db8::2]:2", "192.0.2.3:3", "[::4]:4"]),
        (false, ["192.0.2.1", "2001:db8::2", "192.0.2.3", "::4"]),
    ];
    for (addresses_with_ports, expected) in rows {
        let info = StreamInfo {
            source: "192.0.2.1:1".parse().ok(),
            destination: "[2001:db8::2]:2".parse().ok(),
            upstream: "192.0.2.3:3".parse().ok(),
            upstream_local: "[::4]:4".parse().ok(),
            ..StreamInfo::default()
        };
        let choices = Choices { addresses_with_ports, ..Choices::default() };
        let mut world = World::new(config(choices), info, &[(&plugin, PluginConfig::default())]);
        assert_eq!(lines(&world.request(&[], true)), expected);
    }
}

#[test]
fn proxy_on_log_for_plugin_contexts_or_not() {
    let callbacks = ["proxy_on_done", "proxy_on_log", "proxy_on_delete"];
    let acts = callbacks.map(|name| [Act::Log(name)]);
    let plugin = text(&[(callbacks[0], &acts[0]), (callbacks[1], &acts[1]), (callbacks[2], &acts[2])]);
    for log_plugin_contexts in [true, false] {
        let choices = Choices { log_plugin_contexts, ..Choices::default() };
        let mut world = World::chain(config(choices), std::slice::from_ref(&plugin));
        world.proxy.downstream_reset(world.stream);
        assert_eq!(lines(&world.effects()), callbacks, "the context of a stream is logged in either case");
        world.proxy.remove_plugin(world.plugins[0]);
        let expected = callbacks.into_iter().filter(|name| log_plugin_contexts || *name != "proxy_on_log");
        assert_eq!(lines(&world.effects()), expected.collect::<Vec<_>>());
    }
}

#[test]
fn grpc_local_responses_or_not() {
    const GRPC: (&str, &str) = ("content-type", "application/grpc+proto");
    let given = [("x-why", "denied"), ("content-type", "text/html"), ("content-length", "7")];
    let plain = ["x-why: denied", "content-type: text/html", "content-length: 3"].map(str::to_owned);
    let respond = |status| Act::Respond(403, &given, b"no\n", status);
    let choices = Choices::default();

    let (headers, body) = answer(choices, &[(":method", "POST"), GRPC], respond(7));
    let grpc = ["x-why: denied", "content-type: application/grpc", "grpc-status: 7", "grpc-message: no%0A"];
    assert_eq!((&headers[0][..], body), (":status: 200", String::new()));
    assert_eq!(headers[1..], grpc);

    let ignored = Choices { grpc_local_responses: false, ..choices };
    let rows: [(_, &[(&str, &str)], _); 3] =
        [(choices, &[GRPC], -1), (choices, &[("content-type", "application/json")], 7), (ignored, &[GRPC], 7)];
    for (choices, request, status) in rows {
        let (headers, body) = answer(choices, request, respond(status));
        assert_eq!((&headers[0][..], &body[..]), (":status: 403", "no\n"), "{request:?} {status}");
        assert_eq!(headers[1..], plain, "{request:?} {status}");
    }
}

#[test]
fn a_local_response_with_added_or_only_given_length_and_type() {
    let bare =
        Choices { local_response_content_length: false, local_response_content_type: false, ..Choices::default() };
    type Row = (&'static [(&'static str, &'static str)], &'static [&'static str], &'static [&'static str]);
    let given: [Row; 3] = [
        (&[], &["content-length: 6", "content-type: text/plain"], &[]),
        (&[("content-length", "2")], &["content-length: 6", "content-type: text/plain"], &["content-length: 6"]),
        (
            &[("content-type", "text/html")],
            &["content-type: text/html", "content-length: 6"],
            &["content-type: text/html"],
        ),
    ];
    for (headers, by_default, otherwise) in given {
        for (choices, expected) in [(Choices::default(), by_default), (bare, otherwise)] {
            for (method, body) in [("GET", "denied"), ("HEAD", "")] {
                let found = answer(choices, &[(":method", method)], Act::Respond(403, headers, b"denied", -1));
                assert_eq!(found.0[1..], *expected, "{method} {headers:?}");
                assert_eq!(found.1, body, "{method} {headers:?}");
            }
        }
    }
    for (status, body) in [(403, &b""[..]), (204, b"denied")] {
        let found = answer(Choices::default(), &[], Act::Respond(status, &[], body, -1));
        assert_eq!(found, (vec![format!(":status: {status}")], String::new()), "there is no body");
    }
}

#[test]
fn reports_a_local_response_of_a_log_only_plugin_with_what_its_callbacks_add() {
    let acts: [(&str, &[Act<'_>]); 2] = [
        ("proxy_on_request_headers", &[Act::Respond(403, &[], b"no", -1)]),
        ("proxy_on_response_headers", &[Act::Add("x-cors", "yes")]),
    ];
    for (local_response_callbacks, adds) in [(true, true), (false, false)] {
        let choices = Choices { local_response_callbacks, ..Choices::default() };
        let log_only = PluginConfig { log_only: true, ..PluginConfig::default() };
        let mut world = World::new(config(choices), StreamInfo::default(), &[(&text(&acts), log_only)]);
        let effects = world.request(&[], true);
        let discarded = effects.iter().find_map(|effect| match effect {
            Effect::Discarded { what: pw_host::Discarded::Answer { headers }, .. } => Some(headers),
            _ => None,
        });
        assert_eq!(discarded.map(|headers| headers.get(b"x-cors").is_some()), Some(adds), "{effects:?}");
        assert_eq!(client(&effects).0, Vec::<String>::new());
    }
}
