//! A case that passes has asserted something: a case without an assertion is not a case, and what is not excused is found.

use pw_abi::Version;
use pw_cases::case::Case;
use pw_cases::format;
use pw_cases::judge::judge;
use pw_cases::transcript::{Event, Part, Transcript};

const HEAD: &str = "title = \"t\"\nclause = [\"proxy_log/OK\"]\nlevel = \"required\"\nabi = \"0.2.1\"\n";

fn read(body: &str) -> Result<Case, String> {
    let module = |_: &str| Ok(b"(module (func (export \"$marker\")))".to_vec());
    format::parse("id", "f", &format!("{HEAD}{body}"), &module).map_err(|error| error.to_string())
}

#[test]
fn expectations_that_say_nothing_are_errors() {
    #[track_caller]
    fn check(body: &str, message: &str) {
        let error = read(body).map(drop).expect_err(body);
        assert!(error.starts_with(message), "{error}");
    }
    let call = "[[step]]\nstart = true\n[[step.guest]]\nin = \"proxy_on_configure\"\ncall = \"proxy_get_shared_data\"\n\
        args = { key = \"k\" }\n";
    for empty in ["order = []", "never = []", "log = []", "arguments = []", "client = []", "start = []", "fault = []"] {
        check(&format!("[expect]\n{empty}\n"), "f:6: the list is empty");
    }
    for empty in ["expect = []", "accept = []"] {
        check(&format!("{call}{empty}\n"), "f:11: the list is empty");
    }
    for other in [
        "never = [\"second/proxy_on_log\"]",
        "callbacks = [\"second/proxy_on_log\"]",
        "log = [{ plugin = \"second\" }]",
    ] {
        check(&format!("[expect]\n{other}\n"), "f:6: no plugin `second`");
    }
    check(&format!("{call}expect = \"NOT_FOUND\"\nreturned = {{ value = \"x\" }}\n"), "f:7: what a call that fails");
    check(
        "[[step]]\nstart = true\n[[step.guest]]\nin = \"proxy_on_configure\"\ntrap = false\n",
        "f:7: what the guest does",
    );
    assert!(read("[expect]\ncallbacks = []\ncalls = []\n").is_ok(), "none of these is an expectation");
    assert!(read(&format!("{call}expect = \"NOT_FOUND\"\nreturned = {{ value = \"untouched\" }}\n")).is_ok());
}

#[test]
fn a_fault_is_excused_where_the_case_says_so_and_nowhere_else() {
    #[track_caller]
    fn check(body: &str, faults: &[(u32, &str)], findings: &[&str]) {
        let plugins =
            "[[plugin]]\nname = \"one\"\nmodule = \"m.wat\"\n[[plugin]]\nname = \"two\"\nmodule = \"m.wat\"\n";
        let case = read(&format!("{plugins}{body}")).unwrap_or_else(|error| panic!("{error}"));
        let lowered = case.lower(Version::V0_2_1).unwrap_or_else(|error| panic!("{error:?}"));
        let mut events = Vec::new();
        for index in 0..lowered.scenario.steps.len() as u32 {
            events.push(Event::Step { index });
            for (_, plugin) in faults.iter().filter(|(step, _)| *step == index) {
                events.push(Event::Fault { plugin: (*plugin).to_owned(), reason: "trapped".to_owned() });
            }
        }
        let found: Vec<String> =
            judge(&case, &lowered, &Transcript { events }).findings.into_iter().map(|finding| finding.actual).collect();
        assert_eq!(found, findings, "{body}");
    }
    let steps = "[[step]]\nadvance = 1\nSAYS[[step]]\nadvance = 1\n";
    let first = |says: &str| steps.replace("SAYS", &format!("[step.expect]\nfault = {says}\n"));
    check(&first("true"), &[(0, "one")], &[]);
    check(&first("true"), &[(0, "one"), (1, "two")], &["two: trapped"]);
    check(&first("true"), &[(1, "one")], &["one: trapped", "none"]);
    check(&first("false"), &[(1, "one")], &["one: trapped"]);
    check(&first("false"), &[(0, "one")], &["trapped"]);
    check(&steps.replace("SAYS", ""), &[(1, "two")], &["two: trapped"]);
    check(&(steps.replace("SAYS", "") + "[expect]\nfault = true\n"), &[(0, "one"), (1, "two")], &[]);
}

#[test]
fn a_scripted_trap_excuses_its_plugin_alone() {
    let plugins = "[[plugin]]\nname = \"one\"\n[[plugin]]\nname = \"two\"\n";
    let body = "[[step]]\nstart = true\n[[step.guest]]\nin = \"proxy_on_tick\"\ntrap = true\n[[step]]\nadvance = 1\n";
    let case = read(&format!("{plugins}{body}")).unwrap_or_else(|error| panic!("{error}"));
    let lowered = case.lower(Version::V0_2_1).unwrap_or_else(|error| panic!("{error:?}"));
    let fault = |plugin: &str| Event::Fault { plugin: plugin.to_owned(), reason: "trapped".to_owned() };
    let created = |plugin: &str| Event::Callback {
        plugin: plugin.to_owned(),
        name: "proxy_on_context_create".to_owned(),
        args: vec![1, 0],
    };
    let tick = Event::Callback { plugin: "one".to_owned(), name: "proxy_on_tick".to_owned(), args: vec![1] };
    let events = vec![created("one"), created("two"), Event::Step { index: 0 }, tick, fault("one")];
    assert_eq!(judge(&case, &lowered, &Transcript { events: events.clone() }).findings, []);
    let events = [events, vec![fault("two")]].concat();
    let findings = judge(&case, &lowered, &Transcript { events }).findings;
    assert_eq!(findings.iter().map(|finding| finding.actual.as_str()).collect::<Vec<_>>(), ["two: trapped"]);
}

#[test]
fn arguments_are_compared_with_the_first_plugins_contexts() {
    #[track_caller]
    fn check(context: &str, seen: u32, holds: bool) {
        let plugins =
            "[[plugin]]\nname = \"one\"\nmodule = \"m.wat\"\n[[plugin]]\nname = \"two\"\nmodule = \"m.wat\"\n";
        let expect = format!(
            "[expect]\narguments = [{{ callback = \"proxy_on_log\", context_id = {{ same_as = \"{context}\" }} }}]\n"
        );
        let case = read(&format!("{plugins}{expect}")).unwrap_or_else(|error| panic!("{error}"));
        let lowered = case.lower(Version::V0_2_1).unwrap_or_else(|error| panic!("{error:?}"));
        let called = |plugin: &str, name: &str, args: &[u32]| Event::Callback {
            plugin: plugin.to_owned(),
            name: name.to_owned(),
            args: args.to_vec(),
        };
        let mut events: Vec<Event> =
            [("one", [1, 0]), ("two", [4, 0]), ("one", [2, 1]), ("one", [3, 1]), ("two", [5, 4])]
                .map(|(plugin, args)| called(plugin, "proxy_on_context_create", &args))
                .into();
        events.push(called("one", "proxy_on_log", &[seen]));
        let found = judge(&case, &lowered, &Transcript { events }).findings;
        assert_eq!(found.is_empty(), holds, "{context} {seen}: {found:?}");
    }
    check("plugin_context", 1, true);
    check("plugin_context", 4, false);
    check("stream_context", 3, true);
    check("stream_context", 2, false);
    check("stream_context", 5, false);
}

#[test]
fn a_message_has_one_head_and_nothing_after_its_end() {
    let steps = "[[step]]\nrequest_headers = [[\":method\", \"GET\"]]\n[[step]]\nstream = 1\nconnect = true\n\
        [expect]\nnever = [\"proxy_on_tick\"]\n";
    let case = read(steps).unwrap_or_else(|error| panic!("{error}"));
    let lowered = case.lower(Version::V0_2_1).unwrap_or_else(|error| panic!("{error:?}"));
    let head = |end_of_stream| Part::Headers { headers: vec![(":method".into(), "GET".into())], end_of_stream };
    let status =
        |status: &str| Part::Headers { headers: vec![(":status".into(), status.into())], end_of_stream: false };
    let body = |end_of_stream| Part::Body { body: "x".into(), end_of_stream };
    let like_a_head = Part::Headers { headers: vec![(":path".into(), "/".into())], end_of_stream: true };
    let upstream = |part| Event::Upstream { stream: 0, part };
    let client = |part| Event::Client { stream: 0, part };
    let connection = |part| Event::Upstream { stream: 1, part };
    let rows = [
        (vec![upstream(head(false)), upstream(body(true))], None),
        (vec![upstream(head(false)), upstream(body(false)), upstream(like_a_head)], None),
        (vec![client(status("103")), client(status("200")), client(Part::Reset)], None),
        (vec![connection(Part::Opened), connection(body(false)), connection(body(true))], None),
        (vec![upstream(head(false)), upstream(head(false))], Some("a second head")),
        (vec![client(status("200")), client(status("200"))], Some("a second head")),
        (vec![upstream(head(true)), upstream(body(true))], Some("more after its end")),
        (vec![connection(body(true)), connection(body(false))], Some("more after its end")),
        (vec![client(Part::Reset), client(status("200"))], Some("more after its end")),
        (vec![upstream(body(false))], Some("a part before its head")),
    ];
    for (seen, expected) in rows {
        let begun = [Event::Step { index: 0 }, Event::Step { index: 1 }];
        let events: Vec<Event> = begun.into_iter().chain(seen).collect();
        let text = format!("{events:?}");
        let found: Vec<String> =
            judge(&case, &lowered, &Transcript { events }).findings.into_iter().map(|finding| finding.actual).collect();
        match expected {
            None => assert!(found.is_empty(), "{found:?} in {text}"),
            Some(expected) => assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?} in {text}"),
        }
    }
}
