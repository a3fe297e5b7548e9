//! Records of the SDK kit: how its plugins, built with an SDK, do on hosts. Knows nothing of the specification and its cases. Pure.

pub mod badge;
pub mod page;

use pw_harness::record::{Counts, Judged, Record};
use pw_harness::sdk::Standing;

/// A build of the kit with an SDK, on the hosts where it was judged.
pub struct Build<'a> {
    /// The SDK.
    pub sdk: &'a Judged,
    /// The plugins of the kit.
    kit: &'a [&'a str],
    /// A record per host.
    records: Vec<&'a Record>,
}

/// The builds in records of the kit, in the order of their first records; `kit` has the names of its plugins.
pub fn builds<'a>(records: &'a [Record], kit: &'a [&'a str]) -> Vec<Build<'a>> {
    let mut builds: Vec<Build<'_>> = Vec::new();
    for record in records {
        let Some(sdk) = &record.header.sdk else { continue };
        match builds.iter_mut().find(|build| build.is_of(sdk)) {
            Some(build) => build.records.push(record),
            None => builds.push(Build { sdk, kit, records: vec![record] }),
        }
    }
    builds
}

impl Build<'_> {
    fn is_of(&self, sdk: &Judged) -> bool {
        (&self.sdk.name, &self.sdk.version) == (&sdk.name, &sdk.version)
    }

    /// The SDK's name and version.
    fn title(&self) -> String {
        format!("{} {}", self.sdk.name, self.sdk.version).trim_end().to_owned()
    }

    /// How a plugin of the kit does in a record.
    fn standing(&self, record: &Record, plugin: &str) -> Standing {
        let sdk = record.header.sdk.as_ref().unwrap_or(self.sdk);
        if sdk.not_offered.contains_key(plugin) {
            return Standing::NotOffered;
        }
        if sdk.missing.iter().any(|missing| missing == plugin) {
            return Standing::Missing;
        }
        Standing::of(Counts::of(record.cases.iter().filter(|case| case.section() == plugin)))
    }

    /// How a plugin does over all hosts: as on the one where it does worst, but for hosts that can run none of its cases, if there are others.
    fn overall(&self, plugin: &str) -> Standing {
        let all = self.records.iter().map(|record| self.standing(record, plugin));
        let (not_run, run): (Vec<_>, Vec<_>) = all.partition(|standing| *standing == Standing::NotRun);
        run.into_iter().max().or(not_run.first().copied()).unwrap_or(Standing::Missing)
    }

    /// How many plugins do so over all hosts.
    fn count(&self, standing: Standing) -> usize {
        self.kit.iter().filter(|plugin| self.overall(plugin) == standing).count()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use pw_harness::sample::sample;
    use pw_harness::verdict::Verdict;

    /// The plugins of a small kit.
    pub(crate) const KIT: [&str; 4] = ["body", "headers", "state", "tcp"];

    /// A record of the SDK `s` 1.0, which does not offer `tcp`.
    pub(crate) fn judged(host: &str, verdicts: &[(&str, Verdict)]) -> Record {
        let lines: Vec<_> = verdicts.iter().map(|(id, verdict)| (*id, "0.2.1", *verdict)).collect();
        let mut record = sample(host, &lines);
        record.header.sdk = Some(Judged {
            name: "s".to_owned(),
            version: "1.0".to_owned(),
            language: "L".to_owned(),
            not_offered: [("tcp".to_owned(), "no | contexts (src/x)".to_owned())].into(),
            ..Judged::default()
        });
        record
    }

    #[test]
    fn a_plugin_does_as_on_the_host_where_it_does_worst() {
        use Verdict::{Fail, Known, Pass, Skip};
        let rows = [
            ([Pass, Pass], Standing::Passes),
            ([Pass, Skip], Standing::Passes),
            ([Skip, Skip], Standing::NotRun),
            ([Known, Pass], Standing::Known),
            ([Skip, Known], Standing::Known),
            ([Known, Fail], Standing::Fails),
        ];
        for (verdicts, expected) in rows {
            let [one, two] = verdicts.map(|verdict| [("body/x", verdict)]);
            let records = [judged("one", &one), judged("two", &two)];
            let builds = builds(&records, &KIT);
            assert_eq!((builds.len(), builds[0].overall("body")), (1, expected), "{verdicts:?}");
            assert_eq!(builds[0].overall("tcp"), Standing::NotOffered);
        }
    }

    #[test]
    fn versions_of_an_sdk_are_builds_of_their_own() {
        let mut records = [(); 3].map(|()| judged("one", &[("body/x", Verdict::Pass)]));
        records[1].header.sdk = records[1].header.sdk.clone().map(|sdk| Judged { version: "1.1".to_owned(), ..sdk });
        let builds = builds(&records, &KIT);
        let titles: Vec<String> = builds.iter().map(Build::title).collect();
        assert_eq!((titles, builds[0].records.len()), (vec!["s 1.0".to_owned(), "s 1.1".to_owned()], 2));
    }
}
