//! What a case must be besides well-formed: its plugins and streams exist, and each outcome can hold.

use strsim::osa_distance;

use crate::case::{Case, Does, Expect, outcome_of};
use crate::node::{Complaint, Node, Read, Value, meant};
use crate::scenario::Step;

pub(super) fn check(case: &Case) -> Read<()> {
    plugins_exist(case)?;
    streams_are_open(case)?;
    outcomes_can_hold(case)
}

/// Whether the plugins whose callbacks and lines are expected are those of the case.
fn plugins_exist(case: &Case) -> Read<()> {
    let known = || case.plugins.iter().map(|plugin| plugin.settings.name.as_str());
    let check = |line: usize, name: Option<&str>| match name {
        Some(name) if known().all(|known| known != name) => {
            Err(Complaint { line, message: format!("no plugin `{name}`{}", meant(name, known())) })
        }
        _ => Ok(()),
    };
    let checks = |line, names: &[String]| {
        names.iter().try_for_each(|name| check(line, name.split_once('/').map(|(plugin, _)| plugin)))
    };
    for step in &case.steps {
        let (plugin, by) = step.step.as_ref().map_or((None, None), Step::plugins);
        plugin.into_iter().chain(by).try_for_each(|name| check(step.line, Some(name)))?;
        let waits = |by: &str| case.plugins.iter().any(|plugin| plugin.settings.name == by && plugin.settings.standby);
        if let Some(by) = by.filter(|by| !waits(by)) {
            return Err(Complaint {
                line: step.line,
                message: format!("`{by}` is not a plugin with `standby = true`"),
            });
        }
    }
    case.expects().try_for_each(|expect| {
        [&expect.order, &expect.never].into_iter().flatten().try_for_each(|(line, names)| checks(*line, names))?;
        expect.callbacks.iter().try_for_each(|any| any.of.iter().try_for_each(|(names, _)| checks(any.line, names)))?;
        expect.log.iter().chain(&expect.never_log).try_for_each(|(line, lines)| {
            lines.iter().try_for_each(|expected| check(*line, expected.plugin.as_deref()))
        })
    })
}

/// Whether each step about a stream comes after the one that opens it.
fn streams_are_open(case: &Case) -> Read<()> {
    let mut next = 0;
    for step in &case.steps {
        let Some(world) = &step.step else { continue };
        let Some(stream) = world.stream() else { continue };
        if matches!(world, Step::RequestHeaders { .. } | Step::Connect { .. }) {
            if stream != next {
                let message = format!("this step opens the stream after {next} others: write `stream = {next}`");
                return Err(Complaint { line: step.line, message });
            }
            next += 1;
        } else if stream >= next {
            let message = format!(
                "no earlier step opens stream {stream}: `request_headers` or `connect` does, with `stream = {stream}` if it is not 0"
            );
            return Err(Complaint { line: step.line, message });
        }
    }
    Ok(())
}

/// Whether each number that another is compared with is saved somewhere, or always there.
pub(super) fn names_are_saved(root: &Node) -> Read<()> {
    fn saved<'a>(node: &'a Node, names: &mut Vec<&'a str>) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| saved(item, names)),
            Value::Table(entries) => {
                for (key, node) in entries {
                    match &node.value {
                        Value::Table(saves) if key == "save" => {
                            names.extend(saves.iter().filter_map(|(_, name)| name.text().ok()))
                        }
                        _ => saved(node, names),
                    }
                }
            }
            _ => {}
        }
    }
    fn compared(node: &Node, names: &[&str]) -> Read<()> {
        match &node.value {
            Value::List(items) => items.iter().try_for_each(|item| compared(item, names)),
            Value::Table(entries) => entries.iter().try_for_each(|(key, node)| match node.text() {
                Ok(name) if ["same_as", "differs_from"].contains(&key.as_str()) && !names.contains(&name) => {
                    node.complain(format!("nothing is saved as `{name}`{}", meant(name, names.iter().copied())))
                }
                _ => compared(node, names),
            }),
            _ => Ok(()),
        }
    }
    let mut names = vec!["plugin_context", "stream_context"];
    saved(root, &mut names);
    compared(root, &names)
}

/// Whether every list that has alternatives of one outcome has some of each.
fn outcomes_can_hold(case: &Case) -> Read<()> {
    let outcomes: Vec<&str> = case.outcomes.iter().map(|(name, _)| name.as_str()).collect();
    for step in &case.steps {
        if let Some((name, _)) = step.outcomes.iter().find(|(name, _)| !outcomes.contains(&name.as_str())) {
            let meant = meant(name, outcomes.iter().copied());
            let message = format!(
                "the case has no outcome `{name}`{meant}; `[outcome.{name}]` at the end of the file makes it one"
            );
            return Err(Complaint { line: step.line, message });
        }
    }
    let check = |line: usize, answers: Vec<&str>| {
        let answers: Vec<&str> = answers.into_iter().map(outcome_of).collect();
        let near = |answer: &str| outcomes.iter().find(|outcome| osa_distance(answer, outcome) <= 2);
        let mut others = answers.iter().filter(|answer| !outcomes.contains(answer));
        if let Some((answer, outcome)) = others.find_map(|answer| Some((answer, near(answer)?))) {
            let message = format!(
                "the answer `{answer}` is not the outcome `{outcome}`: if it is not a slip, give it a name that differs more"
            );
            return Err(Complaint { line, message });
        }
        let coupled = answers.iter().any(|answer| outcomes.contains(answer));
        let free = answers.iter().any(|answer| !outcomes.contains(answer));
        match outcomes.iter().find(|outcome| coupled && !free && !answers.contains(outcome)) {
            Some(outcome) => Err(Complaint {
                line,
                message: format!(
                    "none of these is acceptable in the outcome `{outcome}`: give it an alternative whose `answer` is that"
                ),
            }),
            None => Ok(()),
        }
    };
    for does in case.steps.iter().flat_map(|step| &step.guest) {
        if let Does::Call { accept, .. } = &does.what {
            check(does.line, accept.iter().map(|accept| accept.answer.as_deref().unwrap_or_default()).collect())?;
        }
    }
    case.expects().flat_map(Expect::alternatives).try_for_each(|(line, answers)| check(line, answers))
}
