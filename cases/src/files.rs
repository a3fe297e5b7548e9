//! Reads files that users name, up to a limit each, so that none fills the memory or never ends.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

/// Bytes of a case file.
pub const CASE: u64 = 128 << 20;
/// Bytes of a module, as the reference host's default limit.
pub const MODULE: u64 = 64 << 20;
/// Bytes of a file of expected failures, a manifest, a plugin's configuration or Istio's resources.
pub const TEXT: u64 = 16 << 20;
/// Bytes of a record of a run.
pub const RECORD: u64 = 512 << 20;

/// The bytes of a regular file that has at most `limit` of them.
///
/// # Errors
///
/// Of the operating system; or that the file is larger, or a directory, a device, a pipe.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    // Opening a pipe without a writer would wait.
    is_file(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    is_file(&file.metadata()?)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = format!("it has more than {limit} bytes, which is the limit for such a file: give a smaller one");
        return Err(Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The text of a regular file that has at most `limit` bytes.
///
/// # Errors
///
/// As of [`read`]; or that it is not UTF-8.
pub fn text(path: &Path, limit: u64) -> Result<String, Error> {
    String::from_utf8(read(path, limit)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

fn is_file(about: &std::fs::Metadata) -> Result<(), Error> {
    let message = match about {
        _ if about.is_file() => return Ok(()),
        _ if about.is_dir() => "it is a directory: name a file in it",
        _ => "it is a pipe, a device or a socket: write what comes from it to a file first",
    };
    Err(Error::new(ErrorKind::InvalidInput, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_up_to_the_limit() {
        let path = std::env::temp_dir().join(format!("pw-cases-files-{}", std::process::id()));
        std::fs::write(&path, "12345678").expect("the folder for temporary files can be written to");
        let (whole, cut) = (text(&path, 8), read(&path, 7));
        std::fs::remove_file(&path).expect("it was written");
        assert_eq!(whole.ok().as_deref(), Some("12345678"));
        assert!(cut.is_err_and(|error| error.to_string().starts_with("it has more than 7 bytes")));
        assert!(read(&std::env::temp_dir(), 8).is_err_and(|error| error.to_string().contains("a directory")));
    }
}
