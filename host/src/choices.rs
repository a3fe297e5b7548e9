//! What the host answers where the specification is silent. Plain data; nothing else in the crate decides such a question.

/// Answers to questions that the specification leaves open. Each default is the answer that plugins in the field rely on; the other answer
/// is as legal, and both are tested. Of each question the catalog has a case that accepts every answer.
///
/// ```
/// use pw_host::{Choices, Proxy, ProxyConfig};
///
/// let choices = Choices { local_response_callbacks: false, ..Choices::default() };
/// let proxy = Proxy::new(ProxyConfig { choices, ..ProxyConfig::default() });
/// # drop(proxy);
/// ```
///
/// Where one of two answers is unsafe there is no choice: a response to HEAD has no body, and no message has a content length that is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices {
    /// A local response passes `proxy_on_response_headers` and `proxy_on_response_body` of the plugins that the request has come to, that of
    /// the plugin that sent it included; else no plugin sees it. One that replaces a response of which headers have come already, be it the
    /// upstream's or another local one, is sent as it is: so each stream has at most one pass.
    ///
    /// The questions: does a plugin see its own response in the callbacks for responses (`http_streams/local_response_callbacks`), which plugins
    /// of a chain do (`http_streams/local_response_passes_the_chain`), and may one replace it
    /// (`http_streams/local_response_to_a_local_response`)?
    ///
    /// Envoy calls them, on the plugins that the request's headers have come to; plugins add the headers of CORS there.
    pub local_response_callbacks: bool,
    /// `source.address`, `destination.address`, `upstream.address` and `upstream.local_address` are `ip:port`; else the IP address alone.
    ///
    /// The question: does an address have its port in it? (`properties/ends_of_connections`)
    ///
    /// Envoy has it; plugins split it, and read an empty address where there is no port.
    pub addresses_with_ports: bool,
    /// `proxy_on_log` is called for the contexts of plugins too, when they end; else only for those of streams.
    ///
    /// The question: `proxy_on_log` is described for any context; is it called for a plugin's? (`context_lifecycle/shutdown_logs_the_plugin`)
    ///
    /// Envoy does not call it, and the SDKs for AssemblyScript abort when it is called.
    pub log_plugin_contexts: bool,
    /// The `grpc_status` of a local response to a gRPC request, unless it is -1, makes that a gRPC response without messages: status 200, the
    /// status in `grpc-status`, the body in `grpc-message`; else `grpc_status` is ignored.
    ///
    /// The questions: what is `grpc_status` for, and which requests get a response that has it (`http_streams/local_response_to_grpc`,
    /// `http_streams/local_response_to_others_than_grpc`), and what does -1 disable (`http_streams/local_response_to_grpc_without_a_status`)?
    ///
    /// Envoy does this, and derives a gRPC status from the status code where the plugin gave -1. ngx_wasm_module ignores it.
    pub grpc_local_responses: bool,
    /// A local response with a body has a `content-length`; else only if the plugin gave one. It is right in either case.
    ///
    /// The questions: does the host give a local response the content length of its body (`http_streams/local_response_without_a_length`), and
    /// what becomes of one that a plugin gives and that is false (`http_streams/local_response_of_a_false_length`)?
    ///
    /// Envoy sets it, whatever the plugin gave.
    pub local_response_content_length: bool,
    /// A local response with a body is `text/plain` if the plugin gave no `content-type`; else it has none then.
    ///
    /// The question: which content type has a local response with a body if the plugin gives none?
    /// (`http_streams/local_response_without_a_type`)
    ///
    /// Envoy sets it.
    pub local_response_content_type: bool,
}

impl Default for Choices {
    fn default() -> Choices {
        Choices {
            local_response_callbacks: true,
            addresses_with_ports: true,
            log_plugin_contexts: false,
            grpc_local_responses: true,
            local_response_content_length: true,
            local_response_content_type: true,
        }
    }
}
