//! What the language of case files says and how it is judged: repeated steps, optional callbacks, outcomes, ends of callbacks.

use pw_abi::Version;
use pw_cases::case::Case;
use pw_cases::format;
use pw_cases::judge::{Judgement, judge};
use pw_cases::scenario::Step;
use pw_cases::transcript::{Event, Part, Transcript};

const HEAD: &str = "title = \"t\"\nclause = [\"proxy_log/OK\"]\nlevel = \"required\"\n";
const REQUEST: &str = "[[step]]\nrequest_headers = [[\":method\", \"GET\"]]\n";

fn read(body: &str) -> Result<Case, String> {
    let module = |name: &str| Ok(format!("(module (func (export \"{name}\")))").into_bytes());
    format::parse("id", "f", &format!("{HEAD}{body}"), &module).map_err(|error| error.to_string())
}

#[track_caller]
fn case(body: &str) -> Case {
    read(body).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(body: &str, message: &str) {
    let error = read(body).map(drop).expect_err(body);
    assert!(error.contains(message), "{error}");
}

#[track_caller]
fn judged(case: &Case, events: Vec<Event>) -> Judgement {
    let lowered = case.lower(Version::V0_2_1).unwrap_or_else(|error| panic!("{error:?}"));
    judge(case, &lowered, &Transcript { events })
}

fn called(name: &str) -> Event {
    Event::Callback { plugin: "plugin".to_owned(), name: name.to_owned(), args: vec![2] }
}

fn returned(name: &str) -> Event {
    Event::Returned { plugin: "plugin".to_owned(), name: name.to_owned(), result: None }
}

fn answered(action: u32, status: u32) -> Event {
    Event::Call {
        plugin: "plugin".to_owned(),
        function: "proxy_log".to_owned(),
        args: Vec::new(),
        status,
        returned: Vec::new(),
        action: Some(action),
    }
}

fn created() -> Event {
    Event::Callback { plugin: "plugin".to_owned(), name: "proxy_on_context_create".to_owned(), args: vec![2, 1] }
}

fn status(code: &str) -> Event {
    let part = Part::Headers { headers: vec![(":status".into(), code.into())], end_of_stream: true };
    Event::Client { stream: 0, part }
}

fn texts(judgement: &Judgement) -> Vec<String> {
    judgement.findings.iter().map(|finding| format!("{} / {}", finding.expected, finding.actual)).collect()
}

#[test]
fn a_step_is_of_one_kind_and_has_that_kinds_keys() {
    refused(
        "[[step]]\nrequest_headers = []\nshutdown = true\n",
        "f:4: a step is either `request_headers` or `shutdown`",
    );
    refused("[[step]]\nstream = 1\n", "f:4: a step has one of start, request_headers");
    refused("[[step]]\nadvance = 1\nstream = 1\n", "f:6: a step with `advance` has no `stream`");
    refused("[[step]]\nconnect = true\nend_of_stream = true\n", "has no `end_of_stream`; it has stream");
    refused("[[step]]\nconnect = false\n", "f:5: expected true; leave the key out otherwise");
    refused("[[step]]\nadvance = 3600001\n", "expected a number from 0 to 3600000");
    refused("[[step]]\ncanary = \"plugin\"\nby = \"plugin\"\n", "`share` is missing");
}

#[test]
fn a_step_about_a_stream_comes_after_the_one_that_opens_it() {
    refused("[[step]]\nresponse_headers = []\n", "f:4: no earlier step opens stream 0");
    refused(&format!("{REQUEST}[[step]]\nrequest_body = \"\"\nstream = 1\n"), "f:6: no earlier step opens stream 1");
    case(&format!("{REQUEST}[[step]]\nresponse_headers = []\n"));
    case("[[step]]\nconnect = true\n[[step]]\nclient_reset = true\n[[step]]\nconnect = true\nstream = 1\n");
    refused(
        "[[step]]\nconnect = true\nstream = 3\n",
        "f:4: this step opens the stream after 0 others: write `stream = 0`",
    );
    refused(&format!("{REQUEST}{REQUEST}"), "f:6: this step opens the stream after 1 others: write `stream = 1`");
}

#[test]
fn a_repeated_step_is_done_that_many_times() {
    let case = case(&format!(
        "{REQUEST}[[step]]\nrequest_body = \"ab\"\nrepeat = 3\n[[step.guest]]\ncall = \"proxy_log\"\nargs = {{ log_level = 1, message = \"m\" }}\n"
    ));
    let lowered = case.lower(Version::V0_2_1).unwrap_or_else(|error| panic!("{error:?}"));
    let ends: Vec<bool> = lowered
        .scenario
        .steps
        .iter()
        .filter_map(|step| if let Step::RequestBody { end_of_stream, .. } = step { Some(*end_of_stream) } else { None })
        .collect();
    assert_eq!(ends, [false, false, true]);
    assert_eq!(lowered.calls.len(), 3);
    let large = "[[step]]\nrequest_body = { repeat = \"ab\", times = 100000 }\nrepeat = 1000\n";
    refused(&format!("{REQUEST}{large}"), "f:8: the steps of this case that have `repeat` take more than");
    refused("[[step]]\nadvance = 1\nrepeat = 0\n", "expected a number from 1 to 10000");
}

#[test]
fn a_repeated_step_opens_another_stream_each_time() {
    let case = case(&format!("{REQUEST}repeat = 3\n[[step]]\nconnect = true\nstream = 3\n"));
    let lowered = case.lower(Version::V0_2_1).unwrap_or_else(|error| panic!("{error:?}"));
    let streams: Vec<Option<u32>> = lowered.scenario.steps.iter().map(Step::stream).collect();
    assert_eq!(streams, [0, 1, 2, 3].map(Some));
}

#[test]
fn slips_of_a_writer_are_explained() {
    let plugins = "[[plugin]]\nname = \"one\"\n[[plugin]]\nname = \"two\"\n";
    let block = |text: &str| format!("{REQUEST}[[step.guest]]\n{text}\n");
    let call = |args: &str| block(&format!("call = \"proxy_set_effective_context\"\nargs = {{ {args} }}"));
    let saves = |more: &str| {
        let define =
            "call = \"proxy_define_metric\"\nargs = { metric_type = 0, name = \"m\" }\nsave = { metric_id = \"m\" }";
        format!("{plugins}{}[[step.guest]]\n{more}\n", block(define))
    };
    let get = "call = \"proxy_get_metric\"\nargs = { metric_id = { saved = \"m\" } }";
    let rows = [
        (saves(&format!("plugin = \"two\"\n{get}")), "`m` was saved by plugin `one`"),
        (saves(&get.replace("\"m\"", "\"n\"")), "nothing was saved as `n` before"),
        (saves(&format!("{get}\nreturned = {{ value = {{ same_as = \"n\" }} }}")), "nothing is saved as `n`"),
        (call("context_id = { save = \"m\" }"), "expected a number, or { saved = \"name\" }"),
        (call("context_id = 1, status_code = 1"), "proxy_set_effective_context has no parameter `status_code`"),
        (
            block("call = \"proxy_log\"\nargs = { log_level = 1, message_data = 1 }"),
            "`message_data` is one half of `message`",
        ),
        (block("call = \"proxy_done\"\nexpect = { value = 1 }"), "expected a status such as `\"OK\"`"),
        (block("call = \"proxy_done\"\nreturns = { value = 1 }"), "write `returned` for what the call returns"),
        (block("returns = \"PAUSE\"\n[[step.guest]]\ncall = \"proxy_done\""), "has returned already"),
        ("[[step]]\ncall_response = 200\n".to_owned(), "expected fields: [[name, value], …]"),
        (format!("{REQUEST}exp = 1\n"), "did you mean `expect`?"),
        ("abi = \">=0.2.0\"\n".to_owned(), "a range is written `0.2.0..`"),
        (
            "[expect]\nclient = [{ status = 200, answer = \"tken\" }]\n[outcome.taken]\n[outcome.refused]\n".to_owned(),
            "the answer `tken` is not the outcome `taken`",
        ),
    ];
    for (body, message) in rows {
        refused(&body, message);
    }
}

#[test]
fn a_call_is_due_in_the_step_that_causes_its_callback() {
    let case = case(&format!(
        "{REQUEST}[[step.guest]]\ncall = \"proxy_log\"\nargs = {{ log_level = 1, message = \"m\" }}\n[[step]]\nadvance = 1\n"
    ));
    let name = "proxy_on_request_headers";
    let call = || vec![created(), called(name), answered(0, 0), returned(name)];
    let step = |index| vec![Event::Step { index }];
    assert_eq!(texts(&judged(&case, [step(0), call(), step(1)].concat())), Vec::<String>::new());
    let late = judged(&case, [step(0), step(1), call()].concat());
    assert_eq!(texts(&late), ["the call in step 1 (request_headers) / the call in step 2 (advance)"]);
}

#[test]
fn an_optional_callback_may_be_left_out() {
    let body = |more: &str| {
        format!(
            "{REQUEST}[[step.guest]]\nin = \"proxy_on_done\"\noptional = true\ncall = \"proxy_log\"\n\
             args = {{ log_level = 1, message = \"m\" }}\n{more}[expect]\nnever = [\"proxy_on_tick\"]\n"
        )
    };
    let optional = case(&body(""));
    let begun = vec![Event::Step { index: 0 }];
    assert_eq!(texts(&judged(&optional, begun.clone())), Vec::<String>::new());
    let wrong = vec![created(), called("proxy_on_done"), answered(0, 2), returned("proxy_on_done")];
    assert_eq!(texts(&judged(&optional, [begun, wrong].concat())), ["OK / BAD_ARGUMENT"]);
    let again = "[[step]]\nclient_reset = true\n[[step.guest]]\nin = \"proxy_on_done\"\nreturns = true\n";
    refused(&body(again), "f:6: an optional callback must be the plugin's last one of that name");
}

#[test]
fn one_of_the_outcomes_holds_in_full() {
    let case = case(&format!(
        "abi = \"0.2.1\"\n{REQUEST}[[step.guest]]\ncall = \"proxy_log\"\nargs = {{ log_level = 1, message = \"m\" }}\n\
         accept = [{{ expect = \"OK\", answer = \"taken\" }}, {{ expect = \"BAD_ARGUMENT\", answer = \"refused\" }}]\n\
         [expect]\nclient = [{{ status = 200, answer = \"taken\" }}, {{ status = 500, answer = \"refused\" }}]\n\
         [outcome.taken]\nnever = [\"proxy_on_tick\"]\n[outcome.refused]\norder = [\"proxy_on_request_headers\"]\n"
    ));
    let name = "proxy_on_request_headers";
    let seen = |answer, code| {
        vec![Event::Step { index: 0 }, created(), called(name), answered(0, answer), returned(name), status(code)]
    };
    let taken = judged(&case, seen(0, "200"));
    assert_eq!((texts(&taken), taken.answers), (Vec::new(), vec!["taken".to_owned()]));
    let refused = judged(&case, seen(2, "500"));
    assert_eq!((texts(&refused), refused.answers), (Vec::new(), vec!["refused".to_owned()]));
    let mixed = judged(&case, seen(0, "500"));
    assert_eq!(texts(&mixed), ["status 200, in the outcome `taken` / header :status: \"500\""]);
    let ticks = judged(&case, [seen(0, "200"), vec![called("proxy_on_tick")]].concat());
    assert_eq!(ticks.findings.len(), 1, "{ticks:?}");
}

#[test]
fn every_outcome_has_an_alternative() {
    let body = "[expect]\nclient = [{ status = 200, answer = \"taken\" }]\n[outcome.taken]\n[outcome.refused]\n";
    refused(body, "f:5: none of these is acceptable in the outcome `refused`");
}

#[test]
fn the_end_of_a_callback_has_a_place_in_an_order() {
    let case = case("[expect]\norder = [\"proxy_on_tick\", \"proxy_on_done\", \"proxy_on_tick returned\"]\n");
    let nested =
        vec![called("proxy_on_tick"), called("proxy_on_done"), returned("proxy_on_done"), returned("proxy_on_tick")];
    let after =
        vec![called("proxy_on_tick"), returned("proxy_on_tick"), called("proxy_on_done"), returned("proxy_on_done")];
    let order = |events| {
        judged(&case, events).findings.iter().filter(|finding| finding.subject == "order of callbacks").count()
    };
    assert_eq!((order(nested), order(after)), (0, 1));
    refused("[expect]\norder = [\"proxy_on_tock returned\"]\n", "unknown callback `proxy_on_tock`");
    refused("[expect]\nnever = [\"proxy_on_tick returned\"]\n", "unknown callback");
}

#[test]
fn a_case_is_of_the_version_that_its_module_is_marked_with() {
    let versions = |module: &str| case(&format!("[[plugin]]\nmodule = \"{module}\"\n")).versions;
    assert_eq!(versions("proxy_abi_version_0_2_0.wat"), [Version::V0_2_0]);
    assert_eq!(versions("proxy_abi_version_0_1_0"), [Version::V0_1_0]);
    assert_eq!(versions("other.wat"), Version::FINAL);
}
