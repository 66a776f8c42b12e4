//! The statistics over time, as the file that swarm writes beside the page.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream;
use swarm_stats::report::csv;

use crate::error::Refusal;
use crate::read::{attachment, written};
use crate::view::Control;

/// Bytes of the file that are read at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// The CSV file of the statistics over time. It is there from its first line on: until then one of
/// an earlier run may be in its place, which is not shown.
#[derive(Debug, Clone)]
pub struct HistoryFile {
    path: Arc<Path>,
    /// What makes the file of an earlier run another one.
    earlier: Option<(u64, u64)>,
    /// The new one has been there.
    seen: Arc<AtomicBool>,
}

impl HistoryFile {
    /// What is at this path now is of an earlier run. The new one replaces it, and is never written
    /// into it.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let earlier = fs::metadata(&path).ok().as_ref().map(identity);
        Self { path: path.into(), earlier, seen: Arc::default() }
    }

    /// `None` before the first line.
    fn open(&self) -> io::Result<Option<File>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound && !self.seen.load(Relaxed) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if self.earlier == Some(identity(&file.metadata()?)) {
            return Ok(None);
        }
        self.seen.store(true, Relaxed);
        Ok(Some(file))
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// `GET /stats/requests_full_history/csv`: the file as far as it is written.
pub(crate) async fn history_csv(
    State((control, history)): State<(Control, Option<HistoryFile>)>,
) -> Result<Response, Refusal> {
    const NAME: &str = "requests_full_history";
    let history = history.ok_or_else(|| {
        let message = "there is no history by names: start swarm with --csv PREFIX and \
                       --csv-full-history";
        Refusal::new(StatusCode::NOT_FOUND, message)
    })?;
    let opened = blocking(move || history.open()).await;
    let file = opened.map_err(|error| {
        let message = format!("cannot read the history: {error}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    })?;
    let view = control.view.borrow().clone();
    let Some(file) = file else {
        let mut head = Vec::new();
        let result = csv::write_history_head(&mut head).map_err(|error| error.to_string());
        return written(&view, NAME, head, result);
    };
    let pieces = stream::try_unfold(file, |mut file| async move {
        let (piece, file) = blocking(move || {
            let mut piece = vec![0; PIECE_BYTES];
            let length = file.read(&mut piece)?;
            piece.truncate(length);
            Ok((piece, file))
        })
        .await?;
        Ok::<_, io::Error>((!piece.is_empty()).then_some((piece, file)))
    });
    Ok(attachment(&view, NAME, Body::from_stream(pieces)))
}

/// Does what waits for a disk where it is in nobody's way.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
