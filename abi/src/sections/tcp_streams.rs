//! The section "TCP streams".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! tcp_streams {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section TcpStreams tcp_streams "TCP streams"
            host {}
            guest {
                /// A client has connected.
                fn proxy_on_new_connection(stream_context_id: U32) -> Action;
                /// Bytes came from the client.
                fn proxy_on_downstream_data(stream_context_id: U32, data_size: Size, end_of_stream: Bool) -> Action;
                /// The connection to the client is closed.
                fn proxy_on_downstream_connection_close(stream_context_id: U32, peer_type: PeerType) -> Nothing;
                /// Bytes came from the upstream.
                fn proxy_on_upstream_data(stream_context_id: U32, data_size: Size, end_of_stream: Bool) -> Action;
                /// The connection to the upstream is closed.
                fn proxy_on_upstream_connection_close(stream_context_id: U32, peer_type: PeerType) -> Nothing;
            }
        }
    };
}
