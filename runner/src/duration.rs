//! Durations as they are typed.

use std::time::Duration;

/// `60s`, `500ms`, `2m`, `1h`: a number and its unit; more than zero.
///
/// # Errors
///
/// What is wrong with the text, for the command line's message.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("write a whole number and its unit, such as `60s`, `500ms`, `2m` or `1h`".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| format!("{number:?} is not a number that can be used here"))?;
    match number.checked_mul(milliseconds).filter(|span| *span <= MAX_MS) {
        Some(0) => Err("a duration has to be greater than zero".to_owned()),
        Some(span) => Ok(Duration::from_millis(span)),
        None => Err("a year is the maximum".to_owned()),
    }
}

const MAX_MS: u64 = 365 * 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_unit() {
        for (text, milliseconds) in
            [("60s", 60_000), ("500ms", 500), ("2m", 120_000), ("1h", 3_600_000), ("007s", 7_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn rejects_anything_else_with_a_reason() {
        let rows = [
            ("60", "such as `60s`"),
            ("60 s", "such as `60s`"),
            ("1.5s", "such as `60s`"),
            ("-1s", "such as `60s`"),
            ("60S", "such as `60s`"),
            ("s", "\"\" is not a number"),
            ("99999999999999999999s", "\"99999999999999999999\" is not a number"),
            ("0ms", "greater than zero"),
            ("9000h", "a year is the maximum"),
            ("18446744073709551615h", "a year is the maximum"),
        ];
        for (text, reason) in rows {
            let error = parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
