//! `--leaks`: each case's streams again and again, in the same VMs. What a plugin needs is bounded by the streams that there are at a time.

use pw_cases::known::ExpectedFailures;
use pw_cases::scenario::{Scenario, Step};
use pw_cases::transcript::Event;
use pw_harness::console::Console;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::interrupt::Interrupt;
use pw_reference::{Reference, World};

use super::finds::list;
use super::tried::{Tried, side_by_side};

/// After how many rounds what a plugin holds is what it needs.
const WARM: usize = 1_000;
/// After how many rounds it must not hold more.
const ROUNDS: usize = 10_000;
/// What has grown by then may do so once more, as a heap that doubles; what has grown after this many rounds as well is a leak.
const SURE: usize = 40_000;
/// Less than a byte in that many rounds is no leak: a number that is kept as text grows so.
const ROUNDS_PER_BYTE: usize = 10;

/// What a plugin holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    /// Bytes of its memory.
    memory: usize,
    /// Bytes of the host's memory that are charged to it.
    charged: usize,
}

/// How the rounds of a case went.
enum Outcome {
    /// There is nothing to repeat: it has no streams, the operator changes the plugins, or it faults the first time.
    NotRepeated,
    /// Nothing grows.
    Bounded,
    /// It grows: after [`WARM`], [`ROUNDS`] and [`SURE`] rounds.
    Grows([Held; 3]),
    /// It faulted in this round.
    Faults(usize, String),
}

/// The cases of a plugin that leaks, and how the first of them does.
struct Leak {
    plugin: String,
    said: String,
    cases: Vec<String>,
}

/// Repeats each case. What is known to leak must do so.
pub(super) fn run(
    tried: &[Tried<'_>],
    host: &Reference,
    known: &ExpectedFailures,
    jobs: usize,
    console: &mut Console,
) -> Result<Exit, HarnessError> {
    let interrupt = Interrupt::listen()?;
    let each = |_: usize, one: &Tried<'_>| repeated(host, &one.scenario, &interrupt);
    let outcomes = side_by_side(tried, jobs, &interrupt, each, |done, one| {
        console.progress(done, tried.len(), &one.selected.case.id);
    })?;
    let (mut leaks, mut repeated, mut expected, mut bad) = (Vec::<Leak>::new(), 0, 0, 0);
    for (outcome, one) in outcomes.into_iter().zip(tried) {
        let Some(outcome) = outcome else { continue };
        let (plugin, case) = (one.first(), &one.selected.case.id);
        repeated += usize::from(!matches!(outcome, Outcome::NotRepeated));
        let (is_known, said) = match outcome {
            Outcome::NotRepeated => continue,
            Outcome::Bounded => match known.leak(case, one.version) {
                None => continue,
                Some(entry) => (
                    false,
                    format!("stale {plugin}: does not leak, though {}:{} says that it does", known.file(), entry.line),
                ),
            },
            Outcome::Grows(held) => {
                (known.leak(case, one.version).is_some(), format!("leak  {plugin}: {}", grows(&held)))
            }
            Outcome::Faults(round, reason) => (false, format!("fault {plugin}: in round {round}: {reason}")),
        };
        if is_known {
            expected += 1;
            continue;
        }
        bad += 1;
        let (kind, case) = (&said[..5], format!("{case} (ABI v{})", one.version));
        match leaks.iter_mut().find(|leak| leak.plugin == plugin && leak.said.starts_with(kind)) {
            Some(leak) => leak.cases.push(case),
            None => leaks.push(Leak { plugin, said, cases: vec![case] }),
        }
    }
    let mut text: String =
        leaks.into_iter().map(|Leak { said, cases, .. }| format!("{said}\n      cases  {}\n", list(cases))).collect();
    text += &format!(
        "{repeated} of {} cases repeated {ROUNDS} times: {bad} with a leak or a fault, {expected} known\n",
        tried.len()
    );
    console.clear();
    console.print(&text);
    if interrupt.came() {
        console.status("interrupted: not all cases were repeated");
        return Ok(Exit::Interrupted);
    }
    Ok(if bad == 0 { Exit::Passed } else { Exit::Failed })
}

fn grows(held: &[Held; 3]) -> String {
    let words = |what: &str, of: fn(&Held) -> usize| {
        let [warm, then, sure] = held.each_ref().map(of);
        format!("{what}: {warm} bytes after {WARM} rounds, {then} after {ROUNDS}, {sure} after {SURE}")
    };
    match held[2].memory > held[1].memory {
        true => words("its memory grows", |held| held.memory),
        false => words("what the host holds for it grows", |held| held.charged),
    }
}

fn repeated(host: &Reference, scenario: &Scenario, interrupt: &Interrupt) -> Result<Outcome, String> {
    let Some(steps) = round(&scenario.steps) else { return Ok(Outcome::NotRepeated) };
    let mut world = host.world(scenario)?;
    if !host.start(&mut world, scenario)? {
        return Ok(Outcome::NotRepeated);
    }
    let mut held = [Held::default(); 3];
    for (place, until) in [WARM, ROUNDS, SURE].into_iter().enumerate() {
        let from = if place == 0 { 0 } else { [WARM, ROUNDS][place - 1] };
        for number in from..until {
            if interrupt.came() {
                return Ok(Outcome::NotRepeated);
            }
            world.forget();
            world.run(&steps);
            let fault = world.events.iter().find_map(|event| match event {
                Event::Fault { reason, .. } => Some(reason.clone()),
                _ => None,
            });
            match fault {
                // The case shows that as it is.
                Some(_) if number == 0 => return Ok(Outcome::NotRepeated),
                Some(reason) => return Ok(Outcome::Faults(number + 1, reason)),
                None => {}
            }
        }
        held[place] = of(&mut world);
        if place > 0 && !held[place].is_more_than(held[place - 1], (until - from) / ROUNDS_PER_BYTE) {
            return Ok(Outcome::Bounded);
        }
    }
    Ok(Outcome::Grows(held))
}

fn of(world: &mut World) -> Held {
    let proxy = world.proxy();
    Held { memory: proxy.memory(), charged: proxy.usage().charged }
}

impl Held {
    fn is_more_than(self, other: Held, bytes: usize) -> bool {
        self.memory > other.memory || self.charged > other.charged + bytes
    }
}

/// The steps of a case that can be done again and again, with an end for each stream. None if there are none, or if the operator changes plugins.
fn round(steps: &[Step]) -> Option<Vec<Step>> {
    let mut round: Vec<Step> =
        steps.iter().filter(|step| !matches!(step, Step::Shutdown | Step::ReadMetrics)).cloned().collect();
    if round.iter().any(|step| step.plugins().0.is_some()) {
        return None;
    }
    let mut streams: Vec<u32> = round.iter().filter_map(Step::stream).collect();
    streams.sort_unstable();
    streams.dedup();
    round.extend(streams.iter().map(|stream| Step::ClientReset { stream: *stream }));
    (!streams.is_empty()).then_some(round)
}

#[cfg(test)]
mod tests {
    use pw_cases::scenario::{Guest, Plugin};

    use super::*;

    /// A plugin that does this for each request.
    fn outcome(does: &str) -> Outcome {
        let text = format!(
            r#"(module
              (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
              (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (global $count (mut i32) (i32.const 0))
              (func (export "proxy_abi_version_0_2_1"))
              (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
              (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                (global.set $count (i32.add (global.get $count) (i32.const 1)))
                {does}
                i32.const 0))"#
        );
        let plugins =
            vec![Plugin::new("one", Guest::Module(wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))))];
        let steps = vec![Step::RequestHeaders {
            stream: 0,
            headers: [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
                .map(|(name, value)| (name.into(), value.into()))
                .to_vec(),
            end_of_stream: true,
        }];
        let host = Reference::new().unwrap_or_else(|error| panic!("{error}"));
        let scenario = Scenario { plugins, steps, ..Scenario::default() };
        repeated(&host, &scenario, &Interrupt::default()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn what_grows_for_ever_is_a_leak() {
        assert!(matches!(outcome(""), Outcome::Bounded));
        let page =
            "(if (i32.eqz (i32.rem_u (global.get $count) (i32.const 4000))) (then (drop (memory.grow (i32.const 1)))))";
        let Outcome::Grows(held) = outcome(page) else { panic!("it grows") };
        assert!(
            grows(&held).starts_with("its memory grows: 65536 bytes after 1000 rounds, 196608 after 10000"),
            "{}",
            grows(&held)
        );
        let item = "(drop (call $register (i32.const 0) (i32.const 1) (i32.const 8)))
            (drop (call $enqueue (i32.load (i32.const 8)) (i32.const 0) (i32.const 1)))";
        let Outcome::Grows(held) = outcome(item) else { panic!("the queue grows") };
        assert!(grows(&held).starts_with("what the host holds for it grows"), "{}", grows(&held));
        let Outcome::Faults(round, _) = outcome("(if (i32.eq (global.get $count) (i32.const 5)) (then unreachable))")
        else {
            panic!("it traps")
        };
        assert_eq!(round, 5);
    }

    #[test]
    fn a_heap_that_grows_once_is_none() {
        let once = "(if (i32.eq (global.get $count) (i32.const 4000)) (then (drop (memory.grow (i32.const 1)))))";
        assert!(matches!(outcome(once), Outcome::Bounded));
    }
}
