//! What a guest writes to its standard output and error, a log line each.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use crate::host::environment::Environment;

/// Longest line; what is longer is broken.
const LINE_BYTES_MAX: usize = 4096;

/// Makes streams that log under the name of the stream, no more than their test may.
pub(crate) struct LogStream {
    name: &'static str,
    test: Option<Arc<Environment>>,
}

impl LogStream {
    pub(crate) fn new(name: &'static str, test: Option<Arc<Environment>>) -> Self {
        Self { name, test }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(LineLogger { stream: self.name, test: self.test.clone(), line: Vec::new() })
    }
}

struct LineLogger {
    stream: &'static str,
    test: Option<Arc<Environment>>,
    line: Vec<u8>,
}

impl LineLogger {
    fn end_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        if self.test.as_ref().is_none_or(|test| test.may_log()) {
            let text = String::from_utf8_lossy(&self.line);
            tracing::info!(target: "scenario", "{}: {}", self.stream, text.trim_end());
        }
        self.line.clear();
    }
}

impl AsyncWrite for LineLogger {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        for &byte in bytes {
            if byte == b'\n' || self.line.len() >= LINE_BYTES_MAX {
                self.end_line();
            }
            if byte != b'\n' {
                self.line.push(byte);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_line();
        Poll::Ready(Ok(()))
    }
}

impl Drop for LineLogger {
    fn drop(&mut self) {
        self.end_line();
    }
}
