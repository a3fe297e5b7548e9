//! The reference of the language, in Markdown.

use std::fmt::Write;

use crate::language::form::{Key, Table, Usual};
use crate::language::steps::{Kind, STEPS};
use crate::language::tables::{
    ACCEPT, CALL, CASE, EXPECT, GRPC, GUEST, LIMITS_TABLE, LOG_LINE, MESSAGE, PLUGIN, STEP, WANTS,
};

const HEAD: &str = "# Reference of case files

Generated: `pw-conform schema case --markdown`. [cases.md](cases.md) is the introduction, [`cases/catalog/readme.toml`](../cases/catalog/readme.toml) an example that is
itself a case, and [`runner/schemas/case.json`](../runner/schemas/case.json) the JSON Schema for editors.

A case is one TOML 1.0 file. Its id is its path in the catalog without `.toml`. Every key is below; a key that is not is an error.

## Values

- **bytes**: `\"text\"`, `{ hex = \"00ff\" }`, or `{ repeat = \"ab\", times = 1000 }`, up to 16 MiB.
- **fields**: `[[name, value], …]`, each of them bytes, in their order. They are headers, trailers, metadata or pairs of a map.
- **address**: a number, or `\"end\"`, `\"end-4\"`, `\"end+1\"`: the first address after the probe's memory, and those before and after it.
- **argument** of a call, by the kind of its parameter. A number: `7`, `-1`, a name of its enum (`\"DEBUG\"`), or `{ saved = \"name\" }`. Bytes. A path: bytes, or
  `[\"request\", \"path\"]` for parts with a NUL between them. A map: fields, or bytes to be passed as they are. Pieces of WASI: a list of bytes. Instead of bytes, a path, a map or
  pieces also `{ address = \"end-4\", size = 16 }`: memory as it is.
- **saved numbers**: `save` keeps them; `plugin_context`, `stream_context` (the latest one) and the callback's arguments `arg0` to `arg4` are always there.
- **upstreams** that plugins can call: `auth` and `callout` respond when a step says so, `upstream` is where requests are routed to, `dead` refuses connections.
- **alternatives**: a list of acceptable values, each of which passes. The record has the one that was seen.

";

/// The page.
pub fn manual() -> String {
    let mut page = HEAD.to_owned();
    wanted(&mut page);
    for table in [&CASE, &PLUGIN, &LIMITS_TABLE] {
        section(&mut page, table);
    }
    step(&mut page);
    for table in [&GUEST, &ACCEPT, &EXPECT, &MESSAGE, &CALL, &GRPC, &LOG_LINE] {
        section(&mut page, table);
    }
    page.truncate(page.trim_end().len());
    page + "\n"
}

fn wanted(page: &mut String) {
    *page += "## Expected values\n\nA number, a name of the parameter's enum, bytes, all fields of a map in their order, or `\"untouched\"` for a place in memory that is as it was before the \
              call. Otherwise a table of these; all of its keys must hold.\n\n";
    keys(page, WANTS.keys.iter());
}

fn section(page: &mut String, table: &Table) {
    let _ = write!(page, "## {}\n\n{}\n\n", table.name, table.about);
    keys(page, table.keys.iter());
}

fn keys<'a>(page: &mut String, keys: impl Iterator<Item = &'a Key>) {
    *page += "| key | value | usually | |\n|---|---|---|---|\n";
    for key in keys {
        let _ = writeln!(page, "| `{}` | {} | {} | {} |", key.name, key.form, usual(key), key.about);
    }
    *page += "\n";
}

fn usual(key: &Key) -> String {
    match key.usual {
        Usual::Needed => "needed".to_owned(),
        Usual::Said => String::new(),
        Usual::Is(usual) => format!("`{usual}`"),
    }
}

fn step(page: &mut String) {
    let _ = write!(page, "## {}\n\n{}\n\n", STEP.name, STEP.about);
    keys(page, STEP.keys.iter());
    *page += "The kinds of steps. What a host lacks is found from them: it skips the cases that need it.\n\n\
              | key | value | | further keys | causes | needs |\n|---|---|---|---|---|---|\n";
    for Kind { key, details, callback, feature, .. } in &STEPS {
        let details: Vec<String> = details.iter().map(|key| format!("`{}`", key.name)).collect();
        let callback = callback.map_or(String::new(), |name| format!("`{name}`"));
        let feature = feature.map_or("", |feature| feature.name());
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {callback} | {feature} |",
            key.name,
            key.form,
            key.about,
            details.join(", ")
        );
    }
    *page += "\nTheir further keys:\n\n";
    let mut all: Vec<&Key> = Vec::new();
    for key in STEPS.iter().flat_map(|kind| kind.details) {
        if all.iter().all(|known| known.name != key.name || known.about != key.about) {
            all.push(key);
        }
    }
    keys(page, all.into_iter());
}
