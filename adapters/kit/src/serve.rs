//! JSON lines: a request per line in, a response per line out. Knows nothing of what they mean.

use pw_cases::protocol::{Request, Response};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use crate::adapter::Adapter;

/// Answers requests until one asks the adapter to end, or there are no more.
///
/// # Errors
///
/// `input` cannot be read, or `output` cannot be written.
pub async fn serve(
    mut adapter: Adapter,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(input).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let response = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => adapter.answer(request).await,
            Err(error) => Some(Response::Errored { context: format!("failed to read a request: {error}") }),
        };
        let Some(response) = response else { break };
        // A response is plain data, so this cannot fail.
        let mut text = serde_json::to_vec(&response).map_err(std::io::Error::other)?;
        text.push(b'\n');
        output.write_all(&text).await?;
        output.flush().await?;
    }
    Ok(())
}
