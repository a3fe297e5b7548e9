//! The section "Logging".

/// Passes the section's rows to the macro `$then`, see [`rows!`](crate::rows).
#[macro_export]
macro_rules! logging {
    ($($then:tt)+) => {
        $crate::rows! {
            [$($then)+]
            section Logging logging "Logging"
            host {
                /// Writes a line to the host's log.
                fn env.proxy_log(
                    log_level: LogLevel[log_level],
                    message: Bytes[message_data, message_size],
                ) -> () Status { OK, BAD_ARGUMENT, INVALID_MEMORY_ACCESS };
                /// Writes to the host's log: STDOUT at level INFO, STDERR at level ERROR.
                fn wasi_snapshot_preview1.fd_write(
                    fd_id: FdId[fd_id],
                    iovec: Iovecs[iovec, iovec_size],
                ) -> (written_bytes: U32[return_written_bytes]) Errno { SUCCESS, BADF, FAULT };
                /// Reads the level below which log lines are dropped.
                fn env.proxy_get_log_level(
                ) -> (log_level: LogLevel[return_log_level]) Status { OK, INVALID_MEMORY_ACCESS } since V0_2_1;
            }
            guest {}
        }
    };
}
