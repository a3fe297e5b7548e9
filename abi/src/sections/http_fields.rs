//! The section "HTTP fields".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! http_fields {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section HttpFields http_fields "HTTP fields"
            host {
                /// Returns the size of the serialised map in bytes.
                fn env.proxy_get_header_map_size(
                    map_id: MapType[map_id],
                ) -> (serialized_pairs_size: U32[return_serialized_pairs_size])
                Status { OK, BAD_ARGUMENT, INVALID_MEMORY_ACCESS };
                /// Reads a whole map.
                fn env.proxy_get_header_map_pairs(
                    map_id: MapType[map_id],
                ) -> (serialized_pairs: Pairs[return_serialized_pairs_data, return_serialized_pairs_size])
                Status { OK, BAD_ARGUMENT, INVALID_MEMORY_ACCESS };
                /// Replaces a whole map.
                fn env.proxy_set_header_map_pairs(
                    map_id: MapType[map_id],
                    serialized_pairs: Pairs[serialized_pairs_data, serialized_pairs_size],
                ) -> () Status { OK, BAD_ARGUMENT, INVALID_MEMORY_ACCESS };
                /// Reads the value of a key.
                fn env.proxy_get_header_map_value(
                    map_id: MapType[map_id],
                    key: Bytes[key_data, key_size],
                ) -> (value: Bytes[return_value_data, return_value_size])
                Status { OK, BAD_ARGUMENT, NOT_FOUND since V0_2_0, INVALID_MEMORY_ACCESS };
                /// Adds a value to a key, which keeps its other values.
                fn env.proxy_add_header_map_value(
                    map_id: MapType[map_id],
                    key: Bytes[key_data, key_size],
                    value: Bytes[value_data, value_size],
                ) -> () Status { OK, BAD_ARGUMENT, INVALID_MEMORY_ACCESS };
                /// Sets the value of a key, and removes its other values.
                fn env.proxy_replace_header_map_value(
                    map_id: MapType[map_id],
                    key: Bytes[key_data, key_size],
                    value: Bytes[value_data, value_size],
                ) -> () Status { OK, BAD_ARGUMENT, INVALID_MEMORY_ACCESS };
                /// Removes a key, if it is there.
                fn env.proxy_remove_header_map_value(
                    map_id: MapType[map_id],
                    key: Bytes[key_data, key_size],
                ) -> () Status { OK, BAD_ARGUMENT, INVALID_MEMORY_ACCESS };
            }
            guest {}
        }
    };
}
