//! The one shape of every refusal: a status and `{"success": false, "message": ...}`.

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal that names the thing, the place and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, message }
    }

    /// 400: what was sent cannot be understood or is out of range.
    pub(crate) fn bad_input(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 403: the caller is not one that may ask.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 503: the master cannot answer now.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({ "success": false, "message": self.message }));
        (self.status, body).into_response()
    }
}

/// Answers a path that does not exist.
pub(crate) async fn not_found(uri: Uri) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

/// Answers where Locust has a report.
pub(crate) async fn no_report() -> Refusal {
    let message = "swarm makes no HTML report: the same figures are at /api/v1/view as JSON, at \
                   /stats/requests/csv, /stats/failures/csv and /exceptions/csv as CSV, and in the \
                   files of --json-file and --csv";
    Refusal::new(StatusCode::NOT_FOUND, message)
}

/// Answers where Locust has its log.
pub(crate) async fn no_logs() -> Refusal {
    let message = "swarm does not show logs here: master and workers write theirs to their \
                   standard error";
    Refusal::new(StatusCode::NOT_FOUND, message)
}

/// Answers a method that a path does not have.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let message = format!("{} does not take {method}", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message)
}
