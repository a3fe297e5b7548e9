//! What the host does where the specification is silent. Plain data; nothing else in the crate decides such a question.

use std::fmt;

macro_rules! choices {
    ($(#[$attribute:meta])* pub struct Choices { $($(#[doc = $doc:literal])* $name:ident = $default:literal;)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Choices {
            $($(#[doc = $doc])* pub $name: bool,)*
        }

        impl Default for Choices {
            fn default() -> Choices {
                Choices { $($name: $default,)* }
            }
        }

        impl Choices {
            /// Their names, in the order in which they are declared.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// An answer by its name; `None` if there is no such choice.
            pub fn get(&self, name: &str) -> Option<bool> {
                match name {
                    $(stringify!($name) => Some(self.$name),)*
                    _ => None,
                }
            }

            /// An answer by its name, to be changed; `None` if there is no such choice.
            pub fn get_mut(&mut self, name: &str) -> Option<&mut bool> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

choices! {
    /// Answers to open questions of the specification. Each default is the answer that deployed plugins rely on; the other answer
    /// is legal too, and both are tested. For each question the catalog has a case that accepts every answer.
    ///
    /// ```
    /// use pw_host::{Choices, Proxy, ProxyConfig};
    ///
    /// let choices = Choices { local_response_callbacks: false, ..Choices::default() };
    /// let proxy = Proxy::new(ProxyConfig { choices, ..ProxyConfig::default() });
    /// # drop(proxy);
    /// ```
    ///
    /// If one of two answers is unsafe there is no choice: a response to HEAD has no body, and no message has a wrong content length.
    pub struct Choices {
        /// If true, `proxy_on_response_headers` and `proxy_on_response_body` are called for a local response, in the plugins that the request
        /// has reached, including the plugin that sent it; if false, no plugin gets a callback for it. If headers of another response, the
        /// upstream's or a local one, have come before, a local response replaces it without callbacks: each stream has these callbacks at
        /// most once.
        ///
        /// The questions: does a plugin see its own response in the callbacks for responses (`http_streams/local_response_callbacks`), which plugins
        /// of a chain see it (`http_streams/local_response_passes_the_chain`), and may one of them replace it
        /// (`http_streams/local_response_to_a_local_response`)?
        ///
        /// Envoy calls them in the plugins that the request's headers have reached; plugins add CORS headers there.
        local_response_callbacks = true;
        /// If true, `source.address`, `destination.address`, `upstream.address` and `upstream.local_address` are `ip:port`; if false, only the
        /// IP address.
        ///
        /// The question: does an address include the port? (`properties/ends_of_connections`)
        ///
        /// Envoy includes it; plugins split the address at the port, and read an empty address if there is none.
        addresses_with_ports = true;
        /// If true, `proxy_on_log` is called for the contexts of plugins too, when they end; if false, only for those of streams.
        ///
        /// The question: `proxy_on_log` is described for any context; is it called for a plugin's? (`context_lifecycle/shutdown_logs_the_plugin`)
        ///
        /// Envoy does not call it, and the SDKs for AssemblyScript abort when it is called.
        log_plugin_contexts = false;
        /// If true, a local response to a gRPC request with a `grpc_status` other than -1 is sent as a gRPC response without messages: status
        /// 200, the gRPC status in `grpc-status`, the body in `grpc-message`. If false, `grpc_status` is ignored.
        ///
        /// The questions: what is `grpc_status` for, and which requests get a response that has it (`http_streams/local_response_to_grpc`,
        /// `http_streams/local_response_to_others_than_grpc`), and what does -1 disable (`http_streams/local_response_to_grpc_without_a_status`)?
        ///
        /// Envoy does this, and derives a gRPC status from the status code for -1. ngx_wasm_module ignores it.
        grpc_local_responses = true;
        /// If true, a local response with a body has a `content-length`; if false, only if the plugin set one. It is right in either case.
        ///
        /// The questions: does the host add the content length of its body to a local response (`http_streams/local_response_without_a_length`), and
        /// what does it do with a wrong one from a plugin (`http_streams/local_response_of_a_false_length`)?
        ///
        /// Envoy sets it, whatever the plugin has set.
        local_response_content_length = true;
        /// If true, a local response with a body gets the `content-type` `text/plain` if the plugin set none; if false, it has none then.
        ///
        /// The question: which content type does a local response with a body have if the plugin sets none?
        /// (`http_streams/local_response_without_a_type`)
        ///
        /// Envoy sets `text/plain`.
        local_response_content_type = true;
    }
}

/// `name=value` of those that are not the default, separated by commas; nothing if all are.
impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = Choices::default();
        let changed = Choices::NAMES.iter().filter(|name| self.get(name) != usual.get(name));
        let changed: Vec<String> =
            changed.map(|name| format!("{name}={}", self.get(name).unwrap_or_default())).collect();
        f.write_str(&changed.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_have_names() {
        let mut choices = Choices::default();
        assert_eq!(choices.to_string(), "");
        *choices.get_mut("log_plugin_contexts").expect("there is one") = true;
        assert!(choices.log_plugin_contexts);
        assert_eq!(choices.to_string(), "log_plugin_contexts=true");
        assert_eq!((choices.get("unheard_of"), choices.get_mut("unheard_of")), (None, None));
        assert!(Choices::NAMES.iter().all(|name| choices.get(name).is_some()));
    }
}
