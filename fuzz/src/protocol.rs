//! The target `protocol`: any bytes as a line from an adapter, and to one.
//!
//! They are a message, or an error of one line. A message is the same when written and read again; and a transcript, whatever
//! it reports, can be shown, decoded and judged.

use std::sync::LazyLock;

use pw_abi::Version;
use pw_cases::case::Case;
use pw_cases::format;
use pw_cases::judge::judge;
use pw_cases::lower::Lowered;
use pw_cases::protocol::{Request, Response};
use pw_cases::report::decode;
use pw_cases::transcript::Transcript;
use pw_harness::adapter::read;
use serde::Serialize;

use crate::check::shown;

/// Cases to judge by, which the target carries with it: one of everything, one of a call, one of the SDK kit.
const TEXTS: [&str; 3] = [
    include_str!("../../cases/catalog/readme.toml"),
    include_str!("../../cases/catalog/http_calls/call.toml"),
    include_str!("../../cases/kit/authorise/allowed.toml"),
];

/// See above.
pub fn protocol(line: &[u8]) {
    match read(line) {
        Ok(response) => {
            again(&response, |line| read(line).ok());
            if let Response::Ran { events } = response {
                judged(Transcript { events });
            }
        }
        Err(error) => {
            shown(&error);
            assert!(!error.contains('\n'), "{error}");
        }
    }
    if let Ok(request) = serde_json::from_slice::<Request>(line) {
        again(&request, |line| serde_json::from_slice(line).ok());
    }
}

fn again<T: Serialize + PartialEq + std::fmt::Debug>(message: &T, read: impl Fn(&[u8]) -> Option<T>) {
    let line = serde_json::to_vec(message).expect("messages have text keys only");
    assert!(!line.contains(&b'\n'), "{message:?}");
    assert_eq!(read(&line).as_ref(), Some(message));
}

/// Whatever an adapter says of a case, it is judged.
fn judged(transcript: Transcript) {
    static CASES: LazyLock<Vec<(Case, Lowered)>> = LazyLock::new(|| {
        TEXTS
            .map(|text| {
                let case = format::parse("case", "case.toml", text, &plugin).expect("they are cases of the suite");
                let lowered = case.lower(Version::V0_2_1).expect("they are for this version too");
                (case, lowered)
            })
            .to_vec()
    });
    for (case, lowered) in &*CASES {
        let transcript = decode(transcript.clone(), &lowered.scenario);
        let _ = transcript.to_string();
        judge(case, lowered, &transcript);
    }
}

/// What the last of them runs is not run here.
fn plugin(_: &str) -> Result<Vec<u8>, String> {
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic = "right: Some"]
    fn what_is_lost_on_the_way_is_found() {
        again(&Request::Stop, |_| None);
    }
}
