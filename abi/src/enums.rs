//! The wire enums. They keep values that the specification does not name; the caller decides whether those are errors.

use crate::{Version, Versions};

/// An enum of the specification as data.
#[derive(Debug, PartialEq, Eq)]
pub struct EnumTable {
    /// The specification's name, such as `proxy_map_type_t`.
    pub name: &'static str,
    /// The named values, in order.
    pub values: &'static [EnumValue],
}

/// One named value of an enum.
#[derive(Debug, PartialEq, Eq)]
pub struct EnumValue {
    /// The specification's name.
    pub name: &'static str,
    /// The value on the wire.
    pub value: u32,
    /// The versions that name it.
    pub versions: Versions,
}

impl EnumTable {
    /// The value with this name.
    pub fn value(&self, name: &str) -> Option<u32> {
        self.values.iter().find(|value| value.name == name).map(|value| value.value)
    }

    /// The name of `value`, in any version.
    pub fn name_of(&self, value: u32) -> Option<&'static str> {
        self.values.iter().find(|known| known.value == value).map(|known| known.name)
    }
}

macro_rules! wire_enum {
    ($(#[doc = $doc:literal])+ $Name:ident $spec:literal { $($VALUE:ident = $value:literal $(since $since:ident)?),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(pub u32);

        #[expect(missing_docs, reason = "the specification's own names")]
        impl $Name {
            $(pub const $VALUE: $Name = $Name($value);)+
        }

        impl $Name {
            /// The enum as data.
            pub const TABLE: &'static EnumTable = &EnumTable {
                name: $spec,
                values: &[$(EnumValue {
                    name: stringify!($VALUE),
                    value: $value,
                    versions: crate::row::versions!([$($since)?] []),
                }),+],
            };

            /// Whether the specification names this value in `version`.
            pub fn is_known(self, version: Version) -> bool {
                Self::TABLE.values.iter().any(|known| known.value == self.0 && known.versions.contains(version))
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match Self::TABLE.name_of(self.0) {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}", self.0),
                }
            }
        }

        impl std::fmt::Debug for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({self})", stringify!($Name))
            }
        }
    };
}

wire_enum! {
    /// The severity of a log line.
    LogLevel "proxy_log_level_t" { TRACE = 0, DEBUG = 1, INFO = 2, WARN = 3, ERROR = 4, CRITICAL = 5 }
}
wire_enum! {
    /// The status that a host function returns.
    Status "proxy_status_t" {
        OK = 0, NOT_FOUND = 1, BAD_ARGUMENT = 2, SERIALIZATION_FAILURE = 3, PARSE_FAILURE = 4,
        INVALID_MEMORY_ACCESS = 6, EMPTY = 7, CAS_MISMATCH = 8, INTERNAL_FAILURE = 10, UNIMPLEMENTED = 12,
    }
}
wire_enum! {
    /// What a stream callback returns.
    Action "proxy_action_t" { CONTINUE = 0, PAUSE = 1 }
}
wire_enum! {
    /// A buffer that a plugin can read.
    BufferType "proxy_buffer_type_t" {
        HTTP_REQUEST_BODY = 0, HTTP_RESPONSE_BODY = 1, DOWNSTREAM_DATA = 2, UPSTREAM_DATA = 3,
        HTTP_CALL_RESPONSE_BODY = 4, GRPC_CALL_MESSAGE = 5, VM_CONFIGURATION = 6 since V0_2_0,
        PLUGIN_CONFIGURATION = 7 since V0_2_0, FOREIGN_FUNCTION_ARGUMENTS = 8 since V0_2_0,
    }
}
wire_enum! {
    /// A map of fields or metadata that a plugin can read.
    MapType "proxy_map_type_t" {
        HTTP_REQUEST_HEADERS = 0, HTTP_REQUEST_TRAILERS = 1, HTTP_RESPONSE_HEADERS = 2, HTTP_RESPONSE_TRAILERS = 3,
        GRPC_CALL_INITIAL_METADATA = 4, GRPC_CALL_TRAILING_METADATA = 5, HTTP_CALL_RESPONSE_HEADERS = 6,
        HTTP_CALL_RESPONSE_TRAILERS = 7,
    }
}
wire_enum! {
    /// The peer that closed a connection.
    PeerType "proxy_peer_type_t" { UNKNOWN = 0, LOCAL = 1, REMOTE = 2 }
}
wire_enum! {
    /// A direction of a stream.
    StreamType "proxy_stream_type_t" {
        HTTP_REQUEST = 0 since V0_2_0, HTTP_RESPONSE = 1 since V0_2_0, DOWNSTREAM = 2 since V0_2_0,
        UPSTREAM = 3 since V0_2_0,
    }
}
wire_enum! {
    /// The type of a metric.
    MetricType "proxy_metric_type_t" { COUNTER = 0, GAUGE = 1, HISTOGRAM = 2 }
}
wire_enum! {
    /// The error number that a WASI function returns.
    Errno "wasi_errno_t" { SUCCESS = 0, BADF = 8, FAULT = 21, INVAL = 28, NOTSUP = 58 }
}
wire_enum! {
    /// A WASI file descriptor.
    FdId "wasi_fd_id_t" { STDOUT = 1, STDERR = 2 }
}
wire_enum! {
    /// A WASI clock.
    ClockId "wasi_clock_id_t" { REALTIME = 0, MONOTONIC = 1 }
}

/// Every enum of the specification.
pub const ENUMS: [&EnumTable; 11] = [
    LogLevel::TABLE,
    Status::TABLE,
    Action::TABLE,
    BufferType::TABLE,
    MapType::TABLE,
    PeerType::TABLE,
    StreamType::TABLE,
    MetricType::TABLE,
    Errno::TABLE,
    FdId::TABLE,
    ClockId::TABLE,
];
