//! What makers of SDKs get: `init sdk`, `sdk`, and the reports of its records.

mod support;

use std::path::Path;

use pw_harness::embedded;
use support::Folder;

/// A build of the kit in which a plugin fails for a reason that is known.
fn build(folder: &Folder) {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases/plugins/rust-0.2.5");
    std::fs::create_dir_all(folder.path("mine")).unwrap_or_else(|error| panic!("{error}"));
    let mut manifest = String::from("sdk = \"mine\"\nversion = \"1.0\"\nlanguage = \"Rust\"\n");
    for name in ["access_log", "body"] {
        let wasm = std::fs::read(modules.join(name).with_extension("wasm"));
        folder.write_bytes(&format!("mine/{name}.wasm"), &wasm.unwrap_or_else(|error| panic!("{name}: {error}")));
        manifest += &format!("[plugin.{name}]\nmodule = \"{name}.wasm\"\n");
    }
    folder.write("mine/sdk.toml", &(manifest + "[plugin.tcp]\nnot_offered = \"no TCP (src/a)\"\n"));
    let known = "[[known]]\ncase = \"access_log/any_bytes\"\ndoes = \"logs U+FFFD\"\nwhy = \"it takes text (src/b)\"\n";
    folder.write("mine/known.toml", known);
}

#[test]
fn a_manifest_and_the_readmes_are_written_into_a_free_folder_only() {
    let folder = Folder::new("kit_init");
    let said = folder.run(&["init", "sdk", "mine"]);
    said.check(0, &["wrote mine/sdk.toml\n", "wrote mine/kit/README.md\n", "\nThen, and after each plugin:\n"]);
    let manifest = folder.read("mine/sdk.toml");
    for plugin in embedded::kit() {
        assert!(manifest.contains(&format!("\n# [plugin.{plugin}]\n# module = \"{plugin}.wasm\"\n")), "{plugin}");
        let readme = folder.read(&format!("mine/kit/{plugin}/README.md"));
        assert!(readme.starts_with(&format!("# {plugin}\n")), "{readme}");
    }
    // Its links lead to what is in the folder.
    let manual = folder.read("mine/README.md");
    assert!(manual.contains("](kit/headers/README.md)") && !manual.contains("](../cases/kit/"), "{manual}");
    assert!(folder.read("mine/kit/README.md").contains("](../README.md)"));
    folder.run(&["sdk", "mine"]).check(2, &["mine/sdk.toml: it names no module yet"]);
    folder.run(&["sdk", "cases"]).check(2, &["cases: no plugin of the SDK kit is here"]);
    folder.write_bytes("a.wasm", b"\0asm");
    folder.run(&["sdk", "a.wasm"]).check(2, &["a.wasm: this is a module, and no manifest"]);
    folder.write("mine/README.md", "mine");
    folder.run(&["init", "sdk", "mine"]).check(2, &["mine is there and not empty"]);
    assert_eq!(folder.read("mine/README.md"), "mine");
}

#[test]
fn records_of_the_kit_have_reports_of_their_own() {
    let folder = Folder::new("kit_report");
    build(&folder);
    let said = folder.run(&["sdk", "mine", "--report", "sdk.jsonl"]);
    said.check(0, &["plugins: 1 of 15 pass, 1 with expected failures, 1 not offered, 12 missing"]);
    let texts = ["wrote out/mine-1.0.badge.json\n", "wrote out/sdks.md\n"];
    let said = folder.run(&["report", "sdk.jsonl", "--out", "out"]);
    said.check(0, &texts);
    assert!(!said.out.contains("matrix"), "{}", said.out);
    assert!(folder.read("out/mine-1.0.badge.json").contains("1 of 15 plugins, 1 host"));
    let page = folder.read("out/sdks.md");
    for line in ["- `tcp` is not offered: no TCP (src/a)\n", "| logs U+FFFD (it takes text (src/b)) | reference | 1 |"]
    {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    folder.run(&["run", "http_fields/add_value", "--report", "host.jsonl"]).check(0, &[]);
    let both = ["report", "host.jsonl", "sdk.jsonl", "--out", "both"];
    folder.run(&both).check(0, &["wrote both/matrix.md\n", "wrote both/sdks.md\n"]);
    assert!(!folder.read("both/matrix.md").contains("access_log"));
    assert_eq!(folder.run(&["coverage", "sdk.jsonl"]).out, folder.run(&["coverage"]).out);
    folder.write("again.jsonl", &folder.read("sdk.jsonl"));
    let twice = ["report", "sdk.jsonl", "again.jsonl"];
    folder.run(&twice).check(2, &["again.jsonl: a second record of the SDK mine 1.0 on reference 0.1.0"]);
    folder.run(&["sdk", "mine", "body", "--report", "part.jsonl"]).check(0, &[]);
    folder
        .run(&["report", "part.jsonl"])
        .check(2, &["part.jsonl: some of the SDK kit's cases were run: run all of them"]);
}

/// A plugin that traps if a map of fields is written as one byte, and that hides a request's path.
const NARROW: &str = r#"(module
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) ":path/")
  (func (export "$marker"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $replace (i32.const 0) (i32.const 16) (i32.const 5) (i32.const 21) (i32.const 1)))
    (i32.const 0))
  (func (export "proxy_on_request_trailers") (param i32 i32) (result i32)
    (drop (call $pairs (i32.const 1) (i32.const 0) (i32.const 4)))
    (if (i32.eq (i32.load (i32.const 4)) (i32.const 1)) (then unreachable))
    (i32.const 0)))"#;
const STREAM: &str = "title = \"a stream\"\nclause = [\"#integration\"]\nlevel = \"extension\"\nabi = \"0.2.1\"\n\
    [[plugin]]\nmodule = \"narrow.wat\"\n\
    [[step]]\nrequest_headers = [[\":method\", \"GET\"], [\":path\", \"/secret\"], [\":authority\", \"a\"], [\":scheme\", \"http\"]]\nend_of_stream = false\n\
    [[step]]\nrequest_body = \"body\"\nend_of_stream = false\n\
    [[step]]\nrequest_trailers = []\n\
    [[step]]\nresponse_headers = [[\":status\", \"200\"]]\n";

#[test]
fn a_plugin_that_traps_on_another_host_is_found_and_written_down() {
    let folder = Folder::new("kit_variations");
    folder.write("cases/narrow.wat", NARROW);
    folder.write("cases/stream.toml", STREAM);
    let said = folder.run(&["run", "cases/stream.toml", "--variations=1"]);
    let find = "find  narrow.wat: traps in proxy_on_request_trailers, after proxy_get_header_map_pairs returned OK\n";
    said.check(1, &[find, "host   empty_maps_are_a_nul = true", "1 find\n"]);
    // It is small, and shows the same with no flag but that of the command.
    let case = folder.read("finds/narrow_proxy_on_request_trailers.toml");
    assert!(case.contains("choices = { empty_maps_are_a_nul = true }") && !case.contains("request_body"), "{case}");
    assert!(case.contains("module = \"../cases/narrow.wat\""), "{case}");
    let words: Vec<&str> = said
        .out
        .lines()
        .find_map(|line| line.trim().split_once(" explain "))
        .map(|(_, words)| words.split(' ').collect())
        .expect("a command shows it");
    folder.run(&[&["explain"], &words[..]].concat()).check(1, &["expected to run without a fault", "unreachable"]);
    // A case that shows it as it is needs no find.
    std::fs::rename(folder.path("finds"), folder.path("more")).unwrap_or_else(|error| panic!("{error}"));
    let said = folder.run(&["run", "cases/stream.toml", "more", "--variations=0"]);
    said.check(0, &["0 finds; 1 fault that cases show as they are\n"]);
    assert!(!Path::new(&folder.path("finds")).exists());
}

#[test]
fn what_is_tried_are_plugins_on_the_reference_host() {
    let folder = Folder::new("kit_beyond");
    folder.write("cases/narrow.wat", NARROW);
    folder.write("cases/stream.toml", STREAM);
    folder.write("cases/probe.toml", "title = \"t\"\nclause = [\"#integration\"]\nlevel = \"extension\"\n");
    let rows: [(&[&str], &str); 5] = [
        (&["run", "cases/probe.toml", "--variations"], "none of these cases has only plugins with a `module`"),
        (&["run", "cases/probe.toml", "--leaks"], "none of these cases has only plugins with a `module`"),
        (&["run", "--variations", "--host", "envoy"], "--variations runs on the reference host"),
        (&["run", "--variations", "--leaks"], "cannot be used with"),
        (&["run", "cases/stream.toml", "--variations", "--finds", "cases/probe.toml"], "cases/probe.toml"),
    ];
    for (words, message) in rows {
        folder.run(words).check(2, &[message]);
    }
    let choices = "title = \"t\"\nclause = [\"#integration\"]\nlevel = \"extension\"\nchoices = { no_such = true }\n";
    folder.write("cases/choices.toml", choices);
    folder.run(&["run", "cases/choices.toml"]).check(2, &["the reference host has no choice `no_such`"]);
    folder.write("cases/choices.toml", &choices.replace("extension", "required"));
    folder.run(&["run", "cases/choices.toml"]).check(2, &["cases/choices.toml:4: only cases of level extension"]);
}

#[test]
fn a_plugin_that_keeps_what_it_got_leaks() {
    let folder = Folder::new("kit_leaks");
    folder.write("cases/stream.toml", STREAM);
    folder.write("cases/narrow.wat", NARROW);
    folder.run(&["run", "cases/stream.toml", "--leaks"]).check(0, &["1 of 1 cases repeated 10000 times: 0 with"]);
    let keeps = "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)\n    (drop (memory.grow (i32.eqz (i32.rem_u (local.get 0) (i32.const 500)))))";
    let head = "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)";
    folder.write("cases/narrow.wat", &NARROW.replace(head, keeps));
    let said = folder.run(&["run", "cases/stream.toml", "--leaks"]);
    said.check(1, &["leak  narrow.wat: its memory grows: ", "cases  stream (ABI v0.2.1)"]);
}
