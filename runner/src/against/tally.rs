//! The results of a campaign: counts, and differences by clause. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use pw_abi::Version;
use pw_cases::known::{ExpectedFailures, Known};
use pw_cases::protocol::Host;
use pw_fuzz::against::{Difference, Key, avoided};

/// The number of scenarios that are run again for one difference.
const MAX_SUSPECTS: u32 = 4;

/// Counts of a campaign, and what differs.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) scenarios: u64,
    pub(crate) calls: u64,
    pub(crate) crashes: u64,
    /// Plugins that were started again, since a scenario had ended the one before.
    pub(crate) restarts: u64,
    /// Scenarios without a result.
    pub(crate) lost: u64,
    /// Differences that may follow from earlier ones of their scenarios.
    following: u64,
    differences: BTreeMap<Key, Found>,
}

/// A difference, by clause and by what the host does instead.
struct Found {
    count: u64,
    why: Why,
    expected: String,
    seen: String,
    /// The scenario that showed it first.
    first: u64,
}

/// What explains a difference.
enum Why {
    /// The specification leaves it open.
    Open(String),
    /// The expected failures of the host.
    Known(String),
    /// Nothing: the number of scenarios that were run again, and the result.
    New(u32, Option<Kept>),
}

impl Why {
    /// The reason; nothing if there is none.
    fn words(&self) -> String {
        match self {
            Why::Open(why) | Why::Known(why) => why.clone(),
            Why::New(..) => String::new(),
        }
    }

    /// The part of the summary that such a difference is in.
    fn title(&self) -> &'static str {
        match self {
            Why::Open(_) => "left open by the specification",
            Why::Known(_) => "expected failures",
            Why::New(_, Some(_)) => "new",
            Why::New(_, None) => "seen in the stream only, not in a new host",
        }
    }
}

/// A new difference that a new host shows, too.
pub(crate) struct Kept {
    /// Where its case is.
    pub(crate) file: String,
    /// The explained differences that come before it in the smallest scenario found.
    pub(crate) after: Vec<String>,
    pub(crate) expected: String,
    pub(crate) seen: String,
}

impl Tally {
    /// Counts a scenario.
    pub(crate) fn ran(&mut self, crashed: bool, faulted: bool) {
        self.scenarios += 1;
        self.crashes += u64::from(crashed);
        self.restarts += u64::from(faulted && !crashed);
    }

    /// Counts the differences of a scenario, and returns those that are to be run again: none that may follow from another
    /// one, unless it is a crash.
    pub(crate) fn add(
        &mut self,
        number: u64,
        differences: &[Difference],
        failures: &ExpectedFailures,
        version: Version,
    ) -> Vec<Difference> {
        let mut tainted = false;
        let mut suspects = Vec::new();
        for difference in differences {
            let why = why(difference, failures, version);
            if tainted && !difference.is_crash() && matches!(why, Why::New(..)) {
                self.following += 1;
                continue;
            }
            tainted |= difference.taints();
            let (clause, instead, _) = difference.key();
            let found = self.differences.entry((clause, instead, why.words())).or_insert_with(|| Found {
                count: 0,
                why,
                expected: difference.expected.clone(),
                seen: difference.seen.clone(),
                first: number,
            });
            found.count += 1;
            if let Why::New(tried, None) = &mut found.why
                && *tried < MAX_SUSPECTS
            {
                *tried += 1;
                suspects.push(difference.clone());
            }
        }
        suspects
    }

    /// Keeps the result for a new difference.
    pub(crate) fn keep(&mut self, key: &Key, kept: Kept) {
        if let Some(Found { why: Why::New(_, none), .. }) = self.differences.get_mut(key) {
            *none = Some(kept);
        }
    }

    /// Whether a difference still waits for an example.
    pub(crate) fn wants(&self, key: &Key) -> bool {
        matches!(self.differences.get(key), Some(Found { why: Why::New(_, None), .. }))
    }

    /// Whether nothing is new.
    pub(crate) fn is_clean(&self) -> bool {
        !self.differences.values().any(|found| matches!(found.why, Why::New(_, Some(_))))
    }

    pub(crate) fn progress(&self, elapsed: Duration) -> String {
        let new = self.differences.values().filter(|found| matches!(found.why, Why::New(_, Some(_)))).count();
        format!(
            "{:>4} s  {:>5.0} scenarios/s  {} scenarios  {} calls  {} differences, {new} new  {} crashes  {} restarts",
            elapsed.as_secs(),
            self.scenarios as f64 / elapsed.as_secs_f64(),
            self.scenarios,
            self.calls,
            self.differences.len(),
            self.crashes,
            self.restarts,
        )
    }

    /// The list of differences by clause.
    pub(crate) fn summary(&self, host: &Host, took: Duration) -> String {
        let Tally { scenarios, calls, crashes, restarts, lost, .. } = self;
        let mut out = format!(
            "{} {}: {scenarios} scenarios with {calls} calls in {} s: {:.0} scenarios/s; {crashes} crashes, {restarts} restarts, {lost} lost\n",
            host.name,
            host.version,
            took.as_secs(),
            *scenarios as f64 / took.as_secs_f64(),
        );
        let parts = [
            "new",
            "expected failures",
            "left open by the specification",
            "seen in the stream only, not in a new host",
        ];
        for title in parts {
            let own: Vec<_> = self.differences.iter().filter(|(_, found)| found.why.title() == title).collect();
            if own.is_empty() {
                continue;
            }
            let _ = writeln!(out, "\n{title}:");
            for ((clause, instead, _), found) in own {
                let _ = writeln!(out, "  {:>7} x {clause}: {instead}", found.count);
                out += &found.words();
            }
        }
        let left_out: Vec<String> =
            avoided(&host.name).map(|(function, why)| format!("  {function}: {why}\n")).collect();
        if !left_out.is_empty() {
            let _ = write!(out, "\nleft out of scripts:\n{}", left_out.concat());
        }
        let _ = writeln!(out, "\n{} differences more may follow from earlier ones of their scenarios", self.following);
        out
    }
}

impl Found {
    fn words(&self) -> String {
        match &self.why {
            Why::Open(why) | Why::Known(why) => format!("            {why}\n"),
            Why::New(_, None) => {
                let Found { expected, seen, first, .. } = self;
                format!("            expected {expected}\n            seen     {seen}\n            scenario {first}\n")
            }
            Why::New(_, Some(kept)) => {
                let after: String = kept.after.iter().map(|what| format!("            after    {what}\n")).collect();
                format!(
                    "{after}            expected {}\n            seen     {}\n            {}\n",
                    kept.expected, kept.seen, kept.file
                )
            }
        }
    }
}

fn why(difference: &Difference, failures: &ExpectedFailures, version: Version) -> Why {
    if let Some(open) = difference.open {
        return Why::Open(open.to_owned());
    }
    let is = |known: &&Known| known.differs.iter().any(|differs| difference.is(differs));
    match failures.entries(version).find(is) {
        Some(known) => Why::Known(known.does.clone()),
        None => Why::New(0, None),
    }
}
