//! Cases that have Istio's resources in place of plugins.

use pw_abi::Version;
use pw_cases::case::Case;
use pw_cases::format;

const HEAD: &str = "title = \"t\"\nclause = [\"proxy_log/OK\"]\nlevel = \"required\"\nabi = \"0.2.1\"\n";

/// A resource on one line.
fn resource(name: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: extensions.istio.io/v1alpha1, kind: WasmPlugin, metadata: {{name: {name}}}, spec: {{{spec}}}}}\n"
    )
}

/// A case with these resources in its text, or in a file beside it; `m.wat` is there too.
fn read(resources: &str, beside: bool, body: &str) -> Result<Case, String> {
    let files = |name: &str| match name {
        "chain.yaml" => Ok(resources.as_bytes().to_vec()),
        "m.wat" => Ok(b"(module (func (export \"$marker\")))".to_vec()),
        _ => Err("it is not there".to_owned()),
    };
    let value = if beside { "\"chain.yaml\"".to_owned() } else { format!("'''\n{resources}'''") };
    format::parse("id", "f", &format!("{HEAD}wasm_plugins = {value}\n{body}"), &files)
        .map_err(|error| error.to_string())
}

#[test]
fn resources_are_the_plugins_of_a_case() {
    let resources =
        resource("last", "url: file://m.wat") + "---\n" + &resource("first", "url: file://probe, phase: AUTHN");
    for beside in [true, false] {
        let case = read(&resources, beside, "").unwrap_or_else(|error| panic!("{error}"));
        let lowered = case.lower(Version::V0_2_1).unwrap_or_else(|error| panic!("{error:?}"));
        let names: Vec<&str> = lowered.scenario.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
        assert_eq!(names, ["default.first", "default.last"]);
    }
}

#[test]
fn what_a_case_cannot_have_is_said() {
    #[track_caller]
    fn check(spec: &str, expected: &str) {
        let resources = "# the chain\n".to_owned() + &resource("a", spec);
        let said = [false, true].map(|beside| read(&resources, beside, "").map(drop).expect_err(spec));
        assert_eq!(said, [format!("f:5: line 2: {expected}"), format!("f:5: chain.yaml:2: {expected}")]);
    }
    let effect = "has no effect in a case: leave it out";
    let rows = [
        ("uri: x", "spec.uri: unknown field, did you mean `url`?".to_owned()),
        ("url: x", "spec.url: x is no file: write file://probe, or a file beside the case".to_owned()),
        ("url: file://no.wat", "failed to read the module no.wat: it is not there".to_owned()),
        ("url: file://probe, selector: {}", format!("spec.selector {effect}")),
        ("url: file://probe, pluginName: a", format!("spec.pluginName {effect}")),
        (
            "url: file://probe, vmConfig: {env: [{name: A, valueFrom: HOST}]}",
            "A: a case knows nothing of the host's own environment".to_owned(),
        ),
    ];
    rows.iter().for_each(|(spec, expected)| check(spec, expected));
    check(&format!("url: file://probe, sha256: {}", "a".repeat(64)), &format!("spec.sha256 {effect}"));
}

#[test]
fn a_case_has_plugins_of_its_streams() {
    #[track_caller]
    fn check(spec: &str, body: &str, expected: Option<&str>) {
        let resources = "# the chain\n".to_owned() + &resource("a", spec);
        assert_eq!(read(&resources, false, body).map(drop).err().as_deref(), expected, "{spec}");
    }
    let none = Some("f:5: none of the plugins is on the streams of this case");
    let tcp = "[[step]]\nconnect = true\n";
    check("url: file://probe", "", None);
    check("url: file://probe", tcp, none);
    check("url: file://probe, type: NETWORK", "", none);
    check("url: file://probe, type: NETWORK", tcp, None);
    check("url: file://probe, match: [{ports: [{number: 81}]}]", "", none);
    let both = "[[plugin]]\n";
    check("url: file://probe", both, Some("f:5: `wasm_plugins` stands in place of `plugin`"));
    let twice = resource("a", "url: file://probe") + "---\n" + &resource("a", "url: file://probe");
    let said = read(&twice, true, "").map(drop).err();
    assert_eq!(said.as_deref(), Some("f:5: two resources are called `a` in the namespace default"));
}
