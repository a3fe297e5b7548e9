//! Bytes and fields as the protocol has them.

use proxy_wasm_host::{HeaderMapExt, VecHeaderMap};
use serde_json::{Value, json};

/// The bytes of a string of the protocol, or of `{"hex": "00ff"}`.
pub fn bytes(data: &Value) -> Vec<u8> {
    match data["hex"].as_str() {
        Some(hex) => hex
            .as_bytes()
            .chunks(2)
            .filter_map(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok())
            .collect(),
        None => data.as_str().unwrap_or_default().into(),
    }
}

/// Bytes as the protocol has them: a string if they are UTF-8, else `{"hex": "00ff"}`.
pub fn data(bytes: &[u8]) -> Value {
    match str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    }
}

/// The fields of a step.
pub fn fields(fields: &Value) -> VecHeaderMap {
    fields.as_array().into_iter().flatten().map(|field| (bytes(&field[0]), bytes(&field[1]))).collect()
}

/// Fields for an event.
pub fn seen(fields: &VecHeaderMap) -> Value {
    pairs(&fields.pairs())
}

/// The same, of pairs.
pub fn pairs(fields: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> Value {
    fields.iter().map(|(name, value)| json!([data(name.as_ref()), data(value.as_ref())])).collect()
}
