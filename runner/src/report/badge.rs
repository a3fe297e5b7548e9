//! A record as a badge: for shields.io's endpoint, and as an image of our own. It counts hand-written cases.

use serde_json::json;

use crate::record::Record;
use crate::report::percent;

/// The JSON that shields.io reads from an endpoint.
pub fn json(record: &Record) -> String {
    let Badge { label, message, color } = Badge::of(record);
    let badge = json!({ "schemaVersion": 1, "label": label, "message": message, "color": color.0 });
    format!("{badge:#}\n")
}

/// A flat badge.
pub fn svg(record: &Record) -> String {
    let Badge { label, message, color } = Badge::of(record);
    let (left, right) = (width(&label), width(&message));
    let whole = left + right;
    let text = |middle: f64, text: &str| {
        let length = width(text) - 10;
        format!("<text x=\"{middle}\" y=\"14\" textLength=\"{length}\">{}</text>", escaped(text))
    };
    let first = text(f64::from(left) / 2.0, &label);
    let second = text(f64::from(left) + f64::from(right) / 2.0, &message);
    let (label, message, color) = (escaped(&label), escaped(&message), color.1);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{label}: {message}">
<title>{label}: {message}</title>
<clipPath id="r"><rect width="{whole}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#555"/><rect x="{left}" width="{right}" height="20" fill="{color}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">
{first}
{second}
</g>
</svg>
"##
    )
}

struct Badge {
    label: String,
    message: String,
    /// Shields' name of it, and its value.
    color: (&'static str, &'static str),
}

impl Badge {
    fn of(record: &Record) -> Badge {
        let counts = record.counts(false);
        let (conforms, decided) = counts.share();
        let host = &record.header.host;
        let color = match (conforms * 100).checked_div(decided) {
            None => ("lightgrey", "#9f9f9f"),
            Some(100) => ("brightgreen", "#4c1"),
            Some(90..) => ("green", "#97ca00"),
            Some(75..) => ("yellow", "#dfb317"),
            Some(50..) => ("orange", "#fe7d37"),
            Some(_) => ("red", "#e05d44"),
        };
        Badge {
            label: format!("Proxy-Wasm ABI · {} {}", host.name, host.version),
            message: format!("{conforms} of {decided} · {}", percent(conforms, decided)),
            color,
        }
    }
}

/// How many pixels a text takes, with its margins; close enough, as the image says how long the text is to be.
fn width(text: &str) -> u32 {
    let tenths = |c| match c {
        c if "fijlrtI1.,:;·|!' ()".contains(c) => 42,
        c if "mwMW%".contains(c) => 104,
        _ => 69,
    };
    text.chars().map(tenths).sum::<u32>().div_ceil(10) + 10
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::sample;
    use crate::verdict::Verdict;

    #[test]
    fn a_badge_counts_what_says_whether_the_host_conforms() {
        let verdicts = [
            ("a/1", "0.2.1", Verdict::Pass),
            ("a/2", "0.2.1", Verdict::Known),
            ("a/3", "0.2.1", Verdict::Skip),
            ("a/4", "0.2.1", Verdict::Unspecified),
            ("derived/a/5", "0.2.1", Verdict::Pass),
        ];
        let json: serde_json::Value = serde_json::from_str(&json(&sample("x<y", &verdicts))).expect("it is JSON");
        let expected = serde_json::json!({
            "schemaVersion": 1, "label": "Proxy-Wasm ABI · x<y 1.2.3", "message": "1 of 2 · 50 %", "color": "orange",
        });
        assert_eq!(json, expected);
        let svg = svg(&sample("x<y", &verdicts));
        assert!(svg.contains("x&lt;y") && !svg.contains("x<y"), "{svg}");
        assert!(super::json(&sample("x", &verdicts[2..4])).contains("lightgrey"));
    }
}
