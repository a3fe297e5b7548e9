//! `--leaks`: each case's streams again and again, in the same VMs. What a plugin needs is bounded by the streams that there are at a time.

use pw_cases::scenario::{Scenario, Step};
use pw_cases::transcript::Event;
use pw_harness::console::Console;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::interrupt::Interrupt;
use pw_reference::{Reference, World};

use super::tried::{Tried, side_by_side};

/// After how many rounds what a plugin holds is what it needs.
const WARM: usize = 1_000;
/// After how many rounds it must not hold more.
const ROUNDS: usize = 10_000;
/// What has grown by then may do so once more, as a heap that doubles; what has grown after this many rounds as well is a leak.
const SURE: usize = 40_000;

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
    /// There is nothing to repeat: it has no streams, or the operator changes the plugins.
    NotRepeated,
    /// Nothing grows.
    Bounded,
    /// It grows: after [`WARM`], [`ROUNDS`] and [`SURE`] rounds.
    Grows([Held; 3]),
    /// It faulted in this round.
    Faults(usize, String),
}

/// Repeats each case.
pub(super) fn run(
    tried: &[Tried<'_>],
    host: &Reference,
    jobs: usize,
    console: &mut Console,
) -> Result<Exit, HarnessError> {
    let interrupt = Interrupt::listen()?;
    let each = |_: usize, one: &Tried<'_>| repeated(host, &one.scenario, &interrupt);
    let outcomes = side_by_side(tried, jobs, &interrupt, each, |done, one| {
        console.progress(done, tried.len(), &one.selected.case.id);
    })?;
    let (mut text, mut repeated, mut bad) = (String::new(), 0, 0);
    for (outcome, one) in outcomes.into_iter().zip(tried) {
        let Some(outcome) = outcome else { continue };
        let (plugin, case) = (one.first(), &one.selected.case.id);
        repeated += usize::from(!matches!(outcome, Outcome::NotRepeated));
        let said = match outcome {
            Outcome::NotRepeated | Outcome::Bounded => continue,
            Outcome::Grows(held) => format!("leak  {plugin}: {}\n", grows(&held)),
            Outcome::Faults(round, reason) => format!("fault {plugin}: in round {round}: {reason}\n"),
        };
        bad += 1;
        text += &format!("{said}      case   {case} (ABI v{})\n", one.version);
    }
    text += &format!("{repeated} of {} cases repeated {ROUNDS} times: {bad} with a leak or a fault\n", tried.len());
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
            if let Some(reason) = fault {
                return Ok(Outcome::Faults(number + 1, reason));
            }
        }
        held[place] = of(&mut world);
        if place > 0 && !held[place].is_more_than(held[place - 1]) {
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
    fn is_more_than(self, other: Held) -> bool {
        self.memory > other.memory || self.charged > other.charged
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
