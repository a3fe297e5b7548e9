//! What is to be run: cases paired with versions of the ABI. Pure.

use std::str::FromStr;

use pw_abi::Version;
use pw_cases::case::Case;

use crate::select::Selected;

/// A case for one version.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The case.
    pub case: &'a Case,
    /// What to call it on the command line.
    pub target: &'a str,
    /// The version.
    pub version: Version,
}

/// One of several parts of what is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 0.
    index: usize,
    of: usize,
}

impl Shard {
    /// Keeps the jobs of this part: one in every `of`.
    pub fn keep(self, jobs: &mut Vec<Job<'_>>) {
        let mut numbers = 0..jobs.len();
        jobs.retain(|_| numbers.next().is_some_and(|number| number % self.of == self.index));
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((part, of)) if (1..=of).contains(&part) => Ok(Shard { index: part - 1, of }),
            _ => Err("expected a part and how many there are, such as 1/4".to_owned()),
        }
    }
}

/// Each case for each of its versions, or for the one version that is asked for.
pub fn plan(cases: &[Selected], only: Option<Version>) -> Vec<Job<'_>> {
    let mut jobs = Vec::new();
    for Selected { case, target } in cases {
        let versions = case.versions.iter().copied().filter(|version| only.is_none_or(|only| only == *version));
        jobs.extend(versions.map(|version| Job { case, target, version }));
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_a_part_of_so_many() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 1, of: 3 }));
        for text in ["0/3", "4/3", "1/0", "1", "a/b", "1/2/3", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
