//! The paths that only show.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use swarm_stats::report::csv;

use crate::error::Refusal;
use crate::locust::{Exceptions, Requests, Tasks, worker_count};
use crate::view::{Control, View};

/// Bytes of a file that are read at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// `GET /stats/requests`.
pub(crate) async fn requests(State(control): State<Control>) -> Response {
    let view = control.view.borrow().clone();
    Json(Requests::new(&view)).into_response()
}

/// `GET /exceptions`.
pub(crate) async fn exceptions(State(control): State<Control>) -> Response {
    let view = control.view.borrow().clone();
    Json(Exceptions::new(&view)).into_response()
}

/// `GET /tasks`.
pub(crate) async fn tasks(State(control): State<Control>) -> Response {
    let view = control.view.borrow().clone();
    Json(Tasks::new(&view)).into_response()
}

/// `GET /worker-count`.
pub(crate) async fn workers(State(control): State<Control>) -> Response {
    let view = control.view.borrow().clone();
    Json(json!({ "worker_count": worker_count(&view) })).into_response()
}

/// `GET /api/v1/view`.
pub(crate) async fn view(State(control): State<Control>) -> Response {
    let view = control.view.borrow().clone();
    Json(&*view).into_response()
}

/// `GET /stats/requests/csv`.
pub(crate) async fn requests_csv(State(control): State<Control>) -> Result<Response, Refusal> {
    let view = control.view.borrow().clone();
    let mut file = Vec::new();
    let result = csv::write_stats(&mut file, &view.stats).map_err(|error| error.to_string());
    written(&view, "requests", file, result)
}

/// `GET /stats/failures/csv`.
pub(crate) async fn failures_csv(State(control): State<Control>) -> Result<Response, Refusal> {
    let view = control.view.borrow().clone();
    let mut file = Vec::new();
    let result = csv::write_failures(&mut file, &view.stats, view.clock_origin_unix_ms)
        .map_err(|error| error.to_string());
    written(&view, "failures", file, result)
}

/// `GET /exceptions/csv`.
pub(crate) async fn exceptions_csv(State(control): State<Control>) -> Result<Response, Refusal> {
    let view = control.view.borrow().clone();
    let mut file = Vec::new();
    let result = csv::write_exceptions(&mut file, &view.stats).map_err(|error| error.to_string());
    written(&view, "exceptions", file, result)
}

/// `GET /stats/requests_full_history/csv`: the file as far as it is written.
pub(crate) async fn history_csv(
    State((control, history)): State<(Control, Option<Arc<Path>>)>,
) -> Result<Response, Refusal> {
    let history = history.ok_or_else(|| {
        let message = "there is no history by names: start swarm with --csv PREFIX and \
                       --csv-full-history";
        Refusal::new(StatusCode::NOT_FOUND, message)
    })?;
    let opened = blocking(move || File::open(history)).await;
    let file = opened.map_err(|error| {
        let message = format!("cannot read the history: {error}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    })?;
    let view = control.view.borrow().clone();
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
    Ok(attachment(&view, "requests_full_history", Body::from_stream(pieces)))
}

/// Does what waits for a disk where it is in nobody's way.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// A file that was written to memory, if it was.
fn written(
    view: &View,
    name: &str,
    file: Vec<u8>,
    written: Result<(), String>,
) -> Result<Response, Refusal> {
    written.map_err(|error| {
        let message = format!("failed to write the {name} as CSV: {error}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    })?;
    Ok(attachment(view, name, Body::from(file)))
}

/// A file named after the moment that it shows.
fn attachment(view: &View, name: &str, file: Body) -> Response {
    let unix_s = view.clock_origin_unix_ms.saturating_add(view.now_ms) / 1_000;
    let disposition = format!("attachment; filename=\"{name}_{unix_s}.csv\"");
    let headers =
        [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)];
    (headers, file).into_response()
}
