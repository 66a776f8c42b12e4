//! Plain requests, one a connection: HTTP/1.0, so that an answer ends where the connection does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How long a connection may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Status line and header lines.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Response {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// It is not JSON, or the status is not 200.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}\n{}", self.head, self.body);
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }
}

/// `GET`s a URL such as `http://127.0.0.1:8089/stats/requests`.
///
/// # Panics
///
/// There is no answer, or it is not HTTP.
#[track_caller]
pub fn get(url: &str) -> Response {
    answered(url, request("GET", url, &[], ""))
}

/// `POST`s a form to a URL.
///
/// # Panics
///
/// There is no answer, or it is not HTTP.
#[track_caller]
pub fn post(url: &str, form: &[(&str, &str)]) -> Response {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let lines = ["Content-Type: application/x-www-form-urlencoded"];
    answered(url, request("POST", url, &lines, &body))
}

fn host(authority: &str) -> String {
    format!("Host: {authority}\r\n")
}

/// Sends any request with these header lines, of which the first may be another `Host`; the error
/// of a connection that fails is returned, for tests of servers that come and go.
///
/// # Errors
///
/// The server is not there, closes without an answer, or is silent for long.
///
/// # Panics
///
/// The URL is not `http://HOST:PORT/...`, or the answer is not HTTP.
#[track_caller]
pub fn request(method: &str, url: &str, lines: &[&str], body: &str) -> std::io::Result<Response> {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("not an http URL: {url}"));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    let length = body.len();
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let host = if lines.starts_with("Host: ") { String::new() } else { host(authority) };
    let head =
        format!("{method} /{path} HTTP/1.0\r\n{host}Content-Length: {length}\r\n{lines}\r\n");
    stream.write_all((head + body).as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    if answer.is_empty() {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let answer = String::from_utf8_lossy(&answer);
    Ok(parse(&answer).unwrap_or_else(|| panic!("{url} answers what is not HTTP: {answer}")))
}

fn parse(answer: &str) -> Option<Response> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Response { status, head: head.to_owned(), body: body.to_owned() })
}

#[track_caller]
fn answered(url: &str, response: std::io::Result<Response>) -> Response {
    response.unwrap_or_else(|error| panic!("no answer from {url}: {error}"))
}
