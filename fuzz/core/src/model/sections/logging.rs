//! The section "Logging".

use pw_abi::{Errno, FdId, LogLevel};

use super::Logging;
use crate::model::call::{Call, Judged};
use crate::model::state::{BAD_ARGUMENT, Model, OK};

pub(super) fn judge(function: Logging, model: &mut Model, instance: usize, call: &Call<'_>) -> Judged {
    let plugin = model.instances[instance].plugin;
    match function {
        Logging::proxy_log => {
            if call.word(0) > LogLevel::CRITICAL.0 {
                return call.is(&[BAD_ARGUMENT]);
            }
            call.is(&[OK])?;
            model.log.push((plugin, call.word(0), call.bytes(1).to_vec()));
            Ok(())
        }
        Logging::fd_write => written(model, plugin, call),
        Logging::proxy_get_log_level => {
            call.is(&[OK])?;
            // When it runs cases, the reference host drops no line.
            call.returns(0, LogLevel::TRACE.0.into())
        }
    }
}

/// The pieces make one line, without a newline at its end.
fn written(model: &mut Model, plugin: usize, call: &Call<'_>) -> Judged {
    let level = match FdId(call.word(0)) {
        FdId::STDOUT => LogLevel::INFO,
        FdId::STDERR => LogLevel::ERROR,
        _ if call.pieces(1).is_some() => return call.is(&[Errno::BADF.0]),
        // Its pieces may be out of bounds too, and the specification does not say which is checked first.
        _ => return call.is(&[Errno::BADF.0, Errno::FAULT.0]),
    };
    let Some(pieces) = call.pieces(1) else {
        // The array is at some address in memory, and need not be a valid one.
        model.blind = true;
        return call.promised();
    };
    call.is(&[OK])?;
    let message: Vec<u8> = pieces.iter().flat_map(|piece| piece.0.iter().copied()).collect();
    if !message.is_empty() {
        let line = message.strip_suffix(b"\n").unwrap_or(&message);
        model.log.push((plugin, level.0, line.to_vec()));
    }
    call.returns(2, message.len() as u64)
}
