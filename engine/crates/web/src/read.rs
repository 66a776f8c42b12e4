//! The paths that only show.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use swarm_stats::report::csv;

use crate::error::Refusal;
use crate::locust::{Exceptions, Requests, Tasks, worker_count};
use crate::view::{Control, View};

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

/// A file that was written to memory, if it was.
pub(crate) fn written(
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
pub(crate) fn attachment(view: &View, name: &str, file: Body) -> Response {
    let unix_s = view.clock_origin_unix_ms.saturating_add(view.now_ms) / 1_000;
    let disposition = format!("attachment; filename=\"{name}_{unix_s}.csv\"");
    let headers =
        [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)];
    (headers, file).into_response()
}
