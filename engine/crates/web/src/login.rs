//! The login: who has the token may see and drive everything, nobody else anything.
//!
//! A browser sends the token once, from the form, and gets a cookie for a session; a script sends
//! it with each request as `Authorization: Bearer TOKEN`. Wrong tokens are counted by address, and
//! an address that sends many is not listened to for a while. The files of the page are no
//! secret and need no login.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};
use axum::http::header::{LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use swarm_core::attempts::{Attempts, FAILURES_MAX, WINDOW};
use swarm_core::token::{TokenError, token_bytes};
use url::form_urlencoded;

use crate::assets::ASSETS;
use crate::command::{body, content_type};
use crate::error::Refusal;

/// How long a session lasts.
const SESSION_TIME: Duration = Duration::from_secs(12 * 3600);

/// Sessions at a time; the oldest ends when there is one more.
const SESSIONS_MAX: usize = 1_000;

/// Bytes of a session's random name.
const SESSION_BYTES: usize = 32;

/// What opens the page.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginToken(Arc<[u8]>);

impl LoginToken {
    /// A token of these bytes; white space around them is not part of it.
    ///
    /// # Errors
    /// When it is too short to be hard to guess, or too long.
    pub fn new(text: &[u8]) -> Result<Self, TokenError> {
        Ok(Self(token_bytes(text)?.into()))
    }
}

impl fmt::Debug for LoginToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginToken(..)")
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Where the page is, for cookies and redirections.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Path of everything, without a slash at its end.
    pub(crate) base: String,
    /// Cookies of one host are shared by all its ports: each has a name of its own.
    pub(crate) port: u16,
    /// Over TLS.
    pub(crate) secure: bool,
}

/// What all requests are held against.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    /// Of this process alone: what is compared is not the token.
    key: hmac::Key,
    token: hmac::Tag,
    random: SystemRandom,
    place: Place,
    since: Instant,
    state: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    attempts: Attempts,
    /// When each session ends, by its name.
    sessions: HashMap<String, Duration>,
}

/// The system has no random bytes to give.
fn no_randomness() -> std::io::Error {
    std::io::Error::other("the system gives no random bytes")
}

impl Gate {
    pub(crate) fn new(token: &LoginToken, place: Place) -> std::io::Result<Self> {
        let random = SystemRandom::new();
        let key = hmac::Key::generate(HMAC_SHA256, &random).map_err(|_| no_randomness())?;
        let token = hmac::sign(&key, &token.0);
        let (since, state) = (Instant::now(), Mutex::default());
        Ok(Self(Arc::new(Inner { key, token, random, place, since, state })))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing in there can be left half done.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is this the token? Counts it if not. In constant time.
    fn check(&self, peer: IpAddr, token: &[u8]) -> Result<(), Refused> {
        let now = self.0.since.elapsed();
        let mut known = self.known();
        if let Some(left) = known.attempts.blocked(now, peer) {
            return Err(Refused::Blocked(left));
        }
        if hmac::verify(&self.0.key, token.trim_ascii(), self.0.token.as_ref()).is_ok() {
            return Ok(());
        }
        if known.attempts.failed(now, peer) {
            tracing::warn!(
                "{peer} has sent {FAILURES_MAX} wrong tokens to the web page: none from there is \
                 looked at for {} s",
                WINDOW.as_secs()
            );
        }
        Err(Refused::Wrong)
    }

    /// Begins a session; gives its name.
    fn begin(&self) -> Result<String, Refusal> {
        let mut bytes = [0_u8; SESSION_BYTES];
        let drawn = self.0.random.fill(&mut bytes);
        drawn.map_err(|_| Refusal::unavailable(no_randomness().to_string()))?;
        let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let now = self.0.since.elapsed();
        let sessions = &mut self.known().sessions;
        sessions.retain(|_, ends| now < *ends);
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, ends)| **ends);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(name.clone(), now + SESSION_TIME);
        Ok(name)
    }

    /// Is this the cookie of a session?
    fn has_session(&self, headers: &HeaderMap) -> bool {
        let now = self.0.since.elapsed();
        let sessions = &self.known().sessions;
        self.cookies(headers).any(|name| sessions.get(name).is_some_and(|ends| now < *ends))
    }

    /// The names of sessions that a request brings.
    fn cookies<'a>(&self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        let ours = format!("{}=", self.cookie());
        let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        lines.flat_map(|line| line.split(';')).filter_map(move |pair| {
            let pair = pair.trim();
            pair.strip_prefix(&ours)
        })
    }

    fn cookie(&self) -> String {
        format!("swarm_{}", self.0.place.port)
    }

    /// The header that sets a session's cookie; an empty name takes it away.
    fn set_cookie(&self, name: &str) -> HeaderValue {
        let Place { base, secure, .. } = &self.0.place;
        let age = if name.is_empty() { 0 } else { SESSION_TIME.as_secs() };
        let secure = if *secure { "; Secure" } else { "" };
        let cookie = self.cookie();
        let text = format!(
            "{cookie}={name}; Path={base}/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
        );
        HeaderValue::try_from(text).expect("of hexadecimal digits and a checked path")
    }

    fn redirect(&self, to: &str) -> Response {
        let to = format!("{}/{to}", self.0.place.base);
        (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
    }
}

/// Why somebody is not let in.
enum Refused {
    Wrong,
    Blocked(Duration),
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::Wrong => StatusCode::UNAUTHORIZED,
            Self::Blocked(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Wrong => "this is not the token of this page (--web-token-file)".to_owned(),
            Self::Blocked(left) => {
                format!("too many wrong tokens: try again in {} s", left.as_secs() + 1)
            }
        }
    }

    /// Says when to come again, or what is wanted.
    fn mark(&self, response: &mut Response) {
        let headers = response.headers_mut();
        match self {
            Self::Wrong => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Blocked(left) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(left.as_secs() + 1));
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = Refusal::new(self.status(), self.message()).into_response();
        self.mark(&mut response);
        response
    }
}

/// Lets pass who has a session or brings the token.
pub(crate) async fn required(
    State(gate): State<Gate>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    if gate.has_session(headers) {
        return next.run(request).await;
    }
    if let Some(token) = bearer(headers) {
        return match gate.check(peer, token) {
            Ok(()) => next.run(request).await,
            Err(refused) => refused.into_response(),
        };
    }
    if *request.method() == Method::GET && wants_html(headers) {
        return gate.redirect("login");
    }
    let message = "log in first: at /login in a browser, with `Authorization: Bearer TOKEN` in a \
                   script";
    let mut response = Refusal::new(StatusCode::UNAUTHORIZED, message).into_response();
    Refused::Wrong.mark(&mut response);
    response
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|kind| kind.trim().starts_with("text/html")))
}

/// `GET /login`.
pub(crate) async fn form() -> Response {
    shown(StatusCode::OK, "")
}

/// The form. `problem` is ours, not the user's, and needs no escape.
fn shown(status: StatusCode, problem: &str) -> Response {
    let style = ASSETS.iter().find(|asset| asset.path.ends_with(".css"));
    let problem = match problem {
        "" => String::new(),
        problem => format!("<p class=\"problem\" role=\"alert\">{problem}</p>"),
    };
    let page = include_str!("login.html")
        .replace("{style}", style.map_or("", |asset| asset.path))
        .replace("{problem}", &problem);
    // Without a referrer the browser would not say where the form comes from, and the answer to
    // it would be refused as a foreign page's.
    let policy = (REFERRER_POLICY, "same-origin");
    (status, [policy], Html(page)).into_response()
}

/// `POST /login`: a form or a JSON object with the field `token`.
pub(crate) async fn login(
    State(gate): State<Gate>,
    Extension(Peer(peer)): Extension<Peer>,
    request: axum::http::Request<Body>,
) -> Result<Response, Refusal> {
    let html = wants_html(request.headers());
    let json = content_type(request.headers()).starts_with("application/json");
    let body = body(request).await?;
    let token = if json { of_json(&body)? } else { of_form(&body) };
    if let Err(refused) = gate.check(peer, token.as_bytes()) {
        if !html {
            return Ok(refused.into_response());
        }
        let mut response = shown(refused.status(), &refused.message());
        refused.mark(&mut response);
        return Ok(response);
    }
    let name = gate.begin()?;
    tracing::info!("{peer} has logged in to the web page");
    let mut response = if html { gate.redirect("") } else { done("Logged in") };
    response.headers_mut().insert(SET_COOKIE, gate.set_cookie(&name));
    Ok(response)
}

/// `POST /logout`: ends the session that the request belongs to.
pub(crate) async fn logout(State(gate): State<Gate>, headers: HeaderMap) -> Response {
    let sessions = &mut gate.known().sessions;
    for name in gate.cookies(&headers) {
        sessions.remove(name);
    }
    let mut response =
        if wants_html(&headers) { gate.redirect("login") } else { done("Logged out") };
    response.headers_mut().insert(SET_COOKIE, gate.set_cookie(""));
    response
}

fn done(message: &str) -> Response {
    axum::Json(json!({ "success": true, "message": message })).into_response()
}

fn of_form(body: &[u8]) -> String {
    let token = form_urlencoded::parse(body).find(|(name, _)| name == "token");
    token.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn of_json(body: &[u8]) -> Result<String, Refusal> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_input(format!("the body is not JSON: {error}")))?;
    let token = value.get("token").and_then(Value::as_str);
    token.map(str::to_owned).ok_or_else(|| Refusal::bad_input("give a text as `token`"))
}

#[cfg(test)]
mod tests {
    use swarm_core::token::TOKEN_BYTES_MAX;

    use super::*;

    fn gate() -> Gate {
        let token = LoginToken::new(b" 0123456789abcdef\n").unwrap();
        let place = Place { base: "/x".into(), port: 8089, secure: true };
        Gate::new(&token, place).unwrap()
    }

    fn cookie(text: &str) -> HeaderMap {
        [(COOKIE, HeaderValue::try_from(text).unwrap())].into_iter().collect()
    }

    #[test]
    fn tokens_have_a_length() {
        for text in ["", "\n", "fifteen bytes.."] {
            let error = LoginToken::new(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("16 to 4096 bytes"), "{error}");
        }
        let token = LoginToken::new(&[b'x'; TOKEN_BYTES_MAX]).unwrap();
        assert_eq!(format!("{token:?}"), "LoginToken(..)");
        assert!(LoginToken::new(&[b'x'; TOKEN_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn sessions_are_found_among_other_cookies_and_limited() {
        let gate = gate();
        let first = gate.begin().unwrap();
        let set = gate.set_cookie(&first);
        let set = set.to_str().unwrap();
        let wanted = format!("swarm_8089={first}; Path=/x/; Max-Age=43200; HttpOnly; ");
        assert_eq!(set, format!("{wanted}SameSite=Strict; Secure"));
        assert!(gate.has_session(&cookie(&format!("a=b; swarm_8089={first}; c=d"))));
        for other in ["", "swarm_8089=", "swarm_8090=x", &format!("x_swarm_8089={first}")] {
            assert!(!gate.has_session(&cookie(other)), "{other}");
        }
        for _ in 0..SESSIONS_MAX {
            gate.begin().unwrap();
        }
        assert_eq!(gate.known().sessions.len(), SESSIONS_MAX);
        assert!(!gate.has_session(&cookie(&format!("swarm_8089={first}"))), "the oldest is gone");
    }
}
