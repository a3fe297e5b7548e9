//! The metrics of plugins, from Envoy's admin interface.

use serde_json::Value;

/// The path of the metrics as JSON.
pub const PATH: &str = "/stats?format=json&filter=%5Ewasmcustom%5C.";

const PREFIX: &str = "wasmcustom.";

/// Counters and gauges by the names that plugins gave them, sorted. Histograms, which have no single value, are left out.
///
/// # Errors
///
/// The answer is not Envoy's list of metrics.
pub fn metrics(answer: &[u8]) -> Result<Vec<(String, u64)>, String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    let stats = answer["stats"].as_array().ok_or("it has no `stats`")?;
    let metric =
        |stat: &Value| Some((stat["name"].as_str()?.strip_prefix(PREFIX)?.to_owned(), stat["value"].as_u64()?));
    let mut metrics: Vec<_> = stats.iter().filter_map(metric).collect();
    metrics.sort();
    Ok(metrics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_counters_and_gauges() {
        let answer = br#"{"stats":[{"name":"wasmcustom.b","value":7},{"name":"other","value":1},
            {"name":"wasmcustom.a","value":18446744073709551615},{"histograms":{"supported_quantiles":[]}}]}"#;
        assert_eq!(metrics(answer), Ok(vec![("a".to_owned(), u64::MAX), ("b".to_owned(), 7)]));
        assert!(metrics(b"{}").is_err());
        assert!(metrics(b"404").is_err());
    }
}
