//! The output of a running program: kept up to a limit, and streamed in batches.

use std::fmt;
use std::future::pending;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// A chunk of log is sent when it holds this many bytes,
pub const CHUNK_BYTES: usize = 64 * 1024;

/// or this long after its first byte, so that a window redraws at most about thirty times a second.
pub const CHUNK_DELAY: Duration = Duration::from_millis(30);

/// How long output is still read after the program has ended: something that left the group may hold the pipe open for
/// ever.
const DRAIN: Duration = Duration::from_secs(1);

/// How long a full log channel is waited for once the program is being stopped.
const STALLED: Duration = Duration::from_secs(1);

/// Which stream of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output, or everything when the program writes to a pseudo-terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of a program's output, as raw bytes: it may end in the middle of a line, a character or an escape sequence.
#[derive(Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// Where it was written to.
    pub stream: Stream,
    /// At most [`CHUNK_BYTES`] bytes, never none.
    pub bytes: Vec<u8>,
}

/// Shows how much there is, not what: logs hold secrets.
impl fmt::Debug for LogChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogChunk({:?}, {} bytes)", self.stream, self.bytes.len())
    }
}

/// The beginning of a stream, up to the program's limit.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Captured {
    kept: Vec<u8>,
    dropped: u64,
}

/// The program wrote more than was to be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read the whole output: it has {} bytes and the limit is {kept}", .kept + .dropped)]
pub struct OutputTooLong {
    /// Bytes that were kept.
    pub kept: u64,
    /// Bytes that were not.
    pub dropped: u64,
}

impl Captured {
    /// All of it.
    ///
    /// # Errors
    /// [`OutputTooLong`] when only the beginning was kept.
    pub fn complete(&self) -> Result<&[u8], OutputTooLong> {
        match self.dropped {
            0 => Ok(&self.kept),
            dropped => Err(OutputTooLong { kept: self.kept.len() as u64, dropped }),
        }
    }

    /// What was kept, whole or not.
    #[must_use]
    pub fn beginning(&self) -> &[u8] {
        &self.kept
    }

    /// How many bytes came after the beginning that was kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What was kept, without copying it.
    ///
    /// # Errors
    /// [`OutputTooLong`] when only the beginning was kept.
    pub fn into_complete(self) -> Result<Vec<u8>, OutputTooLong> {
        self.complete()?;
        Ok(self.kept)
    }

    fn keep(&mut self, bytes: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
        self.dropped += (bytes.len() - room) as u64;
    }
}

/// Shows how much there is, not what: output holds secrets.
impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Captured({} bytes kept, {} dropped)", self.kept.len(), self.dropped)
    }
}

/// Reads one stream of one program to its end.
pub(crate) struct Collector {
    pub(crate) stream: Stream,
    /// Bytes to keep.
    pub(crate) limit: usize,
    /// Where chunks go; none once nobody listens.
    pub(crate) log: Option<mpsc::Sender<LogChunk>>,
    /// The program is being stopped.
    pub(crate) stopping: CancellationToken,
    /// The program has ended.
    pub(crate) ended: CancellationToken,
}

impl Collector {
    pub(crate) async fn collect(mut self, source: Option<impl AsyncRead + Unpin>) -> Captured {
        let mut captured = Captured::default();
        let Some(mut source) = source else { return captured };
        let drained = overdue(self.ended.clone(), DRAIN);
        tokio::pin!(drained);
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        loop {
            let more = tokio::select! {
                more = fill(&mut source, &mut chunk) => more,
                () = &mut drained => More::No,
            };
            if !chunk.is_empty() {
                captured.keep(&chunk, self.limit);
                self.send(&chunk).await;
                chunk.clear();
            }
            if more == More::No {
                return captured;
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        let Some(log) = self.log.clone() else { return };
        let place = tokio::select! {
            place = log.reserve() => place.ok(),
            () = overdue(self.stopping.clone(), STALLED) => None,
        };
        if let Some(place) = place {
            place.send(LogChunk { stream: self.stream, bytes: bytes.to_vec() });
        } else {
            self.log = None;
        }
    }
}

#[derive(PartialEq, Eq)]
enum More {
    Yes,
    No,
}

/// Fills `chunk` until it is full or [`CHUNK_DELAY`] has passed since its first byte. Keeps what it has when dropped.
async fn fill(source: &mut (impl AsyncRead + Unpin), chunk: &mut Vec<u8>) -> More {
    let mut due: Option<Instant> = None;
    loop {
        let read = tokio::select! {
            biased;
            read = source.read_buf(chunk) => read,
            () = at(due) => return More::Yes,
        };
        match read {
            // A stream that cannot be read any more has ended for us; how the program ended is told by its status.
            Ok(0) | Err(_) => return More::No,
            Ok(_) if chunk.len() >= CHUNK_BYTES => return More::Yes,
            Ok(_) => due = due.or_else(|| Some(Instant::now() + CHUNK_DELAY)),
        }
        if due.is_some_and(|due| due <= Instant::now()) {
            return More::Yes;
        }
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

async fn overdue(since: CancellationToken, after: Duration) {
    since.cancelled().await;
    sleep(after).await;
}
