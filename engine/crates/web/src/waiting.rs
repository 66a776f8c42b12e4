//! What is answered while there is nothing to show yet: that it is being prepared, and that one may
//! ask again. Nothing is told that a login would keep from strangers.

use axum::Router;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::server::{WebOptions, accept};

/// After so many seconds a client may ask again; a browser does.
const RETRY_AFTER_S: &str = "1";

/// Answers every request with status 503 and `message`, which is plain text, until `shutdown` is
/// ready. Connections that come later wait in the listener's queue for who serves it next.
pub async fn serve_waiting(
    listener: TcpListener,
    options: &WebOptions,
    message: watch::Receiver<String>,
    shutdown: impl Future<Output = ()>,
) {
    let (close, closing) = watch::channel(false);
    let answer = move |headers: HeaderMap| {
        let answer = answer(&headers, &message.borrow());
        async { answer }
    };
    let router = Router::new().fallback(answer);
    accept(listener, &router, options.tls.clone(), shutdown, close, closing).await;
}

fn answer(headers: &HeaderMap, message: &str) -> Response {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let (kind, body) = if accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        ("text/html; charset=utf-8", page(message))
    } else {
        ("application/json", json!({"success": false, "message": message}).to_string())
    };
    let headers = [(CONTENT_TYPE, kind), (RETRY_AFTER, RETRY_AFTER_S), (CACHE_CONTROL, "no-store")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, body).into_response()
}

/// A page that asks again by itself.
fn page(message: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"{RETRY_AFTER_S}\"><title>swarm</title>\
         <p style=\"font-family:sans-serif;margin:4em;text-align:center\">{message}</p></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn browsers_get_a_page_that_asks_again_and_scripts_get_json() {
        let mut headers = HeaderMap::new();
        let kind = |headers: &HeaderMap| {
            let answer = answer(headers, "is being compiled");
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers()[RETRY_AFTER], RETRY_AFTER_S);
            answer.headers()[CONTENT_TYPE].clone()
        };
        assert_eq!(kind(&headers), "application/json");
        headers.insert(ACCEPT, HeaderValue::from_static("text/html,*/*;q=0.8"));
        assert_eq!(kind(&headers), "text/html; charset=utf-8");
        assert!(page("is being compiled").contains("content=\"1\""));
    }
}
