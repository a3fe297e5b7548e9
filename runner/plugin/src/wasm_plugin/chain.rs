//! The chain that Istio makes of several resources.

use super::resource::{Kind, Selector, WasmPlugin};

/// A stream that arrives at a proxy, in the server's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// What the filters of its chain are.
    pub kind: Kind,
    /// The port that it is for.
    pub port: u16,
}

/// The plugins of a stream.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// In their order: the first sees requests first.
    pub plugins: Vec<WasmPlugin>,
    /// Those that are not on it, in the order in which they would be, and why.
    pub left_out: Vec<(WasmPlugin, String)>,
}

/// Istio's root namespace, unless the mesh is configured otherwise. Its plugins are for all namespaces.
const ROOT_NAMESPACE: &str = "istio-system";

impl Chain {
    /// The chain that Istio would make of these resources, all of which are for the proxy. An error names two that are
    /// the same.
    ///
    /// Phases come in their order, and in a phase higher priorities first. Where the priorities are the same, or not
    /// given, Istio has plugins of the proxy's own namespace before those of the root namespace, then older resources
    /// before younger ones, then name and namespace by the alphabet. A priority that is not given is below all that
    /// are, although Istio's reference says that it is 0: `WasmPluginsByListenerInfo` takes the least number for it.
    pub fn of(mut resources: Vec<WasmPlugin>, stream: Inbound) -> Result<Chain, String> {
        resources.sort_by_cached_key(|plugin| {
            let (namespace, name) = (plugin.namespace.clone(), plugin.short_name().to_owned());
            let priority = std::cmp::Reverse(plugin.priority.unwrap_or(i32::MIN));
            (plugin.phase, priority, namespace == ROOT_NAMESPACE, plugin.created.clone(), name, namespace)
        });
        let mut chain = Chain::default();
        for plugin in resources {
            let left_out = chain.left_out.iter().map(|(plugin, _)| plugin);
            if chain.plugins.iter().chain(left_out).any(|known| known.name == plugin.name) {
                return Err(format!(
                    "two resources are called `{}` in the namespace {}",
                    plugin.short_name(),
                    plugin.namespace
                ));
            }
            match plugin.off(stream) {
                Some(reason) => chain.left_out.push((plugin, reason)),
                None => chain.plugins.push(plugin),
            }
        }
        Ok(chain)
    }
}

impl WasmPlugin {
    /// The name without the namespace.
    pub fn short_name(&self) -> &str {
        self.name.get(self.namespace.len() + 1..).unwrap_or_default()
    }

    /// Why it is not on the stream.
    fn off(&self, stream: Inbound) -> Option<String> {
        let selects = |selector: &Selector| {
            selector.inbound && (selector.ports.is_empty() || selector.ports.contains(&stream.port))
        };
        if self.kind != stream.kind {
            let [here, there] = [stream.kind, self.kind].map(Kind::name);
            return Some(format!("its type is {there}, and the stream is {here}"));
        }
        let off = !self.selectors.is_empty() && !self.selectors.iter().any(selects);
        off.then(|| format!("its match is of other traffic than inbound to port {}", stream.port))
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::read;
    use super::*;

    /// The names of the chain that resources make, of which each is a name and lines of its spec, or the reason.
    #[track_caller]
    fn check(resources: &[(&str, &str)], expected: &[&str]) {
        let text = |(name, spec): &(&str, &str)| {
            let (name, more) = name.split_once(' ').unwrap_or((name, ""));
            format!(
                "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: {name}, {more}}}\n\
                 spec: {{url: file://x, {spec}}}\n"
            )
        };
        let source = resources.iter().map(text).collect::<Vec<_>>().join("---\n");
        let resources = read(&source).unwrap_or_else(|complaint| panic!("{complaint:?}\n{source}"));
        let chain = Chain::of(resources, Inbound { kind: Kind::Http, port: 80 });
        let said: Vec<String> = match chain {
            Ok(chain) => {
                let off = chain.left_out.into_iter().map(|(plugin, reason)| format!("{}: {reason}", plugin.name));
                chain.plugins.iter().map(|plugin| plugin.name.clone()).chain(off).collect()
            }
            Err(message) => vec![message],
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn phases_then_priorities_then_names() {
        let phases = [("d", ""), ("c", "phase: STATS"), ("b", "phase: AUTHZ"), ("a", "phase: AUTHN")];
        check(&phases, &["default.a", "default.b", "default.c", "default.d"]);
        let priorities = [("a", ""), ("b", "priority: -5"), ("c", "priority: 0"), ("d", "priority: 7")];
        check(&priorities, &["default.d", "default.c", "default.b", "default.a"]);
        let ties = [
            ("z namespace: a", ""),
            ("b-1", ""),
            ("a namespace: istio-system", ""),
            ("b namespace: z", ""),
            ("c creationTimestamp: '2020-01-01T00:00:00Z'", ""),
        ];
        check(&ties, &["z.b", "default.b-1", "a.z", "default.c", "istio-system.a"]);
    }

    #[test]
    fn a_plugin_of_other_traffic_is_left_out() {
        let off = "its match is of other traffic than inbound to port 80";
        let rows = [
            ("[]", true),
            ("[{}]", true),
            ("[{mode: SERVER}]", true),
            ("[{mode: UNDEFINED}]", true),
            ("[{mode: CLIENT_AND_SERVER, ports: [{number: 80}]}]", true),
            ("[{ports: [{number: 1}, {number: 80}]}]", true),
            ("[{mode: CLIENT}, {ports: [{number: 80}]}]", true),
            ("[{mode: CLIENT}]", false),
            ("[{ports: [{number: 81}]}]", false),
            ("[{mode: CLIENT, ports: [{number: 80}]}]", false),
        ];
        for (selectors, on) in rows {
            let expected = if on { "default.a".to_owned() } else { format!("default.a: {off}") };
            check(&[("a", &format!("match: {selectors}"))], &[&expected]);
        }
        check(&[("a", "type: NETWORK")], &["default.a: its type is NETWORK, and the stream is HTTP"]);
        check(&[("a", ""), ("a", "type: NETWORK")], &["two resources are called `a` in the namespace default"]);
    }
}
