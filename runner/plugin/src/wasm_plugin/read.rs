//! Resources from text: which fields there are, and what may stand in them, as Istio's
//! `extensions/v1alpha1/wasm.proto` and its annotations for the cluster say.

use crate::wasm_plugin::node::{Node, Object};
use crate::wasm_plugin::resource::{FAIL_STRATEGIES, Kind, Lined, Phase, Selector, Url, Variable, WasmPlugin};
use crate::wasm_plugin::yaml::documents;
use pw_cases::data::Data;
use pw_cases::format::{Complaint, Read, meant};
use pw_cases::scenario::Failure;

const API_VERSION: &str = "extensions.istio.io/v1alpha1";
const KIND: &str = "WasmPlugin";

/// What any resource of Kubernetes may have.
const METADATA: [&str; 15] = [
    "name",
    "namespace",
    "labels",
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

const SPEC: [&str; 16] = [
    "selector",
    "targetRef",
    "targetRefs",
    "url",
    "sha256",
    "imagePullPolicy",
    "imagePullSecret",
    "verificationKey",
    "pluginConfig",
    "pluginName",
    "phase",
    "priority",
    "failStrategy",
    "vmConfig",
    "match",
    "type",
];

/// Longest text where Istio sets no limit.
const ANY: usize = 1 << 20;

/// The resources of a text of YAML or JSON, which may have several documents. A complaint names the path, and which
/// document if there are several.
pub fn read(source: &str) -> Read<Vec<WasmPlugin>> {
    let documents = documents(source)?;
    if documents.is_empty() {
        return Err(Complaint { line: 1, message: format!("there is no {KIND} in it") });
    }
    let several = documents.len() > 1;
    let number = |index: usize, complaint: Complaint| match several {
        true => Complaint { message: format!("document {}: {}", index + 1, complaint.message), ..complaint },
        false => complaint,
    };
    let resources = documents.iter().enumerate();
    resources.map(|(index, document)| resource(document).map_err(|complaint| number(index, complaint))).collect()
}

fn resource(document: &Node) -> Read<WasmPlugin> {
    let object = document.object(&["apiVersion", "kind", "metadata", "spec", "status"])?;
    for (field, expected) in [("kind", KIND), ("apiVersion", API_VERSION)] {
        let node = object.need(field)?;
        if node.text(0..=ANY)? != expected {
            return node.expected(&format!("`{expected}`, which alone is read here"));
        }
    }
    let metadata = object.need("metadata")?.object(&METADATA)?;
    let name = object_name(metadata.need("name")?)?;
    let namespace = metadata.map("namespace", object_name)?.unwrap_or("default");
    let created = metadata.map("creationTimestamp", |node| node.text(0..=ANY))?.unwrap_or_default();
    let spec = object.need("spec")?.object(&SPEC)?;
    let sha256 = spec.map("sha256", digest)?.flatten();
    Ok(WasmPlugin {
        line: document.line,
        name: format!("{namespace}.{name}"),
        namespace: namespace.to_owned(),
        created: created.to_owned(),
        url: url(spec.need("url")?, sha256.as_ref())?,
        sha256,
        phase: spec.map("phase", |node| node.one_of(&Phase::ALL))?.unwrap_or(Phase::Unspecified),
        priority: spec.map("priority", |node| node.number(i32::MIN.into()..=i32::MAX.into()))?,
        failure: spec.map("failStrategy", |node| node.one_of(&FAIL_STRATEGIES))?.unwrap_or(Failure::Closed),
        kind: spec.map("type", |node| node.one_of(&Kind::ALL))?.unwrap_or(Kind::Http),
        configuration: spec.map("pluginConfig", configuration)?.unwrap_or_default(),
        root_id: spec.map("pluginName", |node| node.text(1..=256))?.unwrap_or_default().to_owned(),
        environment: spec.map("vmConfig", environment)?.unwrap_or_default(),
        selectors: spec.items("match", ANY)?.iter().map(selector).collect::<Read<_>>()?,
        unused: unused(&spec)?,
    })
}

/// Lower-case words with hyphens and dots between them.
fn object_name(node: &Node) -> Read<&str> {
    let text = node.text(1..=253)?;
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = text.starts_with(is_part) && text.ends_with(is_part);
    match ends && text.chars().all(|c| is_part(c) || "-.".contains(c)) {
        true => Ok(text),
        false => node.complain(format!("`{text}` is not a Kubernetes name: write one such as `my-plugin`")),
    }
}

fn digest(node: &Node) -> Read<Option<Lined<String>>> {
    let text = node.text(0..=ANY)?;
    let is_hex = text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    match text.len() {
        0 => Ok(None),
        64 if is_hex => Ok(Some(Lined { line: node.line, value: text.to_owned() })),
        _ => node.complain(format!("`{text}` is not a digest: it has 64 hex digits in lower case")),
    }
}

/// Without a scheme it is an image; but no image's name begins as paths do.
fn url(node: &Node, sha256: Option<&Lined<String>>) -> Read<Lined<Url>> {
    const SCHEMES: [&str; 4] = ["file", "http", "https", "oci"];
    let text = node.text(1..=ANY)?;
    let value = match text.split_once("://") {
        Some(("file", "")) => return node.complain("does not name a file: write file://plugin.wasm"),
        Some(("file", path)) => Url::File(path.to_owned()),
        Some((scheme, _)) if !SCHEMES.contains(&scheme) => {
            return node.complain(format!("unknown scheme `{scheme}`{}", meant(scheme, SCHEMES.into_iter())));
        }
        None if ["/", "./", "../"].iter().any(|start| text.starts_with(start)) => Url::Path(text.to_owned()),
        _ => Url::Remote(text.to_owned()),
    };
    match (text.rsplit_once("@sha256:"), sha256) {
        (Some((_, own)), Some(sha256)) if own != sha256.value => {
            node.complain(format!("says sha256 {own}, and spec.sha256 says {}", sha256.value))
        }
        _ => Ok(Lined { line: node.line, value }),
    }
}

/// JSON as Istio writes it: short, with fields by the alphabet. An empty object means no configuration.
fn configuration(node: &Node) -> Read<Data> {
    let is_empty = node.entries()?.is_empty();
    Ok(Data(if is_empty { Vec::new() } else { node.json().to_string().into_bytes() }))
}

fn environment(node: &Node) -> Read<Vec<Variable>> {
    let mut variables: Vec<Variable> = Vec::new();
    for node in node.object(&["env"])?.items("env", 256)? {
        let object = node.object(&["name", "valueFrom", "value"])?;
        let name = object.need("name")?;
        let text = name.text(1..=256)?;
        if variables.iter().any(|known| known.name == text) {
            return name.complain(format!("`{text}` is there twice"));
        }
        if text.contains(['=', '\0']) {
            return name.complain(format!("{text:?} is not the name of a variable: write one such as `NAME`"));
        }
        let is_host =
            object.map("valueFrom", |node| node.one_of(&[("INLINE", false), ("HOST", true)]))?.unwrap_or(false);
        let value = match (is_host, object.find("value")) {
            (true, None) => None,
            (true, Some(value)) => return value.complain("is there although valueFrom is HOST: leave one of them out"),
            (false, value) => Some(value.map_or(Ok(""), |node| node.text(0..=2048))?.to_owned()),
        };
        variables.push(Variable { line: name.line, name: text.to_owned(), value });
    }
    Ok(variables)
}

fn selector(node: &Node) -> Read<Selector> {
    const MODES: [(&str, bool); 4] =
        [("CLIENT", false), ("SERVER", true), ("CLIENT_AND_SERVER", true), ("UNDEFINED", true)];
    let object = node.object(&["mode", "ports"])?;
    let port = |node: &Node| node.object(&["number"])?.need("number")?.number(1..=65535);
    Ok(Selector {
        inbound: object.map("mode", |node| node.one_of(&MODES))?.unwrap_or(true),
        ports: object.items("ports", ANY)?.iter().map(port).collect::<Read<_>>()?,
    })
}

/// Fields that only a cluster uses; their form is checked nevertheless.
fn unused(spec: &Object<'_>) -> Read<Vec<Lined<&'static str>>> {
    const POLICIES: [(&str, ()); 3] = [("UNSPECIFIED_POLICY", ()), ("IfNotPresent", ()), ("Always", ())];
    type Form = fn(&Node) -> Read<()>;
    let forms: [(&'static str, Form); 6] = [
        ("selector", labels),
        ("targetRef", target),
        ("targetRefs", |node| node.list(16)?.iter().try_for_each(target)),
        ("imagePullPolicy", |node| node.one_of(&POLICIES)),
        ("imagePullSecret", |node| node.text(1..=253).map(drop)),
        ("verificationKey", |node| node.text(0..=ANY).map(drop)),
    ];
    let mut unused: Vec<Lined<&str>> = Vec::new();
    for (name, form) in forms {
        let Some(node) = spec.find(name) else { continue };
        form(node)?;
        if let Some(other) = unused.last().filter(|_| name.starts_with("target")) {
            return node.complain(format!("is there beside {}: only one of them says which workloads", other.value));
        }
        unused.push(Lined { line: node.line, value: name });
    }
    Ok(unused)
}

fn labels(node: &Node) -> Read<()> {
    let labels = node.object(&["matchLabels"])?.map("matchLabels", Node::entries)?.unwrap_or_default();
    labels.iter().try_for_each(|(_, value)| value.text(0..=63).map(drop))
}

fn target(node: &Node) -> Read<()> {
    let object = node.object(&["group", "kind", "name", "namespace"])?;
    object.need("kind")?.text(1..=63)?;
    object.need("name")?.text(1..=253)?;
    object.map("group", |node| node.text(0..=253))?;
    object.map("namespace", |node| node.text(0..=63)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a resource with this in its spec, which begins on line 5 and has two blanks before each line.
    #[track_caller]
    fn complains(spec: &str, expected: &str) {
        let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
        whole(&format!("apiVersion: {API_VERSION}\nkind: {KIND}\nmetadata: {{name: a}}\nspec:\n{spec}"), expected);
    }

    #[track_caller]
    fn whole(source: &str, expected: &str) {
        match read(source) {
            Ok(_) => panic!("it is read\n{source}"),
            Err(complaint) => assert_eq!(format!("{}: {}", complaint.line, complaint.message), expected, "{source}"),
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_path() {
        let url = "5: spec.url: ";
        let rows = [
            ("phase: AUTHN", "4: spec: `url` is missing"),
            ("url: file://x\nphse: AUTHN", "6: spec.phse: unknown field, did you mean `phase`?"),
            ("url: file://x\nphase: AUTHX", "6: spec.phase: unknown value `AUTHX`, did you mean `AUTHN`?"),
            ("url: file://x\nphase: 1", "6: spec.phase: expected a text, so quote it, found the number 1"),
            (
                "url: file://x\nfailStrategy: OPEN",
                "6: spec.failStrategy: unknown value `OPEN`; there are FAIL_CLOSE, FAIL_OPEN, FAIL_RELOAD",
            ),
            ("url: file://x\ntype: TCP", "6: spec.type: unknown value `TCP`, did you mean `HTTP`?"),
            (
                "url: file://x\npriority: '1'",
                "6: spec.priority: expected a number from -2147483648 to 2147483647, found the text \"1\"",
            ),
            (
                "url: file://x\npriority: 2147483648",
                "6: spec.priority: expected a number from -2147483648 to 2147483647, found the number 2147483648",
            ),
            (
                "url: file://x\npriority: 1.5",
                "6: spec.priority: expected a number from -2147483648 to 2147483647, found the number 1.5",
            ),
            ("url: file://x\npluginConfig: text", "6: spec.pluginConfig: expected an object, found the text \"text\""),
            ("url: file://x\npluginConfig:\n  a: 1\n  a: 2", "8: spec.pluginConfig.a: is there twice"),
            ("url: file://x\npluginName: ''", "6: spec.pluginName: is empty: leave it out, or fill it"),
            (
                "url: file://x\nvmConfig:\n  env:\n  - name: A\n  - name: B\n    valueFrom: HOSTS",
                "10: spec.vmConfig.env[1].valueFrom: unknown value `HOSTS`, did you mean `HOST`?",
            ),
            ("url: file://x\nvmConfig: {env: [{value: x}]}", "6: spec.vmConfig.env[0]: `name` is missing"),
            (
                "url: file://x\nvmConfig: {env: [{name: A, value: 1}]}",
                "6: spec.vmConfig.env[0].value: expected a text, so quote it, found the number 1",
            ),
            (
                "url: file://x\nvmConfig: {env: [{name: A}, {name: A}]}",
                "6: spec.vmConfig.env[1].name: `A` is there twice",
            ),
            (
                "url: file://x\nvmConfig: {env: [{name: A=B}]}",
                "6: spec.vmConfig.env[0].name: \"A=B\" is not the name of a variable: write one such as `NAME`",
            ),
            (
                "url: file://x\nvmConfig: {env: [{name: A, valueFrom: HOST, value: x}]}",
                "6: spec.vmConfig.env[0].value: is there although valueFrom is HOST: leave one of them out",
            ),
            ("url: file://x\nmatch: {}", "6: spec.match: expected a list, found an object"),
            (
                "url: file://x\nmatch: [{mode: BOTH}]",
                "6: spec.match[0].mode: unknown value `BOTH`; there are CLIENT, SERVER, CLIENT_AND_SERVER, UNDEFINED",
            ),
            (
                "url: file://x\nmatch: [{ports: [{number: 0}]}]",
                "6: spec.match[0].ports[0].number: expected a number from 1 to 65535, found the number 0",
            ),
            ("url: file://x\nmatch: [{ports: [{}]}]", "6: spec.match[0].ports[0]: `number` is missing"),
            ("url: file://x\nsha256: ABC", "6: spec.sha256: `ABC` is not a digest: it has 64 hex digits in lower case"),
            (
                "url: file://x\nimagePullPolicy: Never",
                "6: spec.imagePullPolicy: unknown value `Never`; there are UNSPECIFIED_POLICY, IfNotPresent, Always",
            ),
            (
                "url: file://x\nselector: {matchLabels: [a]}",
                "6: spec.selector.matchLabels: expected an object, found a list",
            ),
            (
                "url: file://x\nselector: {}\ntargetRefs: []",
                "7: spec.targetRefs: is there beside selector: only one of them says which workloads",
            ),
            ("url: file://x\ntargetRefs: [{kind: Gateway}]", "6: spec.targetRefs[0]: `name` is missing"),
            ("url: ''", &format!("{url}is empty: leave it out, or fill it")),
            ("url: file://", &format!("{url}does not name a file: write file://plugin.wasm")),
            ("url: files://x", &format!("{url}unknown scheme `files`, did you mean `file`?")),
        ];
        for (spec, expected) in rows {
            complains(spec, expected);
        }
        let zeros = "0".repeat(64);
        let spec = format!("url: x@sha256:1\nsha256: '{zeros}'");
        complains(&spec, &format!("{url}says sha256 1, and spec.sha256 says {zeros}"));
    }

    #[test]
    fn what_is_no_such_resource_is_said() {
        let good = format!("{{apiVersion: {API_VERSION}, kind: {KIND}, metadata: {{name: a}}, spec: {{url: x}}}}\n");
        let with = |from: &str, to: &str| good.replace(from, to);
        let rows = [
            (String::new(), "1: there is no WasmPlugin in it"),
            ("# nothing\n---\n".to_owned(), "1: there is no WasmPlugin in it"),
            ("text".to_owned(), "1: expected an object, found the text \"text\""),
            (
                with("kind: WasmPlugin", "kind: Pod"),
                "1: kind: expected `WasmPlugin`, which alone is read here, found the text \"Pod\"",
            ),
            (
                with("v1alpha1", "v1"),
                "1: apiVersion: expected `extensions.istio.io/v1alpha1`, which alone is read here, \
                 found the text \"extensions.istio.io/v1\"",
            ),
            (with("metadata", "metdata"), "1: metdata: unknown field, did you mean `metadata`?"),
            (with("name: a", "nam: a"), "1: metadata.nam: unknown field, did you mean `name`?"),
            (with("name: a", "uid: a"), "1: metadata: `name` is missing"),
            (
                with("name: a", "name: A_b"),
                "1: metadata.name: `A_b` is not a Kubernetes name: write one such as `my-plugin`",
            ),
            (with("{url: x}", ""), "1: `spec` is missing"),
            (
                format!("---\n{good}---\n{}", with("url", "uri")),
                "4: document 2: spec.uri: unknown field, did you mean `url`?",
            ),
        ];
        rows.iter().for_each(|(source, expected)| whole(source, expected));
    }

    #[test]
    fn fields_are_what_they_say() {
        let source = format!(
            "apiVersion: {API_VERSION}\nkind: {KIND}\nmetadata:\n  name: a\n  namespace: shop\nspec:\n  \
             url: ghcr.io/a:1\n  phase: AUTHN\n  priority: -1\n  failStrategy: FAIL_OPEN\n  type: NETWORK\n  \
             pluginName: root\n  pluginConfig:\n    b: on\n    a: [1.0, null, ü]\n  vmConfig:\n    env:\n    \
             - name: A\n    - name: B\n      valueFrom: HOST\n  match:\n  - mode: CLIENT\n    ports:\n    \
             - number: 9\n  selector:\n    matchLabels: {{app: a}}\n  sha256:\n"
        );
        let read = read(&source).unwrap_or_else(|complaint| panic!("{complaint:?}"));
        let [plugin] = read.as_slice() else { panic!("one") };
        assert_eq!((plugin.name.as_str(), plugin.short_name(), plugin.root_id.as_str()), ("shop.a", "a", "root"));
        assert_eq!(plugin.url, Lined { line: 7, value: Url::Remote("ghcr.io/a:1".to_owned()) });
        assert_eq!((plugin.phase, plugin.priority), (Phase::Authn, Some(-1)));
        assert_eq!((plugin.failure, plugin.kind, &plugin.sha256), (Failure::Open, Kind::Network, &None));
        assert_eq!(plugin.configuration.as_str(), Some(r#"{"a":[1,null,"ü"],"b":true}"#));
        let variable = |line, name: &str, value: Option<&str>| Variable {
            line,
            name: name.to_owned(),
            value: value.map(str::to_owned),
        };
        assert_eq!(plugin.environment, [variable(18, "A", Some("")), variable(19, "B", None)]);
        assert_eq!(plugin.selectors, [Selector { inbound: false, ports: vec![9] }]);
        assert_eq!(plugin.unused, [Lined { line: 25, value: "selector" }]);
    }

    #[test]
    fn no_configuration_is_none_and_null_is_not_there() {
        for config in ["", "pluginConfig: {}", "pluginConfig:", "phase: null"] {
            let source = format!(
                "{{apiVersion: {API_VERSION}, kind: {KIND}, metadata: {{name: a}}, spec: {{url: ./x, {config}}}}}"
            );
            let read = read(&source).unwrap_or_else(|complaint| panic!("{complaint:?}"));
            assert_eq!(read.first().map(|plugin| plugin.configuration.0.len()), Some(0), "{config}");
        }
    }
}
