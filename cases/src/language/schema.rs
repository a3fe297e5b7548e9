//! The JSON Schema of case files, for editors and for validators of any language.

use serde_json::{Map, Value as Json, json};

use crate::language::form::{Form, Key, Table, Usual};
use crate::language::steps::STEPS;
use crate::language::tables::{
    ACCEPT, CALL, CASE, EXPECT, GRPC, GUEST, LIMITS_TABLE, LOG_LINE, MESSAGE, PLUGIN, STEP, WANTS,
};
use crate::script;

/// The schema.
pub fn schema() -> Json {
    let mut defs = Map::new();
    for table in [&PLUGIN, &LIMITS_TABLE, &GUEST, &ACCEPT, &EXPECT, &MESSAGE, &CALL, &GRPC, &LOG_LINE] {
        defs.insert(table.name.to_owned(), object(table));
    }
    defs.insert(STEP.name.to_owned(), step());
    defs.insert("bytes".to_owned(), bytes());
    defs.insert("fields".to_owned(), fields());
    defs.insert("address".to_owned(), address());
    defs.insert("argument".to_owned(), argument());
    defs.insert("expected_value".to_owned(), wanted());
    let functions: Vec<&str> = script::functions().map(|row| row.name).collect();
    let callbacks: Vec<&str> = script::callbacks().map(|row| row.name).collect();
    defs.insert("function".to_owned(), json!({ "enum": functions }));
    defs.insert("callback".to_owned(), json!({ "enum": callbacks }));
    let mut schema = object(&CASE);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "A conformance case of Proxy-Wasm".into();
    schema["anyOf"] = json!([{ "required": ["statement"] }, { "required": ["clause"] }]);
    schema["$defs"] = Json::Object(defs);
    schema
}

fn object(table: &Table) -> Json {
    let mut schema = json!({
        "description": table.about,
        "type": "object",
        "properties": properties(table.keys.iter()),
        "additionalProperties": false,
    });
    let needed: Vec<&str> =
        table.keys.iter().filter(|key| matches!(key.usual, Usual::Needed)).map(|key| key.name).collect();
    if !needed.is_empty() {
        schema["required"] = needed.into();
    }
    schema
}

fn properties<'a>(keys: impl Iterator<Item = &'a Key>) -> Json {
    let property = |key: &Key| {
        let mut schema = form(&key.form);
        schema["description"] = key.about.into();
        if let Usual::Is(usual) = key.usual {
            schema["default"] = serde_json::from_str(usual).unwrap_or_default();
        }
        (key.name.to_owned(), schema)
    };
    Json::Object(keys.map(property).collect())
}

/// A step: one of its kinds, with the keys that this kind can have.
fn step() -> Json {
    let (start, common) = STEP.keys.split_at(1);
    let one = |key: &Key, details: &[Key]| {
        let mut needed = vec![key.name];
        needed.extend(details.iter().filter(|key| matches!(key.usual, Usual::Needed)).map(|key| key.name));
        json!({
            "description": key.about,
            "type": "object",
            "properties": properties([key].into_iter().chain(details).chain(common)),
            "required": needed,
            "additionalProperties": false,
        })
    };
    let kinds = start.iter().map(|key| one(key, &[])).chain(STEPS.iter().map(|kind| one(&kind.key, kind.details)));
    json!({ "description": STEP.about, "oneOf": kinds.collect::<Vec<_>>() })
}

fn form(form: &Form) -> Json {
    let def = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    match form {
        Form::Text => json!({ "type": "string" }),
        Form::Flag => json!({ "type": "boolean" }),
        Form::True => json!({ "const": true }),
        Form::Number(least, most) => {
            let mut schema = json!({ "type": "integer" });
            if *least > i64::MIN {
                schema["minimum"] = (*least).into();
            }
            if *most < i64::MAX {
                schema["maximum"] = (*most).into();
            }
            schema
        }
        Form::Bytes => def("bytes"),
        Form::Fields => def("fields"),
        Form::Word(words) => json!({ "enum": words }),
        Form::Function => def("function"),
        Form::Callback => def("callback"),
        Form::PluginCallback => json!({ "type": "string" }),
        Form::Address => def("address"),
        Form::Status => json!({ "type": ["string", "integer"] }),
        Form::Argument => def("argument"),
        Form::Wanted => def("expected_value"),
        Form::Result => json!({ "type": ["string", "boolean", "integer"] }),
        Form::List(item) => json!({ "type": "array", "items": self::form(item) }),
        Form::AnyOf(one) => {
            json!({ "anyOf": [self::form(one), { "type": "array", "items": self::form(one), "minItems": 1 }] })
        }
        Form::Map(item) => json!({ "type": "object", "additionalProperties": self::form(item) }),
        Form::Table(table) => def(table.name),
        Form::Arguments => json!({
            "type": "object",
            "properties": { "callback": { "type": "string" } },
            "required": ["callback"],
            "additionalProperties": def("expected_value"),
        }),
        Form::Or(forms) => json!({ "anyOf": forms.iter().map(self::form).collect::<Vec<_>>() }),
    }
}

fn bytes() -> Json {
    json!({
        "description": "Bytes: text, hex digits, or a text several times.",
        "anyOf": [
            { "type": "string" },
            {
                "type": "object",
                "properties": { "hex": { "type": "string", "pattern": "^([0-9a-fA-F]{2}| )*$" } },
                "required": ["hex"],
                "additionalProperties": false,
            },
            {
                "type": "object",
                "properties": { "repeat": { "type": "string" }, "times": { "type": "integer", "minimum": 0 } },
                "required": ["repeat", "times"],
                "additionalProperties": false,
            },
        ],
    })
}

fn fields() -> Json {
    json!({
        "description": "Fields in their order: names and values.",
        "type": "array",
        "items": { "type": "array", "items": form(&Form::Bytes), "minItems": 2, "maxItems": 2 },
    })
}

fn address() -> Json {
    json!({
        "description": "A number, or an offset from the first address after the probe's memory.",
        "anyOf": [{ "type": "integer" }, { "type": "string", "pattern": "^end([+-][0-9]+)?$" }],
    })
}

fn argument() -> Json {
    json!({
        "description": "An argument: a number, a name of the parameter's enum, bytes, a path, fields, pieces, a saved number, or a place in memory.",
        "anyOf": [
            { "type": ["integer", "boolean", "string", "array"] },
            form(&Form::Bytes),
            {
                "type": "object",
                "properties": { "saved": { "type": "string" } },
                "required": ["saved"],
                "additionalProperties": false,
            },
            {
                "type": "object",
                "properties": { "address": form(&Form::Address), "size": { "type": "integer" } },
                "required": ["address", "size"],
                "additionalProperties": false,
            },
        ],
    })
}

fn wanted() -> Json {
    json!({
        "description": "An expected value: a number, a name of the enum, bytes, fields, \"untouched\", or a table of constraints.",
        "anyOf": [
            { "type": ["integer", "boolean"] },
            form(&Form::Bytes),
            form(&Form::Fields),
            {
                "type": "object",
                "properties": properties(WANTS.keys.iter()),
                "additionalProperties": false,
                "minProperties": 1,
            },
        ],
    })
}
