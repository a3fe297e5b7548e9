//! The section "Logging".

use pw_abi::{Errno, FdId, IovecsIn, LogLevel, Logging, Status};

use crate::planted::planted;
use crate::state::State;

impl Logging for State {
    fn proxy_log(&mut self, level: LogLevel, message: &[u8]) -> Result<(), Status> {
        planted!(AnyLogLevel => {
            self.log(level, message);
            return Ok(());
        });
        if level > LogLevel::CRITICAL {
            return Err(Status::BAD_ARGUMENT);
        }
        self.log(level, message);
        Ok(())
    }

    /// All pieces make one line, without a newline at its end. Pieces that overlap may be larger than the memory together: the rest
    /// is not written then, as WASI allows.
    fn fd_write(&mut self, fd: FdId, iovecs: IovecsIn<'_>) -> Result<u32, Errno> {
        let level = match fd {
            FdId::STDOUT => LogLevel::INFO,
            FdId::STDERR => LogLevel::ERROR,
            _ => return Err(Errno::BADF),
        };
        let max = iovecs.memory.len();
        // A line above the limit is not logged at all.
        let limits = self.limits();
        let kept = limits.log_bytes.min(limits.host_memory).saturating_add(2);
        // Nor is a line below the log level.
        let kept = if level < self.config.log_level { 0 } else { kept };
        let (mut message, mut written) = (Vec::new(), 0);
        for piece in iovecs.pieces() {
            let piece = &piece[..piece.len().min(max - written)];
            written += piece.len();
            message.extend_from_slice(&piece[..piece.len().min(kept - message.len())]);
        }
        planted!(LinePerPiece => {
            for piece in iovecs.pieces().filter(|piece| !piece.is_empty()) {
                self.log(level, piece.strip_suffix(b"\n").unwrap_or(piece));
            }
            return Ok(written as u32);
        });
        if written > 0 {
            let line = message.strip_suffix(b"\n").unwrap_or(&message);
            self.log(level, line);
        }
        Ok(written as u32)
    }

    fn proxy_get_log_level(&mut self) -> Result<LogLevel, Status> {
        Ok(self.config.log_level)
    }
}
