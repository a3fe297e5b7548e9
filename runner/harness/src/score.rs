//! How much of what it should a host does: of all cases of a level, so that what was not run does not make it better. Pure.

use std::fmt;

use pw_cases::case::Level;

use crate::record::Case;
use crate::verdict::Verdict;

/// The cases of a level, each once per version of the ABI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Those that the host does as they say.
    pub conforms: usize,
    /// Those that were run.
    pub run: usize,
    /// All of them.
    pub all: usize,
    /// Those of versions of the ABI that the host does not have.
    pub other_versions: usize,
}

impl Score {
    /// The score of the cases that have this level.
    pub fn of<'a>(cases: impl IntoIterator<Item = &'a Case>, level: Level) -> Score {
        let mut score = Score::default();
        let level = level.to_string();
        cases.into_iter().filter(|case| case.level == level).for_each(|case| score.add(case));
        score
    }

    /// Counts one more.
    pub fn add(&mut self, case: &Case) {
        let verdict = case.verdict;
        self.all += 1;
        self.other_versions += usize::from(case.is_of_another_version());
        self.run += usize::from(!matches!(verdict, Verdict::Skip | Verdict::Error));
        self.conforms += usize::from(matches!(verdict, Verdict::Pass | Verdict::Stale));
    }

    /// Those that were not run: skipped, or the harness failed.
    pub fn not_run(self) -> usize {
        self.all - self.run
    }

    /// Whether at least this percentage of them was run.
    pub fn covers(self, percent: u8) -> bool {
        self.run * 100 >= self.all * usize::from(percent)
    }
}

/// Such as `40 of 50 (80 %), 5 not run`.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Score { conforms, all, .. } = *self;
        if all == 0 {
            return f.write_str("–");
        }
        write!(f, "{conforms} of {all} ({})", percent(conforms, all))?;
        match (self.not_run(), self.other_versions) {
            (0, _) => Ok(()),
            (count, 0) => write!(f, ", {count} not run"),
            (count, other) => {
                write!(f, ", {count} not run, of these {other} for versions of the ABI that the host lacks")
            }
        }
    }
}

/// `96 %`; 100 only if it is all of them, and 0 only if it is none.
pub fn percent(part: usize, whole: usize) -> String {
    match (part, whole) {
        (_, 0) => "–".to_owned(),
        (part, whole) if part == whole => "100 %".to_owned(),
        (0, _) => "0 %".to_owned(),
        (part, whole) => format!("{} %", (part * 100 / whole).clamp(1, 99)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::NOT_IMPLEMENTED;
    use crate::sample::sample;

    #[test]
    fn what_was_not_run_counts_and_what_is_not_required_does_not() {
        let verdicts = [
            ("a/1", "0.2.1", Verdict::Pass),
            ("a/2", "0.2.1", Verdict::Known),
            ("a/3", "0.2.1", Verdict::Skip),
            ("a/4", "0.2.1", Verdict::Error),
            ("a/5", "0.2.1", Verdict::Stale),
            ("a/6", "0.2.1", Verdict::Unspecified),
        ];
        let mut record = sample("x", &verdicts);
        let score = Score::of(&record.cases, Level::Required);
        assert_eq!(score, Score { conforms: 2, run: 3, all: 5, other_versions: 0 });
        assert_eq!(score.to_string(), "2 of 5 (40 %), 2 not run");
        assert_eq!((score.covers(60), score.covers(61)), (true, false));
        record.cases[2].reason = Some(format!("x {NOT_IMPLEMENTED}0.2.1"));
        let text = Score::of(&record.cases, Level::Required).to_string();
        assert_eq!(text, "2 of 5 (40 %), 2 not run, of these 1 for versions of the ABI that the host lacks");
        record.cases[0].level = "recommended".to_owned();
        assert_eq!(Score::of(&record.cases, Level::Recommended).to_string(), "1 of 1 (100 %)");
        let none = Score::of(&[], Level::Required);
        assert_eq!((none.to_string().as_str(), none.covers(100)), ("–", true));
    }
}
