//! The only module that prints: results to the standard output, errors and progress to the standard error.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pw_abi::Version;

use pw_cases::statements;

use crate::record::{Case, Counts, Header};
use crate::summary::Summary;
use crate::verdict::Verdict;

/// When to colour what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorWhen {
    /// If the standard output is a terminal that has colours, and neither `NO_COLOR` nor `CLICOLOR=0` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The terminal, or what stands in its place.
#[derive(Debug)]
pub struct Console {
    color: bool,
    progress: bool,
    bar: Option<ProgressBar>,
    held: Option<Held>,
    /// Something could not be printed, for another reason than a reader that closed the pipe.
    lost: Cell<bool>,
}

/// A case that is not shown yet, since the next ones may have the same outcome.
#[derive(Debug)]
struct Held {
    case: Case,
    /// Further versions with the same outcome.
    versions: Vec<String>,
    /// The number of further attempts that failed in the harness for the same reason.
    more: usize,
}

/// The progress bar: done, planned, the time left, a message.
const BAR: &str = "{bar:30} {pos}/{len} {eta} left  {wide_msg}";

/// The number of findings of a case that are shown.
const MAX_FINDINGS: usize = 2;

/// Characters of a line of a message that are shown. A name or a value out of a file can have a million, which would hide the message.
const LINE_CHARS: usize = 1000;

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BOLD: &str = "1";

impl Console {
    /// A console that colours as asked, or if it is on a terminal and `NO_COLOR` is not set.
    pub fn new(color: ColorWhen) -> Console {
        let color = match color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => AutoStream::choice(&stdout()) != ColorChoice::Never,
        };
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let progress = stderr().is_terminal() && !dumb && !set("CI");
        Console { color, progress, bar: None, held: None, lost: Cell::new(false) }
    }

    /// Prints a text. What plugins, modules and adapters have put into it cannot colour the terminal or move its cursor.
    pub fn print(&self, text: &str) {
        self.write(&plain(text));
    }

    /// Prints a text as it is, with our own colours.
    fn write(&self, text: &str) {
        match self.beside_the_bar(|| stdout().write_all(text.as_bytes()).and_then(|()| stdout().flush())) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe && !self.lost.replace(true) => {
                self.error(&format!("failed to write the standard output: {error}"));
            }
            _ => {}
        }
    }

    /// Whether everything was printed, as far as the reader wanted it.
    pub fn is_whole(&self) -> bool {
        !self.lost.get()
    }

    /// Prints an error to the standard error.
    pub fn error(&self, message: &str) {
        let line = format!("{} {}", self.paint(RED, "error:"), message_text(message));
        let _ = self.beside_the_bar(|| writeln!(stderr(), "{line}"));
    }

    /// Prints a message that is not a result to the standard error.
    pub fn status(&self, line: &str) {
        let _ = self.beside_the_bar(|| writeln!(stderr(), "{}", message_text(line)));
    }

    /// Shows the progress of a run.
    pub fn progress(&mut self, done: usize, planned: usize, words: &str) {
        if !self.progress {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(Some(planned as u64), ProgressDrawTarget::stderr());
            // A wrong template would be our mistake; the library's own style serves then.
            bar.set_style(ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        bar.set_length(planned as u64);
        bar.set_position(done as u64);
        bar.set_message(plain(words));
    }

    /// Shows a bad case if `is_shown`, or if it has the same outcome as the last one that was shown. Returns whether it is shown.
    pub fn case(&mut self, case: &Case, is_shown: bool) -> bool {
        match &mut self.held {
            Some(held) if held.is_same(case) => held.versions.push(case.abi.clone()),
            Some(held) if case.verdict == Verdict::Error && held.case.reason == case.reason => held.more += 1,
            _ if is_shown => {
                self.release();
                self.held = Some(Held { case: case.clone(), versions: Vec::new(), more: 0 });
            }
            _ => return false,
        }
        true
    }

    /// Shows any case: bad ones in full, the others in a line.
    pub fn each(&mut self, case: &Case) {
        if case.verdict.is_bad() {
            self.case(case, true);
            return;
        }
        self.release();
        let words = case.reason.as_ref().or(case.answer.as_ref()).map_or(String::new(), |words| format!(": {words}"));
        let verdict = self.paint(GREEN, &format!("{:11}", case.verdict));
        self.write(&format!("{verdict} {} (ABI v{}){}\n", plain(&case.id), case.abi, message_text(&words)));
    }

    /// Shows the result of a run: the summary, if there is one, and the counts in one line.
    pub fn summary(&mut self, header: &Header, summary: Option<&Summary>, counts: Counts, took: Duration) {
        self.release();
        self.clear();
        if let Some(details) = summary.map(Summary::details).filter(|details| !details.is_empty()) {
            self.write(&format!("{}\n", message_text(&details)));
        }
        let bad = Verdict::ALL.iter().any(|(verdict, _)| verdict.is_bad() && counts.get(*verdict) > 0);
        let host = format!("{} {}:", header.host.name, header.host.version);
        let host = self.paint(if bad { RED } else { GREEN }, &host);
        let seconds = took.as_secs_f64();
        let score = summary.map(Summary::score).filter(|score| !score.is_empty());
        let score = score.map_or(String::new(), |score| format!("{score}\n"));
        self.write(&format!("{host} {} in {seconds:.1} s\n{score}", counted(counts)));
    }

    /// Shows what is held.
    fn release(&mut self) {
        if let Some(held) = self.held.take() {
            self.write(&self.block(&held));
        }
    }

    /// Removes the progress bar.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Prints while the bar is away.
    fn beside_the_bar<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn block(&self, held: &Held) -> String {
        let Held { case, versions, more } = held;
        let verdict = if case.verdict == Verdict::Stale { YELLOW } else { RED };
        let verdict = self.paint(verdict, &format!("{:5}", case.verdict));
        let id = self.paint(BOLD, &case.id);
        let versions: String = versions.iter().map(|version| format!(", v{version}")).collect();
        let (title, file) = (message_text(&case.title), message_text(&case.file));
        let mut text = format!("{verdict} {id} (ABI v{}{versions}; {})\n      {title}\n", case.abi, case.level);
        for finding in case.findings.iter().take(MAX_FINDINGS) {
            let line = if finding.line == 0 { String::new() } else { format!(":{}", finding.line) };
            let (place, call) = (finding.place.as_ref().unwrap_or(&finding.subject), finding.call.as_ref());
            let _ = writeln!(text, "      {file}{line}: {}", message_text(place));
            if let Some(what) = call.or(finding.place.as_ref().map(|_| &finding.subject)) {
                let _ = writeln!(text, "        {}", message_text(what));
            }
            let _ = writeln!(text, "        expected {}", self.paint(GREEN, &message_text(&finding.expected)));
            let _ = writeln!(text, "        actual   {}", self.paint(RED, &message_text(&finding.actual)));
        }
        if case.findings.len() > MAX_FINDINGS {
            let _ = writeln!(text, "      and {} more", case.findings.len() - MAX_FINDINGS);
        }
        if let Some(why) = &case.why {
            let _ = writeln!(text, "      why      {}", message_text(why));
        }
        if let Some(reason) = &case.reason {
            let _ = writeln!(text, "      {}", message_text(reason).replace('\n', "\n      "));
        }
        if case.verdict != Verdict::Error {
            let version = Version::parse(&case.abi).unwrap_or(Version::V0_2_1);
            text += &cited(case, version);
        }
        if let Some(command) = &case.reproduce {
            let _ = writeln!(text, "      {}", message_text(command));
        }
        if *more > 0 {
            let _ = writeln!(text, "      and {more} more for the same reason");
        }
        text + "\n"
    }

    fn paint(&self, color: &str, text: &str) -> String {
        let text = plain(text);
        if self.color { format!("\x1b[{color}m{text}\x1b[0m") } else { text }
    }
}

/// A text with U+FFFD in place of control characters, which a terminal would obey.
fn plain(text: &str) -> String {
    text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), "\u{fffd}")
}

/// A message for the terminal; a line that is too long is shortened in the middle.
fn message_text(text: &str) -> String {
    let lines: Vec<String> = plain(text).split('\n').map(shortened).collect();
    lines.join("\n")
}

fn shortened(line: &str) -> String {
    let count = line.chars().count();
    if count <= LINE_CHARS {
        return line.to_owned();
    }
    let kept = LINE_CHARS / 2;
    let head: String = line.chars().take(kept).collect();
    let tail: String = line.chars().skip(count - kept).collect();
    format!("{head} [… {} characters …] {tail}", count - 2 * kept)
}

/// What the specification says, with the link to the sentence; without statements the link to the clause. Nothing for the SDK kit's cases.
fn cited(case: &Case, version: Version) -> String {
    let cited: Vec<_> = case.statement.iter().filter_map(|id| statements::find(id)).collect();
    let Some(first) = cited.first() else {
        let Some(clause) = case.clause.first() else { return String::new() };
        return format!("      clause {}  {}\n", case.clause.join(", "), pw_abi::clause_url(clause, version));
    };
    let more = match cited.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    format!("      by {}: {}{more}\n        {}\n", first.id, first.says, first.url(version))
}

impl Held {
    fn is_same(&self, case: &Case) -> bool {
        let content = |case: &Case| (case.id.clone(), case.verdict, case.reason.clone(), case.findings.clone());
        self.more == 0 && content(&self.case) == content(case)
    }
}

/// `240 passed, 0 failed`, and what else there is.
fn counted(counts: Counts) -> String {
    let always = |verdict| matches!(verdict, Verdict::Pass | Verdict::Fail);
    let counted = Verdict::ALL.iter().filter(|(verdict, _)| always(*verdict) || counts.get(*verdict) > 0);
    let one = |(verdict, name): &(Verdict, &str)| match counts.get(*verdict) {
        1 if *verdict == Verdict::Error => "1 error".to_owned(),
        count => format!("{count} {name}"),
    };
    counted.map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    #[test]
    fn a_failure_says_where_what_and_how_to_see_it_again() {
        let console = Console::new(ColorWhen::Never);
        let record = sample("x", &[("a/b", "0.2.0", Verdict::Fail), ("a/b", "0.2.1", Verdict::Fail)]);
        let [case, same] = record.cases.as_slice() else { panic!("two cases") };
        let mut held = Held { case: case.clone(), versions: Vec::new(), more: 0 };
        assert!(held.is_same(same));
        held.versions.push(same.abi.clone());
        let url = statements::find("logging/log_ok").map(|one| one.url(Version::V0_2_0)).unwrap_or_default();
        let expected = format!(
            "fail  a/b (ABI v0.2.0, v0.2.1; required)\n      the title of a/b\n      \
             cases/catalog/a/b.toml:12: step 2 (request_body), in proxy_on_request_body of plugin plugin\n        \
             proxy_log(log_level=INFO, message=\"hello\")\n        expected OK\n        actual   BAD_ARGUMENT\n      \
             by logging/log_ok: proxy_log returns OK if the message was taken.\n        {url}\n      cargo conform explain a/b --abi 0.2.0 --host x\n\n"
        );
        assert_eq!(console.block(&held), expected);
    }

    #[test]
    fn a_summary_counts_what_there_is() {
        let record = sample("x", &[("a/b", "0.2.1", Verdict::Pass), ("a/b", "0.2.0", Verdict::Skip)]);
        assert_eq!(counted(record.footer.counts), "1 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn colour_is_as_asked() {
        let text = |when| Console::new(when).paint(RED, "x");
        assert_eq!((text(ColorWhen::Always).as_str(), text(ColorWhen::Never).as_str()), ("\x1b[31mx\x1b[0m", "x"));
    }

    #[test]
    fn of_a_long_line_the_beginning_and_the_end_are_shown() {
        let long = format!("unknown key {}: it is not one", "\u{e9}".repeat(1_000_000));
        let shown = message_text(&format!("first\n{long}\nlast"));
        let [first, middle, last] = shown.split('\n').collect::<Vec<_>>()[..] else { panic!("{shown}") };
        assert_eq!((first, last), ("first", "last"));
        assert!(middle.starts_with("unknown key \u{e9}") && middle.ends_with("\u{e9}: it is not one"), "{middle}");
        assert!(middle.contains(" [… 999027 characters …] "), "{middle}");
        let whole = "x".repeat(LINE_CHARS);
        assert_eq!(message_text(&whole), whole);
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(plain("a\x1b[2J\u{9b}2J\r\n\tb"), "a\u{fffd}[2J\u{fffd}2J\u{fffd}\n\tb");
        let console = Console::new(ColorWhen::Always);
        assert_eq!(console.paint(RED, "\x1b[32mpass"), "\x1b[31m\u{fffd}[32mpass\x1b[0m");
    }
}
