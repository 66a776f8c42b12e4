//! The paths that change something: `/swarm`, `/stop` and `/stats/reset`.

use std::error::Error;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::http::{Request, StatusCode};
use http_body_util::LengthLimitError;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::Refusal;
use crate::fields::Fields;
use crate::view::{Answer, Command, Control};

/// Longest body read, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024;

/// How long a client may take to send its body.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// How long the control thread may take to take a command and answer it.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// What `/swarm` and `/stop` answer, in Locust's shape.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    success: bool,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_time: Option<u64>,
    /// When the request named some.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_classes: Option<Vec<String>>,
}

impl Done {
    fn new(message: String) -> Self {
        Self { success: true, message, host: None, run_time: None, user_classes: None }
    }
}

/// Starts a test or edits the running one.
pub(crate) async fn swarm(
    State(control): State<Control>,
    request: Request<Body>,
) -> Result<Json<Done>, Refusal> {
    let content_type = content_type(request.headers()).to_owned();
    let body = body(request).await?;
    let view = control.view.borrow().clone();
    let wanted = Fields::read(&content_type, &body)?.check(&view)?;
    let host = wanted.host.clone().unwrap_or_else(|| view.host.clone());
    let (run_time, user_classes) = (wanted.run_time_s, wanted.user_classes.clone());
    let message = ask(&control, |answer| Command::Swarm(wanted, answer)).await?;
    Ok(Json(Done { host: Some(host), run_time, user_classes, ..Done::new(message) }))
}

/// Stops the test.
pub(crate) async fn stop(State(control): State<Control>) -> Result<Json<Done>, Refusal> {
    let message = ask(&control, Command::Stop).await?;
    Ok(Json(Done::new(message)))
}

/// Forgets the statistics; answers the bare `ok` that Locust's scripts compare with.
pub(crate) async fn reset(State(control): State<Control>) -> Result<&'static str, Refusal> {
    ask(&control, Command::Reset).await?;
    Ok("ok")
}

/// Hands a command to the control thread and waits for its answer.
///
/// Dropping the future after the command was handed over does not take it back.
async fn ask(
    control: &Control,
    command: impl FnOnce(oneshot::Sender<Answer>) -> Command,
) -> Result<String, Refusal> {
    let (answer, answered) = oneshot::channel();
    let command = command(answer);
    let exchange = async {
        control.commands.send(command).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    };
    let answer = timeout(ANSWER_TIME_MAX, exchange).await.map_err(|_| {
        let message = format!("the master did not answer in {} s", ANSWER_TIME_MAX.as_secs());
        Refusal::new(StatusCode::GATEWAY_TIMEOUT, message)
    })?;
    answer?.map_err(|message| Refusal::new(StatusCode::CONFLICT, message))
}

fn gone() -> Refusal {
    Refusal::unavailable("the master is shutting down")
}

pub(crate) async fn body(request: Request<Body>) -> Result<Bytes, Refusal> {
    let read = timeout(BODY_TIME_MAX, to_bytes(request.into_body(), BODY_BYTES_MAX));
    let body = read.await.map_err(|_| {
        let message = format!("the body did not arrive in {} s", BODY_TIME_MAX.as_secs());
        Refusal::new(StatusCode::REQUEST_TIMEOUT, message)
    })?;
    body.map_err(|error| match error.source() {
        Some(source) if source.is::<LengthLimitError>() => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {BODY_BYTES_MAX} bytes"),
        ),
        _ => Refusal::bad_input("the body broke off"),
    })
}

pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
