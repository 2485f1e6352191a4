//! A client that does not read is not waited for for ever: it holds a connection, and the bytes of
//! an answer that nobody else may want any more.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Time that a connection may be stuck, all in all, beside what its bytes earn.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes that earn a second: the slowest client that is served to the end.
const SLOWEST: u64 = 32 * 1024;

/// A stream whose writing fails once its peer has kept it waiting for too long.
pub struct Patient<S> {
    inner: S,
    patience: Duration,
    written: u64,
    /// Time it was stuck before.
    stuck: Duration,
    /// Since when it is stuck, and when that is too long.
    now: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Patient<S> {
    /// Nothing was written yet.
    pub fn new(inner: S) -> Self {
        Self { inner, patience: PATIENCE, written: 0, stuck: Duration::ZERO, now: None }
    }

    /// Takes down whether the stream went on, or how long it did not.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            if let Some((since, _)) = self.now.take() {
                self.stuck += since.elapsed();
            }
            return polled;
        }
        let allowed = self.patience + Duration::from_secs(self.written / SLOWEST);
        let left = allowed.saturating_sub(self.stuck);
        let (_, end) =
            self.now.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
        ready!(end.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &polled {
            self.written += *count as u64;
        }
        self.judge(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(context);
        self.judge(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(context);
        self.judge(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        if let Poll::Ready(Ok(count)) = &polled {
            self.written += *count as u64;
        }
        self.judge(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    fn pair() -> (Patient<DuplexStream>, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1000);
        (Patient { patience: SHORT, ..Patient::new(ours) }, theirs)
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(test)
    }

    #[test]
    fn a_peer_that_does_not_read_is_given_up() {
        let (mut patient, _theirs) = pair();
        let start = Instant::now();
        let error = run(async { patient.write_all(&[7; 5000]).await }).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= SHORT);
    }

    /// Whether a megabyte arrives at a peer that reads so many bytes at a time, 10 ms apart.
    fn arrives(bytes: usize) -> bool {
        let (mut patient, mut theirs) = pair();
        let writer = async move { patient.write_all(&[7; 1 << 20]).await };
        let reader = async move {
            let mut buffer = vec![0; bytes];
            while theirs.read_exact(&mut buffer).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // The writer is gone when it is done or has given up, which ends the reader.
        run(async { tokio::join!(writer, reader).0.is_ok() })
    }

    #[test]
    fn a_slow_peer_is_served_and_a_trickle_is_not() {
        assert!(arrives(32 << 10));
        assert!(!arrives(10));
    }

    #[test]
    fn time_in_which_nothing_is_to_be_written_does_not_count() {
        let (mut patient, mut theirs) = pair();
        run(async {
            for _ in 0..3 {
                patient.write_all(&[7; 1000]).await.unwrap();
                tokio::time::sleep(SHORT).await;
                theirs.read_exact(&mut [0; 1000]).await.unwrap();
            }
        });
    }
}
