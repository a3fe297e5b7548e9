//! `try` with Istio's resources, as it is typed.

mod support;

use std::path::Path;

use support::Folder;

/// A folder with modules of the catalog below `modules`: `crash.wasm`, which traps at a request with x-crash and marks
/// any other, `configured.wasm`, which marks requests with its configuration, and `listing.wasm`, which logs its two
/// environment variables.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    std::fs::create_dir_all(folder.path("modules")).unwrap_or_else(|error| panic!("{error}"));
    for module in ["faults/crash", "extensions/rollout/configured", "environment_variables/listing"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases/catalog").join(module).with_extension("wat");
        let text = std::fs::read_to_string(&source).unwrap_or_else(|error| panic!("{module}: {error}"));
        let wasm = wat::parse_str(text.replace("$marker", "proxy_abi_version_0_2_1"));
        let wasm = wasm.unwrap_or_else(|error| panic!("{module}: {error}"));
        let name = Path::new(module).file_name().unwrap_or_default().to_string_lossy();
        folder.write_bytes(&format!("modules/{name}.wasm"), &wasm);
    }
    folder
}

/// A resource in the namespace `shop`; each line of `spec` is one of its spec's.
fn resource(name: &str, spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: {name}\n  namespace: shop\n\
         spec:\n{spec}"
    )
}

const CRASH: &str = "url: file://modules/crash.wasm";

#[test]
fn the_chain_is_shown_in_its_order() {
    let folder = folder("wasm_plugin_order");
    let first = resource("stats", &format!("{CRASH}\nphase: STATS\nfailStrategy: FAIL_RELOAD"));
    let network = resource("network", &format!("{CRASH}\ntype: NETWORK"));
    folder.write("one.yaml", &format!("{first}---\n{network}"));
    let second =
        resource("auth", &format!("{CRASH}\nphase: AUTHN\npriority: -7\nfailStrategy: FAIL_OPEN\nselector: {{}}"));
    folder.write("two.yaml", &second);
    let port = resource("port", &format!("{CRASH}\nmatch:\n- ports:\n  - number: 8443"));
    folder.write("port.yaml", &port);
    let files = ["try", "--wasm-plugin", "one.yaml", "--wasm-plugin", "two.yaml", "--wasm-plugin", "port.yaml"];
    let listing = "# the chain of a request inbound to port 80\n  \
        1. shop.auth: AUTHN, priority -7, FAIL_OPEN\n  \
        2. shop.stats: STATS, no priority, FAIL_RELOAD\n  \
        left out: shop.network: its type is NETWORK, and the stream is HTTP\n  \
        left out: shop.port: its match is of other traffic than inbound to port 80\n  \
        note: without effect here: selector of shop.auth\n";
    let said = folder.run(&[&files[..], &["/path"]].concat());
    said.check(0, &[listing, "\":path\": \"/path\"", "\"x-plugin\": \"alive\", \"x-plugin\": \"alive\"}"]);
    let other = folder.run(&[&files[..], &["-H", "host: shop.test:8443"]].concat());
    other.check(0, &["inbound to port 8443\n", "  3. shop.port: UNSPECIFIED_PHASE, no priority, FAIL_CLOSE\n"]);
}

#[test]
fn fail_open_and_fail_close_are_at_work() {
    let folder = folder("wasm_plugin_failure");
    let rows = [
        ("FAIL_OPEN", "\"x-crash\": \"now\"} end\n# the upstream answers\nclient 0 <- headers {\":status\": \"200\""),
        ("FAIL_CLOSE", "client 0 <- headers {\":status\": \"503\"} end\n"),
        ("FAIL_RELOAD", "client 0 <- headers {\":status\": \"503\"} end\n"),
    ];
    for (strategy, then) in rows {
        let crash = resource("crash", &format!("{CRASH}\nfailStrategy: {strategy}"));
        folder.write("crash.yaml", &crash);
        let said = folder.run(&["try", "--wasm-plugin", "crash.yaml", "-H", "x-crash: now"]);
        said.check(1, &["shop.crash: fault: ", then]);
        assert_eq!(said.out.contains("upstream 0"), strategy == "FAIL_OPEN", "{}", said.out);
    }
}

#[test]
fn a_plugin_that_fails_open_leaves_the_stream_to_the_next() {
    let folder = folder("wasm_plugin_two");
    let open = resource("open", &format!("{CRASH}\nphase: AUTHN\nfailStrategy: FAIL_OPEN"));
    folder.write("chain.yaml", &format!("{}---\n{open}", resource("closed", CRASH)));
    let said = folder.run(&["try", "--wasm-plugin", "chain.yaml", "-H", "x-crash: now"]);
    said.check(1, &["shop.open: fault: ", "shop.closed: fault: ", "client 0 <- headers {\":status\": \"503\"} end\n"]);
}

#[test]
fn a_plugin_that_does_not_start_is_passed_over_if_it_fails_open() {
    let folder = folder("wasm_plugin_start");
    folder.write("good.yaml", &resource("good", CRASH));
    let wat = "(module (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\"))
        (func (export \"malloc\") (param i32) (result i32) (i32.const 0))
        (func (export \"proxy_on_configure\") (param i32 i32) (result i32) (i32.const 0)))";
    let wasm = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"));
    folder.write_bytes("modules/refuses.wasm", &wasm);
    let chain = ["try", "--wasm-plugin", "refuses.yaml", "--wasm-plugin", "good.yaml"];
    let refuses =
        |strategy: &str| resource("refuses", &format!("url: file://modules/refuses.wasm\nfailStrategy: {strategy}"));
    folder.write("refuses.yaml", &refuses("FAIL_OPEN"));
    let texts = ["shop.refuses is FAIL_OPEN: the chain continues without it\n", "\"x-plugin\": \"alive\"}"];
    folder.run(&chain).check(0, &texts);
    folder.write("refuses.yaml", &refuses("FAIL_CLOSE"));
    folder.run(&chain).check(1, &["shop.refuses is not FAIL_OPEN, and was not started", "returned false"]);
}

#[test]
fn plugins_get_what_their_resources_say() {
    let folder = folder("wasm_plugin_gets");
    let configured = "url: file://modules/configured.wasm\npluginConfig: {name: on, list: [1, x]}";
    let listing = "url: file://modules/listing.wasm\nvmConfig:\n  env:\n  - name: A\n    value: given\n  \
        - name: B\n    valueFrom: HOST\n  - name: PW_NO_SUCH_VARIABLE\n    valueFrom: HOST";
    let json = format!(
        "{{\"apiVersion\": \"extensions.istio.io/v1alpha1\", \"kind\": \"WasmPlugin\",\n\
         \"metadata\": {{\"name\": \"json\"}},\n\
         \"spec\": {{\"url\": \"file://{}\", \"pluginConfig\": {{\"a\": \"\\ud83d\\ude00\"}}}}}}",
        folder.path("modules/configured.wasm")
    );
    folder.write("chain.yaml", &format!("{}---\n{}", resource("configured", configured), resource("listing", listing)));
    folder.write("chain.json", &json);
    let chain = ["try", "--wasm-plugin", "chain.yaml", "--wasm-plugin", "chain.json"];
    let said = folder.run_with(&chain, &[("B", "the host's")]);
    let texts = [
        "\"x-plugin\": \"{\\\"list\\\":[1,\\\"x\\\"],\\\"name\\\":true}\"",
        "\"x-plugin\": \"{\\\"a\\\":\\\"😀\\\"}\"",
        "shop.listing: log INFO \"A=given\"",
        "shop.listing: log INFO \"B=the host's\"",
    ];
    said.check(0, &texts);
}

#[test]
fn what_is_wrong_is_said_with_file_line_and_path() {
    let folder = folder("wasm_plugin_wrong");
    let wrong = "a".repeat(64);
    let digest = format!("{CRASH}\nsha256: {wrong}");
    let rows = [
        ("phase: AUTHN", "bad.yaml:6: spec: `url` is missing"),
        ("url: file://modules/no.wasm", "bad.yaml:7: spec.url: failed to read modules/no.wasm: "),
        ("url: file://bad.yaml", "bad.yaml:7: spec.url: failed to load bad.yaml: "),
        ("url: ghcr.io/a/b:1", "bad.yaml:7: spec.url: ghcr.io/a/b:1 is an image, which is not fetched here"),
        ("url: oci://a/b", "bad.yaml:7: spec.url: oci://a/b is an image, which is not fetched here"),
        ("url: https://a/b.wasm", "https://a/b.wasm is not fetched here: download it, and write file://PATH"),
        ("url: b.wasm", "b.wasm is the name of an image, for it has no scheme: write file://b.wasm"),
        (&digest, "bad.yaml:8: spec.sha256: modules/crash.wasm has "),
        (&digest, &format!(", and the resource says {wrong}")),
        (
            "url: file://x\nfailstrategy: FAIL_OPEN",
            "bad.yaml:8: spec.failstrategy: unknown field, did you mean `failStrategy`?",
        ),
        (
            "url: file://x\nvmConfig:\n  env:\n  - name: A\n  - name: B\n    valueFrom: HSOT",
            "bad.yaml:12: spec.vmConfig.env[1].valueFrom: unknown value `HSOT`, did you mean `HOST`?",
        ),
    ];
    for (spec, expected) in rows {
        folder.write("bad.yaml", &resource("bad", spec));
        let said = folder.run(&["try", "--wasm-plugin", "bad.yaml"]);
        said.check(2, &[expected]);
        assert_eq!(said.out, "", "{spec}");
    }
    let twice = format!("{}---\n{}", resource("good", CRASH), resource("bad", "url: []"));
    folder.write("bad.yaml", &twice);
    let place = "bad.yaml:15: document 2: spec.url: expected a text, found a list";
    folder.run(&["try", "--wasm-plugin", "bad.yaml"]).check(2, &[place]);
    folder.write("bad.yaml", "kind: WasmPlugin\nspec: a: b\n");
    folder.run(&["try", "--wasm-plugin", "bad.yaml"]).check(2, &["bad.yaml:2: this is not YAML: "]);
    folder.run(&["try", "--wasm-plugin", "no.yaml"]).check(2, &["failed to read no.yaml: "]);
}

#[test]
fn a_module_and_resources_do_not_go_together() {
    let folder = folder("wasm_plugin_both");
    folder.write("good.yaml", &resource("good", CRASH));
    let rows: [(&[&str], &str); 5] = [
        (&["modules/crash.wasm", "/"], "modules/crash.wasm: with --wasm-plugin the resources name the modules"),
        (&["modules/crash.wasm"], "\"modules/crash.wasm\" is not a path: write one that begins with `/`"),
        (&["--config", "{}"], "'--wasm-plugin <FILE>' cannot be used with '--config <FILE|TEXT>'"),
        (&["--wasm-plugin", "good.yaml"], "two resources are called `good` in the namespace shop"),
        (&["-H", "bad"], "\"bad\" is not a header"),
    ];
    for (args, expected) in rows {
        folder.run(&[&["try", "--wasm-plugin", "good.yaml"], args].concat()).check(2, &[expected]);
    }
    folder.run(&["try"]).check(2, &["<PLUGIN.wasm>", "--wasm-plugin <FILE>"]);
}
