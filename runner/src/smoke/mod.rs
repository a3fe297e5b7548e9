//! The command `smoke`: ten checks of an adapter, in the order in which an author writes it. The first that fails says what to write next.
//!
//! The checks are about the adapter, not about its host: each asks for something that any host does. Nothing here is recorded.

mod subject;

use pw_cases::protocol::Feature;
use pw_harness::console::Console;
use pw_harness::error::HarnessError;
use pw_harness::exit::Exit;
use pw_harness::invocation::program;

use crate::cli::SmokeArgs;
use crate::connect::connection;
use subject::{Outcome, Subject};

/// A check.
#[derive(Debug)]
pub struct Check {
    /// What holds if it passes.
    pub title: &'static str,
    /// What is done.
    pub trial: Trial,
    /// The features without which it is passed over.
    pub needs: &'static [Feature],
    /// What to write if it fails, in sentences.
    pub advice: &'static str,
    /// The heading in `docs/adapters.md` to read.
    pub section: &'static str,
}

/// What a check does.
#[derive(Clone, Copy, Debug)]
pub enum Trial {
    /// Starts the adapter.
    Start,
    /// Sends a shape and a module.
    Keep,
    /// Runs a module that is not WebAssembly.
    Refuse,
    /// Finds out which functions the host lacks, and runs the case with this text.
    Log(&'static str),
    /// Runs the case with this text.
    Case(&'static str),
    /// Runs the first case, in which a plugin traps, and then the second.
    Fault(&'static str, &'static str),
}

/// The characters of a line of an adapter or a transcript that are shown. A body can have a million.
const LINE_CHARS: usize = 600;
/// The characters of a line of advice.
const WRAP_CHARS: usize = 100;

/// The case of a request that passes through.
const EXCHANGE: &str = include_str!("exchange.toml");

/// The checks, in their order.
pub const CHECKS: [Check; 10] = [
    Check {
        title: "it starts, and says who it is",
        trial: Trial::Start,
        needs: &[],
        advice: "The command line of --host starts a program, from the current folder. Read a line of JSON from the standard input, {\"type\": \"start\", \"protocol\": 2}, and answer it with a message of \
                 type `host`, in one line, on the standard output. Flush it after each line. Messages for people go to the standard error.",
        section: "start",
    },
    Check {
        title: "it keeps modules",
        trial: Trial::Keep,
        needs: &[],
        advice: "Keep the fields of each message of type `shape` and `module` under its `id`, and answer {\"type\": \"kept\"}.",
        section: "shape and module",
    },
    Check {
        title: "a module that is not WebAssembly is refused",
        trial: Trial::Refuse,
        needs: &[],
        advice: "Start your host with the plugins of the message `run` (TODO 2 of the skeletons). If it does not accept one, answer \
                 `ran` with the event `refused`, which has the plugin's name and the host's words, and end the scenario there. \
                 `errored` is for failures of the adapter.",
        section: "Refused plugins",
    },
    Check {
        title: "the log lines of a plugin arrive whole",
        trial: Trial::Log(include_str!("log.toml")),
        needs: &[],
        advice: "Put the script into its shape, load the module, set the log level of your host to TRACE, and read its log (TODO 3). \
                 Each line that a plugin logs is an event `log`: its message is what the plugin wrote, without the timestamp and \
                 the prefix of the host, and up to 1,800 bytes long. A probe reports all that it sees in such lines, so nothing \
                 else works without them.",
        section: "Log lines",
    },
    Check {
        title: "an event `step` comes before what is seen of the step",
        trial: Trial::Case(include_str!("steps.toml")),
        needs: &[Feature::Http],
        advice: "Before each step, wait until nothing more is going to happen because of what was done before, and add what was seen; \
                 then add {\"event\": \"step\", \"index\": 0}, then do the step (TODO 4).",
        section: "When a step is over",
    },
    Check {
        title: "a request and its response pass through",
        trial: Trial::Case(EXCHANGE),
        needs: &[Feature::Http],
        advice: "The adapter is the client and the upstream of your host. Do each step without waiting for its consequences: the \
                 response is a later step. What the upstream and the client receive are events, piece by piece (TODO 5). Let the host \
                 connect to your upstream for every request.",
        section: "What the upstream and the client receive",
    },
    Check {
        title: "the upstream receives the headers as the plugin changed them",
        trial: Trial::Case(include_str!("headers.toml")),
        needs: &[Feature::Http],
        advice: "Report the headers that your upstream received, not those that the step sent: all of them, in their order, with pseudo \
                 headers. If they are as they were sent, the host does not run the plugin on this route.",
        section: "What the upstream and the client receive",
    },
    Check {
        title: "the client receives a local response",
        trial: Trial::Case(include_str!("local_response.toml")),
        needs: &[Feature::Http],
        advice: "Do not wait for the request to reach the upstream: a plugin may respond to it before. Report the response that the \
                 client received, with its body and its end.",
        section: "When a step is over",
    },
    Check {
        title: "a request passes through two plugins in their order",
        trial: Trial::Case(include_str!("chain.toml")),
        needs: &[Feature::Http, Feature::Chains],
        advice: "`plugins` is a chain: the first plugin sees requests first. Each has its own module, and its log lines carry its \
                 `name`.",
        section: "run",
    },
    Check {
        title: "a plugin that traps harms no later scenario",
        trial: Trial::Fault(include_str!("fault.toml"), EXCHANGE),
        needs: &[Feature::Http],
        advice: "A plugin that traps is something that was seen, so the answer is `ran`. With the feature `faults`, report it as an event \
                 `fault`. Start the next scenario with fresh plugins. If the host itself crashed, report the event `died`, and \
                 start the host again (TODO 6).",
        section: "Crashes",
    },
];

/// Runs the checks up to the first that fails.
///
/// # Errors
///
/// The flags are wrong. What the adapter does wrong is not an error.
pub fn run(args: &SmokeArgs, console: &Console) -> Result<Exit, HarnessError> {
    let mut subject = Subject::new(connection(&args.host())?);
    let mut passed = 0;
    for (number, check) in (1..).zip(&CHECKS) {
        let title = check.title;
        match subject.try_out(check) {
            Outcome::Passed(note) => {
                passed += 1;
                console.print(&format!(
                    "{number:2} ok    {title}{}\n",
                    note.map_or(String::new(), |note| format!(": {note}"))
                ));
            }
            Outcome::PassedOver(reason) => {
                console.print(&format!("{number:2} --    {title}: passed over, since {reason}\n"))
            }
            Outcome::Failed(what) | Outcome::Died(what) => {
                console.print(&format!("{number:2} FAIL  {title}\n{}", indented(&what)));
                console.print(&format!("\n{}\n", wrapped(&format!("Next: {}", check.advice))));
                console.print(&format!("See docs/adapters.md, section \"{}\".\n", check.section));
                if args.trace_adapter.is_none() {
                    console.print("With --trace-adapter FILE every line to and from the adapter is kept.\n");
                }
                return Ok(Exit::Failed);
            }
        }
    }
    let over = CHECKS.len() - passed;
    console.print(&format!("\n{passed} of {} checks passed, {over} passed over. Next: {}\n", CHECKS.len(), next(args)));
    Ok(Exit::Passed)
}

/// The command to type when nothing failed.
fn next(args: &SmokeArgs) -> String {
    let host = shlex::try_quote(&args.host).map_or_else(|_| args.host.clone(), |host| host.into_owned());
    format!("{} run --host {host}", program())
}

/// The lines of a text, indented, each cut after [`LINE_CHARS`].
fn indented(text: &str) -> String {
    let cut = |line: &str| match line.char_indices().nth(LINE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    };
    text.lines().map(|line| format!("         {}\n", cut(line))).collect()
}

/// A text in lines of at most [`WRAP_CHARS`].
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WRAP_CHARS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}
