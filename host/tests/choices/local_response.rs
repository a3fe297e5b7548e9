//! Local responses go through the callbacks for responses, once.

use pw_host::{Choices, Effect, FailurePolicy, Fields, Limits, Piece, PluginConfig, ProxyConfig, StreamInfo};

use super::config;
use super::support::{Act, World, body, client, count, ends, lines, resets_upstream, text};

const REQUEST: &str = "proxy_on_request_headers";
const HEADERS: &str = "proxy_on_response_headers";
const BODY: &str = "proxy_on_response_body";
const DENY: Act<'_> = Act::Respond(403, &[], b"no", -1);

fn defaults() -> ProxyConfig {
    config(Choices::default())
}

fn denied() -> Vec<String> {
    [":status: 403", "content-length: 2", "content-type: text/plain"].map(str::to_owned).to_vec()
}

#[test]
fn goes_through_the_plugins_that_the_request_has_reached_or_none() {
    let seen = |name, more: &[(&str, &[Act<'_>])]| {
        let mine: [(&str, &[Act<'_>]); 1] = [(HEADERS, &[Act::Log(name), Act::Add("x-seen-by", name)])];
        text(&[&mine, more].concat())
    };
    let plugins = [seen("first", &[]), seen("second", &[(REQUEST, &[DENY])]), seen("third", &[])];
    for (local_response_callbacks, names) in [(true, &["second", "first"][..]), (false, &[])] {
        let choices = Choices { local_response_callbacks, ..Choices::default() };
        let mut world = World::chain(config(choices), &plugins);
        let effects = world.request(&[], true);
        assert_eq!(lines(&effects), names);
        let (headers, text, end) = client(&effects);
        let added = names.iter().map(|name| format!("x-seen-by: {name}"));
        assert_eq!((headers, &text[..], end), (denied().into_iter().chain(added).collect(), "no", true));
        assert_eq!((ends(&effects), resets_upstream(&effects)), (1, 0));
    }
}

#[test]
fn a_local_response_to_every_response_replaces_its_own_once() {
    let again = Act::Respond(418, &[], b"again", -1);
    let rows: [&[(&str, &[Act<'_>])]; 2] =
        [&[(REQUEST, &[DENY]), (HEADERS, &[again, again])], &[(REQUEST, &[DENY]), (BODY, &[again])]];
    for acts in rows {
        let chain = [text(&[(HEADERS, &[Act::Log("first")])]), text(acts)];
        let effects = World::chain(defaults(), &chain).request(&[], true);
        let (headers, text, end) = client(&effects);
        assert_eq!((&headers[0][..], &text[..], end, ends(&effects)), (":status: 418", "again", true, 1));
        assert!(lines(&effects).len() <= 1, "the second one has callbacks: {effects:?}");
    }
}

#[test]
fn replaces_a_response_of_the_upstream_without_callbacks() {
    let chain = [text(&[(HEADERS, &[Act::Log("first")])]), text(&[(HEADERS, &[DENY])])];
    let mut world = World::chain(defaults(), &chain);
    world.request(&[], true);
    world.proxy.response(world.stream, Piece::headers(Fields::from([(":status", "200")]), false));
    let effects = world.effects();
    assert_eq!((client(&effects).0, lines(&effects)), (denied(), vec![]));
    assert_eq!((ends(&effects), resets_upstream(&effects)), (1, 1));
}

#[test]
fn replaces_an_informational_response_that_is_paused() {
    let acts: [(&str, &[Act<'_>]); 2] =
        [(HEADERS, &[Act::Log("seen"), Act::Pause]), ("proxy_on_foreign_function", &[])];
    let gate = text(&acts);
    let early = text(&[("proxy_on_request_body", &[DENY])]);
    let mut world = World::chain(defaults(), &[gate, early]);
    world.request(&[(":method", "POST")], false);
    world.proxy.response(world.stream, Piece::headers(Fields::from([(":status", "103")]), false));
    assert_eq!(lines(&world.effects()), ["seen"]);
    world.proxy.request(world.stream, body("x", true));
    let effects = world.effects();
    assert_eq!((lines(&effects), client(&effects).0), (vec!["seen".to_owned()], vec![]), "it is not paused");
    assert_eq!(resets_upstream(&effects), 1);
    world.proxy.downstream_reset(world.stream);
    let effects = world.effects();
    assert_eq!((ends(&effects), resets_upstream(&effects)), (1, 0), "the upstream was reset already");
}

/// A chain whose second plugin sends a local response at the body of a request of which the upstream has the headers, and whose first
/// plugin pauses at the headers of that response, or at its body.
fn paused(at: &str) -> (World, Vec<Effect>) {
    let gate = text(&[(at, &[Act::Pause]), ("proxy_on_foreign_function", &[Act::Continue(2)])]);
    let mut world = World::chain(defaults(), &[gate, text(&[("proxy_on_request_body", &[DENY])])]);
    let mut effects = world.request(&[(":method", "POST")], false);
    world.proxy.request(world.stream, body("a", false));
    effects.extend(world.effects());
    assert_eq!((client(&effects).0, resets_upstream(&effects)), (vec![], 1));
    (world, effects)
}

#[test]
fn drops_pieces_that_come_after_a_local_response() {
    for at in [HEADERS, BODY] {
        let (mut world, _) = paused(at);
        let stream = world.stream;
        world.proxy.request(stream, body("b", true));
        world.proxy.response(stream, Piece::headers(Fields::from([(":status", "200")]), false));
        world.proxy.response(stream, body("secret", true));
        world.proxy.upstream_reset(stream);
        assert_eq!(world.effects(), []);
        world.proxy.foreign_function(world.plugins[0], 0, "");
        let effects = world.effects();
        assert_eq!(client(&effects), (denied(), "no".to_owned(), true), "{at}");
        assert_eq!((ends(&effects), resets_upstream(&effects)), (1, 0), "{at}");
    }
}

#[test]
fn a_client_reset_ends_a_stream_with_a_local_response() {
    for at in [HEADERS, BODY] {
        let (mut world, _) = paused(at);
        world.proxy.downstream_reset(world.stream);
        let effects = world.effects();
        assert_eq!((effects.len(), ends(&effects)), (1, 1), "{effects:?}");
    }
}

#[test]
fn a_crash_at_it_fails_the_stream_as_the_policy_says() {
    let denies = text(&[(REQUEST, &[DENY])]);
    for at in [HEADERS, BODY] {
        for (open, expected) in [(false, vec![":status: 503".to_owned()]), (true, denied())] {
            let failure = FailurePolicy { open, ..FailurePolicy::default() };
            let faults = (&*text(&[(at, &[Act::Trap])]), PluginConfig { failure, ..PluginConfig::default() });
            let chain = [faults, (&denies, PluginConfig::default())];
            let mut world = World::new(defaults(), StreamInfo::default(), &chain);
            let effects = world.request(&[], true);
            assert_eq!((client(&effects).0, ends(&effects)), (expected, 1), "{at} {open}");
        }
    }
}

#[test]
fn has_the_length_of_the_changed_body() {
    let chain = [text(&[(BODY, &[Act::Body("much longer")])]), text(&[(REQUEST, &[DENY])])];
    let off = Choices { local_response_content_length: false, ..Choices::default() };
    for (choices, expected) in [(Choices::default(), Some("content-length: 11")), (off, None)] {
        let effects = World::chain(config(choices), &chain).request(&[], true);
        let (headers, text, _) = client(&effects);
        let length = headers.iter().find(|field| field.starts_with("content-length"));
        assert_eq!((length.map(|field| &field[..]), &text[..]), (expected, "much longer"));
    }
}

#[test]
fn counts_towards_the_limits_of_a_plugin() {
    let denies = text(&[(REQUEST, &[DENY])]);
    let seen = text(&[(HEADERS, &[Act::Log("headers")]), (BODY, &[Act::Log("body")])]);
    let check = |limits| {
        let limited = PluginConfig { limits, ..PluginConfig::default() };
        let chain = [(&seen[..], limited), (&denies, PluginConfig::default())];
        World::new(defaults(), StreamInfo::default(), &chain).request(&[], true)
    };
    let effects = check(Limits { held: 1, ..Limits::default() });
    let cut = count(&effects, |effect| matches!(effect, Effect::ResetDownstream { .. }));
    assert_eq!((client(&effects).0, cut, ends(&effects)), (vec![], 1, 1), "it exceeds the limit");
    let effects = check(Limits { callbacks_per_event: 1, ..Limits::default() });
    assert_eq!((lines(&effects).len(), client(&effects).0), (2, denied()), "what is left waits for later events");
}

#[test]
fn is_released_at_the_end() {
    for at in [HEADERS, BODY] {
        let (mut world, _) = paused(at);
        assert!(world.proxy.usage().charged > 0, "what is buffered is not charged");
        world.proxy.downstream_reset(world.stream);
        world.effects();
        assert_eq!(world.proxy.usage().charged, 0);
    }
}
