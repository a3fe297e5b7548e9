//! What a scenario needs of a host, as far as its plugins and steps show.

use crate::job::Run;
use pw_cases::scenario::Step;

/// The maximum time that the steps of a scenario may let pass, in milliseconds: a host over sockets has no other clock than
/// the real one.
const MAX_ADVANCE_MS: u64 = 30_000;

/// Why no host over sockets can run a scenario; `None` if one can.
pub fn unsupported(run: &Run) -> Option<String> {
    if advance(run) > MAX_ADVANCE_MS {
        return Some(format!("time passes for real here, and more than {MAX_ADVANCE_MS} ms of it are too many"));
    }
    let has_http = run.steps.iter().any(|step| matches!(step, Step::RequestHeaders { .. }));
    (is_tcp(run) && has_http).then(|| "plugins are on one listener, which accepts HTTP or TCP, not both".into())
}

/// The time that the steps of a scenario let pass, in milliseconds.
fn advance(run: &Run) -> u64 {
    let waits = run.steps.iter().map(|step| if let Step::Advance { milliseconds } = step { *milliseconds } else { 0 });
    waits.fold(0, u64::saturating_add)
}

/// Whether a scenario is about TCP connections.
pub fn is_tcp(run: &Run) -> bool {
    run.steps.iter().any(|step| matches!(step, Step::Connect { .. }))
}

/// Whether a scenario has one plugin and more steps may follow.
pub fn is_streamed(run: &Run) -> bool {
    run.keep && run.plugins.len() == 1
}

/// The plugins, by their places in the scenario, that streams pass through at first.
pub fn chain(run: &Run) -> Vec<usize> {
    let plugins = run.plugins.iter().enumerate();
    plugins.filter(|(_, plugin)| !plugin.settings.background && !plugin.settings.standby).map(|(at, _)| at).collect()
}

/// Whether a step changes the chain: a plugin gets another configuration or place.
pub fn is_change(step: &Step) -> bool {
    matches!(step, Step::Reconfigure { .. } | Step::Replace { .. } | Step::Remove { .. })
}

/// Whether a stream runs while the chain is changed, as far as the steps show.
pub fn has_streams_in_flight(run: &Run) -> bool {
    let changes = run.steps.iter().enumerate().filter(|(_, step)| is_change(step));
    changes.into_iter().any(|(at, _)| {
        let (earlier, later) = run.steps.split_at(at);
        earlier.iter().filter_map(Step::stream).any(|stream| {
            let of_it = |step: &&Step| step.stream() == Some(stream);
            !earlier.iter().filter(of_it).any(is_end) || later.iter().any(|step| of_it(&step))
        })
    })
}

/// Whether a step ends its stream.
fn is_end(step: &Step) -> bool {
    match step {
        Step::ResponseHeaders { end_of_stream, .. } | Step::ResponseBody { end_of_stream, .. } => *end_of_stream,
        Step::ResponseTrailers { .. } | Step::ClientReset { .. } | Step::UpstreamReset { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::job::Plugin;

    use super::*;

    fn run(steps: Vec<Step>) -> Run {
        let plugins = vec![Plugin::default().set(|settings| settings.name = "a".into())];
        Run { id: "t".into(), abi: pw_abi::Version::V0_2_1, plugins, steps, hazard: false, http1: false, keep: false }
    }

    fn request(stream: u32) -> Step {
        Step::RequestHeaders { stream, headers: Vec::new(), end_of_stream: true }
    }

    #[test]
    fn finds_streams_that_run_while_the_chain_is_changed() {
        let response = |stream, end_of_stream| Step::ResponseHeaders { stream, headers: Vec::new(), end_of_stream };
        let change = || Step::Remove { plugin: "a".into() };
        let rows = [
            (vec![change(), request(0)], false),
            (vec![request(0), response(0, true), change(), request(1)], false),
            (vec![request(0), Step::ClientReset { stream: 0 }, change()], false),
            (vec![request(0), change()], true),
            (vec![request(0), response(0, false), change()], true),
            (vec![request(0), response(0, true), request(1), change(), response(1, true)], true),
            (vec![request(0), Step::ReadMetrics], false),
        ];
        for (steps, expected) in rows {
            let run = run(steps);
            assert_eq!(has_streams_in_flight(&run), expected, "{:?}", run.steps);
        }
    }

    #[test]
    fn refuses_what_no_host_over_sockets_can_run() {
        let advance = |milliseconds| Step::Advance { milliseconds };
        let rows = [
            (vec![advance(15_000), advance(15_000), request(0)], None),
            (vec![advance(15_000), advance(15_001)], Some("30000 ms")),
            (vec![advance(u64::MAX), advance(1)], Some("30000 ms")),
            (vec![Step::Connect { stream: 0 }, request(1)], Some("HTTP or TCP")),
        ];
        for (steps, expected) in rows {
            let reason = unsupported(&run(steps));
            assert_eq!(reason.is_some(), expected.is_some());
            assert!(reason.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
    }
}
