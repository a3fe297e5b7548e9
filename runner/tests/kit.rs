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
    for name in ["access_log", "headers"] {
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
    said.check(0, &["wrote mine/sdk.toml\n", "wrote mine/kit/README.md\n", "\nNext, and after each plugin:\n"]);
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
    folder.run(&["sdk", "mine"]).check(2, &["mine: no plugin of the SDK kit is here"]);
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
    folder.run(&["sdk", "mine", "headers", "--report", "part.jsonl"]).check(0, &[]);
    folder
        .run(&["report", "part.jsonl"])
        .check(2, &["part.jsonl: some of the SDK kit's cases were run: run all of them"]);
}
