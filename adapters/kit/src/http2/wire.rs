//! Frames as they are in the bytes of a connection (RFC 9113, sections 4 and 6). Knows no streams and no state.

/// The client's first bytes.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADER_BYTES: usize = 9;
/// The bit that a receiver ignores in identifiers of streams and increments of windows.
const RESERVED: u32 = 0x8000_0000;

/// Types of frames.
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0;
    pub(in super::super) const HEADERS: u8 = 1;
    pub(in super::super) const RST_STREAM: u8 = 3;
    pub(in super::super) const SETTINGS: u8 = 4;
    pub(in super::super) const PING: u8 = 6;
    pub(in super::super) const GOAWAY: u8 = 7;
    pub(in super::super) const WINDOW_UPDATE: u8 = 8;
    pub(in super::super) const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub(super) mod flag {
    pub(in super::super) const ACK: u8 = 1;
    pub(in super::super) const END_STREAM: u8 = 1;
    pub(in super::super) const END_HEADERS: u8 = 4;
    pub(in super::super) const PADDED: u8 = 8;
    pub(in super::super) const PRIORITY: u8 = 0x20;
}

/// Identifiers of settings.
pub(super) mod setting {
    pub(in super::super) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(in super::super) const MAX_FRAME_SIZE: u16 = 5;
}

/// A frame.
pub(super) struct Raw {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Raw {
    /// The frame at the start of `bytes` and its size; `None` if it is not complete.
    pub(super) fn read(bytes: &[u8]) -> Option<(Raw, usize)> {
        let header = bytes.get(..HEADER_BYTES)?;
        let size = HEADER_BYTES + number(&header[..3]) as usize;
        let payload = bytes.get(HEADER_BYTES..size)?.to_vec();
        Some((Raw { kind: header[3], flags: header[4], stream: number(&header[5..]) & !RESERVED, payload }, size))
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload of a DATA or HEADERS frame without padding and priority.
    pub(super) fn content(&self) -> Result<&[u8], String> {
        let mut content = self.payload.as_slice();
        if self.has(flag::PADDED) {
            let padding = content.first().copied().map(usize::from);
            let end = padding.and_then(|padding| content.len().checked_sub(padding));
            content = end.and_then(|end| content.get(1..end)).ok_or("a frame has more padding than payload")?;
        }
        if self.kind == kind::HEADERS && self.has(flag::PRIORITY) {
            content = content.get(5..).ok_or("a HEADERS frame is too short for a priority")?;
        }
        Ok(content)
    }

    /// The increment of a WINDOW_UPDATE frame, or the last stream of a GOAWAY frame; `None` if the frame is too short.
    pub(super) fn value(&self) -> Option<u32> {
        self.payload.get(..4).map(|bytes| number(bytes) & !RESERVED)
    }

    /// The identifiers and values of a SETTINGS frame.
    pub(super) fn settings(&self) -> Vec<(u16, u32)> {
        let entries = self.payload.chunks_exact(6);
        entries.map(|entry| (u16::from_be_bytes([entry[0], entry[1]]), number(&entry[2..]))).collect()
    }
}

/// Appends a frame to `output`.
pub(super) fn write(output: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    output.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    output.extend_from_slice(&[kind, flags]);
    output.extend_from_slice(&stream.to_be_bytes());
    output.extend_from_slice(payload);
}

/// The number that at most four bytes are, the highest first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}
