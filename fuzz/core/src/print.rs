//! Scenarios as case files, in the form that `cases/catalog/readme.toml` describes: what is read back is the same
//! scenario. What a file expects is what is given for each call, and what a finding wants.

mod plugin;
pub(crate) mod sent;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use pw_cases::data::Data;
use pw_cases::language::{self, text};
use pw_cases::scenario::{Guest, Scenario, Step};
use pw_cases::script::{self, Act, Action, MEMORY_END};
use pw_cases::transcript::Returned;

use self::values::{args, returned, saved};
use crate::canonical::{places, script_of};
use crate::generate::ALLOCATOR;
use crate::model::{Finding, Out, Wanted, Wrong};
use crate::share::homes;

/// The case file of a finding: it fails where the finding was made. `answers` are the statuses that the other calls got,
/// by action; none where the guest ended. `called` are the callbacks of the last step, by the plugin.
pub fn case(
    scenario: &Scenario,
    finding: &Finding,
    answers: &[(u32, Option<u32>)],
    called: &[(usize, &'static str)],
) -> String {
    let mut statuses = Answers::new();
    answers.iter().for_each(|(id, status)| {
        statuses.entry(*id).or_default().push(*status);
    });
    let answers = statuses;
    let open = matches!(&finding.wanted, Some(Wanted::Answer(_, Wrong { open: true, .. })));
    let mut head = format!("title = {}\nclause = [{}]\n", text(&finding.message), text(&clause(scenario, finding)));
    head += match open {
        true => "level = \"unspecified\"\nquestion = \"Is this a choice that hosts have?\"\n",
        false => "level = \"required\"\n",
    };
    let _ = writeln!(head, "abi = \"{}\"\nwhy = \"found by fuzzing\"", version(scenario));
    let mut scenario = scenario.clone();
    if is_for_nothing(finding)
        && let Some(plugin) = finding.plugin.and_then(|plugin| scenario.plugins.get_mut(plugin))
        && let Some(script) = script_of(plugin)
    {
        script.report_allocations = true;
    }
    head + &body(&scenario, Some(finding), &answers) + &expected(&scenario, finding, called)
}

/// Whether the host has called an allocator for no bytes, which only the allocator's own report shows.
fn is_for_nothing(finding: &Finding) -> bool {
    let Some(Wanted::Answer(_, Wrong { open: true, returned: Some((_, value)), .. })) = &finding.wanted else {
        return false;
    };
    matches!(value, Returned::Bytes(bytes) if bytes.0.is_empty())
}

/// The case file of a scenario, which takes any status.
pub fn any(scenario: &Scenario) -> String {
    let choices: Vec<String> = scenario.choices.iter().map(|(name, answer)| format!("{name} = {answer}")).collect();
    let (level, choices) = match &choices[..] {
        [] => ("required", String::new()),
        some => ("extension", format!("choices = {{ {} }}\n", some.join(", "))),
    };
    let head = format!(
        "title = \"generated\"\nclause = [\"#integration\"]\nlevel = \"{level}\"\nabi = \"{}\"\n{choices}",
        version(scenario)
    );
    head + &body(scenario, None, &Answers::new())
}

fn version(scenario: &Scenario) -> &'static str {
    let script = scenario.plugins.iter().find_map(|plugin| plugin.guest.script());
    script.map_or("0.2.1", |script| script.version.name())
}

/// The function or the callback that a finding is about, or else a heading.
fn clause(scenario: &Scenario, finding: &Finding) -> String {
    let name = match &finding.wanted {
        Some(Wanted::Answer(id, _)) => actions(scenario).find(|action| action.id == *id).map(function),
        Some(Wanted::Never(name) | Wanted::Due(name) | Wanted::Argument(name, ..)) => Some(*name),
        Some(Wanted::Metric(..)) => Some("#metrics"),
        _ => script::callbacks().map(|row| row.name).find(|name| finding.about == *name),
    };
    let heading = match finding.about.as_str() {
        "isolation" => "#security-considerations",
        "gRPC" => "#grpc_calls",
        "callout" | "callout trailers" => "#http_calls",
        _ => "#http_streams",
    };
    name.unwrap_or(heading).to_owned()
}

fn actions(scenario: &Scenario) -> impl Iterator<Item = &Action> {
    scenario.plugins.iter().filter_map(|plugin| plugin.guest.script()).flat_map(|script| script.actions())
}

fn function(action: &Action) -> &'static str {
    match &action.act {
        Act::Call { function, .. } => function.name,
        Act::Trap => "#plugin-crashes",
    }
}

/// What each action was answered each time; more than once where a guest was started again.
type Answers = BTreeMap<u32, Vec<Option<u32>>>;

fn body(scenario: &Scenario, finding: Option<&Finding>, answers: &Answers) -> String {
    let homes = homes(&scenario.plugins);
    let plugins = scenario.plugins.iter().enumerate();
    let with_home = plugins.map(|(place, found)| (found, Some(homes[place]).filter(|home| *home != place)));
    let mut out: String =
        with_home.map(|(found, home)| plugin::print(found, home.map(|home| &scenario.plugins[home]))).collect();
    let windows = places(scenario);
    for (number, places) in windows.iter().enumerate() {
        let step = number.checked_sub(1).map(|step| &scenario.steps[step]);
        out += "\n[[step]]\n";
        out += &step.map_or("start = true\n".to_owned(), language::step);
        for (plugin, callback, place) in places {
            let found = &scenario.plugins[*plugin];
            let Guest::Probe(script) = &found.guest else { continue };
            let Some(entry) = script.entries[*callback].get(*place) else { continue };
            let Some(row) = script::callbacks().nth(*callback) else { continue };
            let head = format!("\n[[step.guest]]\nplugin = {}\nin = \"{}\"\n", text(&found.settings.name), row.name);
            for action in &entry.actions {
                let wanted = finding.and_then(|finding| finding.wanted.as_ref());
                out += &head;
                out += &does(action, wanted, finding.is_some(), answers);
            }
            if let Some(result) = entry.result {
                let _ = writeln!(out, "{head}returns = {result}");
            }
        }
    }
    out
}

/// What the guest does, and what that is answered: as wanted, or as it was, or anything at all.
fn does(action: &Action, wanted: Option<&Wanted>, strict: bool, answers: &Answers) -> String {
    let Act::Call { function, lanes, outs } = &action.act else { return "trap = true\n".to_owned() };
    let mut out = format!("call = \"{}\"\n", function.name);
    let args = args(function, lanes);
    if !args.is_empty() {
        let _ = writeln!(out, "args = {{ {} }}", args.join(", "));
    }
    let name = |status: u32| match function.status_name(status) {
        Some(name) => format!("\"{name}\""),
        None => status.to_string(),
    };
    let seen = answers.get(&action.id).map_or(&[][..], Vec::as_slice);
    match wanted {
        Some(Wanted::Answer(id, wrong)) if *id == action.id => {
            // What it was answered before it was answered wrongly was right.
            let before = seen.split_last().map_or(&[][..], |(_, before)| before).iter().flatten();
            let all = wrong.statuses.iter().chain(before).collect::<BTreeSet<_>>();
            let trap = wrong.statuses.is_empty().then(|| "\"TRAP\"".to_owned());
            let statuses: Vec<String> = all.into_iter().map(|status| name(*status)).chain(trap).collect();
            let value = wrong.returned.as_ref().and_then(|(name, value)| {
                // A place of which the script knows only one lane is called after that, and shows a number there.
                let out = outs.iter().find(|out| out.name.contains(name))?;
                let value = match value {
                    Returned::Bytes(bytes) if out.name.ends_with("_size") => bytes.0.len().to_string(),
                    // Any address is right, but there is one.
                    Returned::Bytes(_) if out.name.ends_with("_data") => format!("{{ at_most = {MEMORY_END} }}"),
                    value => returned(value),
                };
                Some(format!("returned = {{ {} = {value} }}\n", out.name))
            });
            let _ = write!(out, "expect = [{}]\n{}", statuses.join(", "), value.unwrap_or_default());
        }
        _ if !strict => {
            let all = ["\"TRAP\"".to_owned()].into_iter().chain((0..13).map(|status| status.to_string()));
            let _ = writeln!(out, "expect = [{}]", all.collect::<Vec<_>>().join(", "));
        }
        _ => {
            let trap = || "\"TRAP\"".to_owned();
            let seen = seen.iter().collect::<BTreeSet<_>>().into_iter();
            let statuses: Vec<String> = seen.map(|status| status.map_or_else(trap, name)).collect();
            let _ = match &statuses[..] {
                [] => writeln!(out, "expect = {}", trap()),
                [status] => writeln!(out, "expect = {status}"),
                some => writeln!(out, "expect = [{}]", some.join(", ")),
            };
        }
    }
    let saves: Vec<String> =
        outs.iter().filter_map(|out| Some(format!("{} = \"{}\"", out.name, saved(out.save?)))).collect();
    if !saves.is_empty() {
        let _ = writeln!(out, "save = {{ {} }}", saves.join(", "));
    }
    out
}

/// What is expected of the whole run.
fn expected(scenario: &Scenario, finding: &Finding, called: &[(usize, &'static str)]) -> String {
    let name_of = |plugin: usize| scenario.plugins.get(plugin).map_or("", |plugin| &plugin.settings.name);
    let name = finding.plugin.map_or("", name_of);
    let mut out = String::new();
    if let Some(Wanted::Argument(callback, place, value)) = &finding.wanted {
        // It is the last step that shows it: others were left out.
        let row = script::callbacks().find(|row| row.name == *callback);
        let param = row.and_then(|row| row.params.get(*place)).map_or("", |param| param.name);
        let callback = text(&format!("{name}/{callback}"));
        let _ = writeln!(out, "\n[step.expect]\narguments = [{{ callback = {callback}, {param} = {value} }}]");
    }
    // A number of TOML has 63 bits.
    if let Some(Wanted::Metric(name, value)) = &finding.wanted
        && let Ok(value) = i64::try_from(*value)
    {
        let _ = writeln!(out, "\n[step.expect]\nmetrics = {{ {} = {value} }}", text(name));
    }
    let of = |(plugin, callback): &(usize, &str)| text(&format!("{}/{callback}", name_of(*plugin)));
    let line = match &finding.wanted {
        Some(Wanted::Never(callback)) if finding.before > 0 => {
            // It has come rightly before: all that came, without the one that is wrong.
            let is_same = |called: &(usize, &str)| finding.plugin == Some(called.0) && called.1 == *callback;
            let same = called.iter().enumerate().filter(|(_, called)| is_same(called));
            let wrong = same.map(|(place, _)| place).nth(finding.before);
            let right = called.iter().enumerate().filter(|(place, _)| Some(*place) != wrong);
            let names: Vec<String> = right.map(|(_, called)| of(called)).collect();
            Some(format!("callbacks = [{}]\n", names.join(", ")))
        }
        Some(Wanted::Never(callback)) => Some(format!("never = [{}]\n", text(&format!("{name}/{callback}")))),
        Some(Wanted::Answer(..)) if is_for_nothing(finding) => {
            Some(format!("never = [{}]\n", text(&format!("{name}/{ALLOCATOR}"))))
        }
        Some(Wanted::Due(callback)) => Some(format!("order = [{}]\n", text(&format!("{name}/{callback}")))),
        Some(Wanted::Out(wanted)) if wanted.stream > 0 => {
            // What the run has sent is expected of the first stream alone. Of another, what its only step has sent.
            let of_it = |step: &&Step| step.stream() == Some(wanted.stream);
            let is_last = scenario.steps.last().as_ref().is_some_and(of_it);
            (is_last && scenario.steps.iter().filter(of_it).count() == 1).then(|| sent_line(wanted))
        }
        _ => None,
    };
    let (in_step, in_run) = if scenario.steps.is_empty() { (None, line) } else { (line, None) };
    // In an earlier step the callback may have come, or have been due, too.
    out += &in_step.map_or(String::new(), |line| format!("\n[step.expect]\n{line}"));
    out += "\n[expect]\nstart = [\"started\", \"refused\"]\nfault = [true, false]\n";
    out += &in_run.unwrap_or_default();
    match &finding.wanted {
        Some(Wanted::Out(wanted)) if wanted.stream == 0 => out += &sent_line(wanted),
        Some(Wanted::Line(line)) => out += line,
        _ => {}
    }
    out
}

/// What is expected to come out of a stream.
fn sent_line(wanted: &Out) -> String {
    let Out { stream: _, upstream, fields, absent, body, trailers, absent_trailers, end } = wanted;
    let side = sent::side(*upstream);
    if fields.is_empty() && body.0.is_empty() && trailers.is_none() && !end {
        return format!("{side} = \"nothing\"\n");
    }
    let trailers =
        trailers.as_ref().map_or(String::new(), |trailers| format!("trailers = {}, ", language::fields(trailers)));
    let (fields, body) = (language::fields(fields), language::bytes(body));
    let names = |key: &str, names: &[Data]| match names {
        [] => String::new(),
        names => format!("{key} = [{}], ", names.iter().map(language::bytes).collect::<Vec<_>>().join(", ")),
    };
    let (absent, gone) = (names("absent", absent), names("absent_trailers", absent_trailers));
    format!("{side} = {{ headers = {fields}, {absent}body = {body}, {trailers}{gone}end_of_stream = {end} }}\n")
}
