//! From a request target to a route, and from a route to its reply.

use serde::Deserialize;
use serde_json::json;

use crate::answer::{Answer, Extent, Prepared, reason};
use crate::counts::Counts;
use crate::request::{Manner, Request};
use crate::server::Thread;
use crate::shop::{CartError, PASSWORD};
use crate::slow::{BLOCK, Slow};

/// Longest `/delay`, in milliseconds.
const DELAY_MS_MAX: u64 = 60_000;
/// Largest `/bytes`.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Longest `/redirect` chain.
const REDIRECTS_MAX: u64 = 100;
/// Of `/bytes`, so many go out with the head; the rest is streamed.
const INLINE_BYTES_MAX: u64 = 16 * 1024;

const READ: &str = "GET, HEAD";
const INDEX: &str = include_str!("pages/index.html");
const ABOUT: &str = include_str!("pages/about.html");
const ITEMS: &str = include_str!("pages/items.json");

/// What a request asks for, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Index,
    About,
    Items,
    Delay { ms: u64 },
    Status(u16),
    Bytes(u64),
    Echo,
    Redirect { hops: u64 },
    Login,
    Cart,
    Checkout,
    Slow(Slow),
    Counts { reset: bool },
    CountsMisused,
    NotFound,
    WrongMethod { allowed: &'static str },
    WrongParameter { wanted: &'static str },
}

impl Route {
    /// The route of a request; `path` has no query.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        match path {
            "/" => only(READ, method, Self::Index),
            "/about" => only(READ, method, Self::About),
            "/items" => only(READ, method, Self::Items),
            "/login" => only("POST", method, Self::Login),
            "/cart" => only("POST", method, Self::Cart),
            "/checkout" => only("POST", method, Self::Checkout),
            "/echo" => Self::Echo,
            "/reset" => Self::Slow(Slow::Reset),
            "/close" => Self::Slow(Slow::Close),
            "/hang" => Self::Slow(Slow::Hang),
            "/garbage" => Self::Slow(Slow::Garbage),
            "/endless-headers" => Self::Slow(Slow::EndlessHeaders),
            "/endless-body" => Self::Slow(Slow::EndlessBody),
            "/counts" => match method {
                "GET" | "HEAD" => Self::Counts { reset: false },
                "DELETE" => Self::Counts { reset: true },
                _ => Self::CountsMisused,
            },
            "/counts/reset" if method == "POST" => Self::Counts { reset: true },
            "/counts/reset" => Self::CountsMisused,
            _ => Self::with_parameter(path),
        }
    }

    fn with_parameter(path: &str) -> Self {
        let Some((name, parameter)) = path.strip_prefix('/').and_then(|rest| rest.split_once('/'))
        else {
            return Self::NotFound;
        };
        let digits = !parameter.is_empty() && parameter.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| parameter.parse::<u64>().ok()).flatten();
        let (route, wanted) = match name {
            "delay" => (
                number.filter(|ms| *ms <= DELAY_MS_MAX).map(|ms| Self::Delay { ms }),
                "/delay/MS takes 0 to 60000 milliseconds",
            ),
            "status" => (
                number
                    .and_then(|code| u16::try_from(code).ok())
                    .filter(|code| (200..600).contains(code))
                    .map(Self::Status),
                "/status/CODE takes 200 to 599",
            ),
            "bytes" => (
                number.filter(|n| *n <= BYTES_MAX).map(Self::Bytes),
                "/bytes/N takes 0 to 67108864 bytes",
            ),
            "redirect" => (
                number
                    .filter(|hops| (1..=REDIRECTS_MAX).contains(hops))
                    .map(|hops| Self::Redirect { hops }),
                "/redirect/N takes 1 to 100 hops",
            ),
            _ => return Self::NotFound,
        };
        route.unwrap_or(Self::WrongParameter { wanted })
    }

    /// Whether requests for it are counted.
    pub(crate) fn is_counted(self) -> bool {
        !matches!(self, Self::Counts { .. } | Self::CountsMisused)
    }
}

fn only(allowed: &'static str, method: &str, route: Route) -> Route {
    if allowed.split(", ").any(|one| one == method) {
        route
    } else {
        Route::WrongMethod { allowed }
    }
}

/// The answers that never change.
#[derive(Debug)]
pub(crate) struct Pages {
    index: Prepared,
    about: Prepared,
    items: Prepared,
}

impl Pages {
    pub(crate) fn new() -> Self {
        let html = |body: &'static str| {
            let content_type = b"text/html; charset=utf-8";
            Prepared::new(&Answer { status: 200, content_type, lines: "", body: body.as_bytes() })
        };
        let items = Prepared::new(&Answer::json(200, ITEMS));
        Self { index: html(INDEX), about: html(ABOUT), items }
    }
}

/// Appends the answer to `out` and counts it, or returns what has to be done instead or as well.
pub(crate) fn reply(
    thread: &Thread,
    request: &Request,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Option<Slow> {
    let manner = request.manner;
    let mut prepared = |page: &Prepared| {
        page.write(out, manner);
        thread.count_answer(200);
        None
    };
    match request.route {
        Route::Index => prepared(&thread.pages.index),
        Route::About => prepared(&thread.pages.about),
        Route::Items => prepared(&thread.pages.items),
        Route::Delay { ms } => Some(Slow::Delay { ms }),
        Route::Slow(slow) => Some(slow),
        Route::Bytes(n) => bytes(thread, n, manner, out),
        Route::Counts { reset } if thread.shared.member.is_some() => Some(Slow::Sum { reset }),
        Route::Counts { .. } | Route::CountsMisused => {
            counts(thread, request.route, manner, out);
            None
        }
        Route::Status(_)
        | Route::Echo
        | Route::Redirect { .. }
        | Route::Login
        | Route::Cart
        | Route::Checkout
        | Route::NotFound
        | Route::WrongMethod { .. }
        | Route::WrongParameter { .. } => {
            whole(thread, request, body, out);
            None
        }
    }
}

/// The routes that answer at once with a body made for the request.
fn whole(thread: &Thread, request: &Request, body: &[u8], out: &mut Vec<u8>) {
    let content_type = request.content_type.as_deref().unwrap_or_default();
    let mut answer = |answer: Answer<'_>| thread.answer(&answer, request.manner, out);
    match request.route {
        Route::Status(205) => answer(Answer::text(205, "")),
        Route::Status(status) => {
            answer(Answer::text(status, &format!("{status} {}\n", reason(status))));
        }
        Route::Echo => answer(Answer { status: 200, content_type, lines: "", body }),
        Route::Redirect { hops: 1 } => answer(Answer::text(302, "").with_lines("Location: /\r\n")),
        Route::Redirect { hops } => {
            let location = format!("Location: /redirect/{}\r\n", hops - 1);
            answer(Answer::text(302, "").with_lines(&location));
        }
        Route::Login => login(thread, content_type, body, answer),
        Route::Cart => cart(thread, request, body, answer),
        Route::Checkout => checkout(thread, request, answer),
        Route::WrongMethod { allowed } => {
            let lines = format!("Allow: {allowed}\r\n");
            answer(Answer::json(405, &error("this path wants another method")).with_lines(&lines));
        }
        Route::WrongParameter { wanted } => answer(Answer::json(400, &error(wanted))),
        _ => answer(Answer::json(404, &error("there is nothing at this path"))),
    }
}

fn bytes(thread: &Thread, n: u64, manner: Manner, out: &mut Vec<u8>) -> Option<Slow> {
    let content_type = b"application/octet-stream";
    let answer = Answer { status: 200, content_type, lines: "", body: b"" };
    answer.write_head(out, manner.persist, Extent::Bytes(n));
    thread.count_answer(200);
    if manner.head_only {
        return None;
    }
    let inline = n.min(INLINE_BYTES_MAX);
    let length = usize::try_from(inline).expect("no more than INLINE_BYTES_MAX");
    out.extend_from_slice(&BLOCK[..length]);
    (n > inline).then_some(Slow::Rest { bytes: n - inline })
}

fn counts(thread: &Thread, route: Route, manner: Manner, out: &mut Vec<u8>) {
    let counts = match route {
        Route::Counts { reset: true } => thread.shared.ledger.take(),
        Route::Counts { reset: false } => thread.shared.ledger.counts(),
        _ => {
            let body = error("/counts is for GET and DELETE, /counts/reset for POST");
            return Answer::json(405, &body)
                .with_lines("Allow: GET, HEAD, DELETE, POST\r\n")
                .write(out, manner);
        }
    };
    // Not through the thread's answer: these do not count.
    Answer::json(200, &counts_text(&counts)).write(out, manner);
}

/// What `/counts` answers.
pub(crate) fn counts_text(counts: &Counts) -> String {
    serde_json::to_string(counts).expect("counts are plain numbers and names")
}

/// What `/login` wants.
#[derive(Debug, Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    fn read(content_type: &[u8], body: &[u8]) -> Result<Self, Answer<'static>> {
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
        match essence.trim_ascii().to_ascii_lowercase().as_slice() {
            b"application/json" => serde_json::from_slice(body).ok(),
            b"application/x-www-form-urlencoded" => Self::from_form(body),
            _ => {
                let body = r#"{"error":"log in with a form or with JSON"}"#;
                return Err(Answer::json(415, body));
            }
        }
        .ok_or(Answer::json(400, r#"{"error":"give username and password, each once"}"#))
    }

    fn from_form(body: &[u8]) -> Option<Self> {
        let (mut username, mut password) = (None, None);
        for (key, value) in form_urlencoded::parse(body) {
            let slot = match key.as_ref() {
                "username" => &mut username,
                "password" => &mut password,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        Some(Self { username: username?, password: password? })
    }
}

fn login(thread: &Thread, content_type: &[u8], body: &[u8], mut answer: impl FnMut(Answer<'_>)) {
    let credentials = match Credentials::read(content_type, body) {
        Ok(credentials) => credentials,
        Err(refused) => return answer(refused),
    };
    if credentials.password != PASSWORD || credentials.username.is_empty() {
        let body = error("wrong user name or password");
        return answer(Answer::json(401, &body).with_lines("WWW-Authenticate: Bearer\r\n"));
    }
    let token = thread.shared.shop.login(thread.index);
    let cookie = format!("Set-Cookie: session={token}; Path=/; HttpOnly\r\n");
    let body = json!({ "token": token.to_string() }).to_string();
    answer(Answer::json(200, &body).with_lines(&cookie));
}

/// What `/cart` wants.
#[derive(Debug, Deserialize)]
struct CartLine {
    item: u32,
}

fn cart(thread: &Thread, request: &Request, body: &[u8], mut answer: impl FnMut(Answer<'_>)) {
    // Who may not put anything in the cart is told so, whatever the body.
    let Ok(line) = serde_json::from_slice::<CartLine>(body) else {
        return match request.token.filter(|token| thread.shared.shop.knows(*token)) {
            Some(_) => answer(Answer::json(400, &error(r#"want JSON such as {"item": 1}"#))),
            None => unauthorized(answer),
        };
    };
    match thread.shared.shop.add(request.token, line.item) {
        Ok(items) => answer(Answer::json(200, &json!({ "items": items }).to_string())),
        Err(CartError::NoSession) => unauthorized(answer),
        Err(full @ CartError::Full) => answer(Answer::json(409, &error(&full.to_string()))),
    }
}

fn checkout(thread: &Thread, request: &Request, mut answer: impl FnMut(Answer<'_>)) {
    let Some(receipt) = thread.shared.shop.checkout(request.token) else {
        return unauthorized(answer);
    };
    let status = if receipt.sold_out { "out of stock" } else { "ok" };
    let body = json!({ "status": status, "items": receipt.items }).to_string();
    answer(Answer::json(200, &body));
}

fn unauthorized(mut answer: impl FnMut(Answer<'_>)) {
    let body = error("log in first: POST /login");
    answer(Answer::json(401, &body).with_lines("WWW-Authenticate: Bearer\r\n"));
}

fn error(text: &str) -> String {
    json!({ "error": text }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_checked_at_their_limits() {
        let of = |path: &str| Route::of("GET", path);
        let wrong = |path: &str| matches!(of(path), Route::WrongParameter { .. });
        assert_eq!(of("/delay/60000"), Route::Delay { ms: 60_000 });
        assert_eq!(of("/status/200"), Route::Status(200));
        assert_eq!(of("/status/599"), Route::Status(599));
        assert_eq!(of("/bytes/67108864"), Route::Bytes(BYTES_MAX));
        assert_eq!(of("/redirect/100"), Route::Redirect { hops: 100 });
        for path in [
            "/delay/60001",
            "/delay/",
            "/delay/+1",
            "/delay/1.5",
            "/delay/1/2",
            "/status/199",
            "/status/600",
            "/status/65736",
            "/bytes/67108865",
            "/bytes/99999999999999999999",
            "/redirect/0",
            "/redirect/101",
        ] {
            assert!(wrong(path), "{path}");
        }
        for path in ["", "*", "/nothing", "/nothing/1", "/about/", "//", "bytes/1"] {
            assert_eq!(of(path), Route::NotFound, "{path}");
        }
    }

    #[test]
    fn methods_are_checked_where_they_matter() {
        assert_eq!(Route::of("HEAD", "/"), Route::Index);
        assert_eq!(Route::of("POST", "/"), Route::WrongMethod { allowed: READ });
        assert_eq!(Route::of("GET", "/login"), Route::WrongMethod { allowed: "POST" });
        assert_eq!(Route::of("PATCH", "/echo"), Route::Echo);
        assert_eq!(Route::of("DELETE", "/counts"), Route::Counts { reset: true });
        assert_eq!(Route::of("GET", "/counts/reset"), Route::CountsMisused);
        assert!(!Route::CountsMisused.is_counted() && Route::NotFound.is_counted());
    }

    #[test]
    fn credentials_come_as_form_or_json() {
        let read = |kind: &[u8], body: &[u8]| Credentials::read(kind, body).map_err(|a| a.status);
        let form = b"application/x-www-form-urlencoded".as_slice();
        let both = read(form, b"password=a%26b+c&username=%C3%A9&x=1").unwrap();
        assert_eq!((both.username.as_str(), both.password.as_str()), ("é", "a&b c"));
        let json = read(b"Application/JSON; charset=utf-8", br#"{"username":"a","password":"b"}"#);
        assert_eq!(json.unwrap().password, "b");
        assert_eq!(read(form, b"username=a").unwrap_err(), 400);
        assert_eq!(read(form, b"username=a&username=b&password=c").unwrap_err(), 400);
        assert_eq!(read(b"application/json", b"username=a&password=b").unwrap_err(), 400);
        assert_eq!(read(b"", b"username=a&password=b").unwrap_err(), 415);
    }
}
