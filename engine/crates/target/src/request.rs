//! From the bytes of a head to a request that owns what its route needs.

use std::mem::MaybeUninit;

use crate::body::Framing;
use crate::routes::Route;
use crate::shop::Token;

/// Longest request head, in bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most header lines in a head.
const HEADERS_MAX: usize = 100;

/// A request whose head is complete.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) route: Route,
    pub(crate) manner: Manner,
    pub(crate) framing: Framing,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    /// Only of requests with a body.
    pub(crate) content_type: Option<Box<[u8]>>,
    /// Bearer token or session cookie, not yet checked.
    pub(crate) token: Option<Token>,
}

/// How an answer is given, whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) persist: Persist,
    /// The request was `HEAD`: the answer's head only.
    pub(crate) head_only: bool,
}

/// What becomes of the connection after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persist {
    /// It stays, as is usual for HTTP/1.1.
    Keep,
    /// It stays because an HTTP/1.0 client asked for it, which must be told so.
    KeepOld,
    /// It is closed.
    Close,
    /// It is closed, and the client does not understand chunked bodies (HTTP/1.0).
    CloseOld,
}

impl Persist {
    /// Whether another request may follow.
    pub(crate) fn keeps(self) -> bool {
        matches!(self, Self::Keep | Self::KeepOld)
    }

    /// Whether the client understands chunked bodies.
    pub(crate) fn knows_chunks(self) -> bool {
        matches!(self, Self::Keep | Self::Close)
    }
}

/// Why a request is refused and its connection closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    #[error("the request's head is larger than {HEAD_BYTES_MAX} bytes")]
    HeadTooLarge,
    #[error("the request has more than {HEADERS_MAX} header lines")]
    TooManyHeaders,
    #[error("the request's body is larger than {} bytes", crate::body::BODY_BYTES_MAX)]
    BodyTooLarge,
    #[error("only the transfer coding \"chunked\" is known")]
    TransferCoding,
}

impl Refusal {
    /// The status it is answered with.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::BodyTooLarge => 413,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::TransferCoding => 501,
        }
    }
}

/// A parsed head: the request, and what is of interest only until the head is let go.
#[derive(Debug)]
pub(crate) struct Parsed<'a> {
    pub(crate) request: Request,
    /// The target's path, without the query.
    pub(crate) path: &'a str,
    /// Bytes of the head.
    pub(crate) length: usize,
}

/// Parses the head at the start of `input`; `None` when it is not complete yet.
pub(crate) fn parse(input: &[u8]) -> Result<Option<Parsed<'_>>, Refusal> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut []);
    let length = match head.parse_with_uninit_headers(input, &mut headers) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
        Ok(httparse::Status::Partial) if input.len() < HEAD_BYTES_MAX => return Ok(None),
        Ok(_) => return Err(Refusal::HeadTooLarge),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooManyHeaders),
        Err(httparse::Error::Version) => return Err(Refusal::Malformed("HTTP version")),
        Err(httparse::Error::Token) => return Err(Refusal::Malformed("request line")),
        Err(httparse::Error::NewLine) => return Err(Refusal::Malformed("line end")),
        Err(_) => return Err(Refusal::Malformed("header line")),
    };
    let complete = "httparse fills in every part of a complete head";
    let (method, target) = (head.method.expect(complete), head.path.expect(complete));
    let version_1_1 = head.version.expect(complete) == 1;
    let path = path_of(target);
    let fields = Fields::read(head.headers)?;
    let framing = fields.framing(version_1_1)?;
    if version_1_1 && fields.hosts != 1 {
        return Err(Refusal::Malformed("not exactly one host header"));
    }
    let persist = match (version_1_1, fields.close, fields.keep_alive) {
        (true, false, _) => Persist::Keep,
        (true, true, _) => Persist::Close,
        (false, false, true) => Persist::KeepOld,
        (false, _, _) => Persist::CloseOld,
    };
    let has_body = framing != Framing::None;
    let request = Request {
        route: Route::of(method, path),
        manner: Manner { persist, head_only: method == "HEAD" },
        framing,
        expects_continue: fields.expects_continue && version_1_1 && has_body,
        content_type: fields.content_type.filter(|_| has_body).map(Into::into),
        token: fields.bearer.or(fields.cookie),
    };
    Ok(Some(Parsed { request, path, length }))
}

/// The path of a request target, which may also be a whole URL.
fn path_of(target: &str) -> &str {
    let target = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            rest.find(['/', '?']).map_or("/", |start| &rest[start..])
        }
        _ => target,
    };
    match target.split_once('?') {
        Some(("", _)) => "/",
        Some((path, _)) => path,
        None => target,
    }
}

/// The header fields the target cares for.
#[derive(Debug, Default)]
struct Fields<'a> {
    hosts: usize,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    length: Option<u64>,
    chunked: bool,
    content_type: Option<&'a [u8]>,
    bearer: Option<Token>,
    cookie: Option<Token>,
}

impl<'a> Fields<'a> {
    fn read(headers: &[httparse::Header<'a>]) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for header in headers {
            fields.read_one(header.name, header.value)?;
        }
        Ok(fields)
    }

    fn read_one(&mut self, name: &str, value: &'a [u8]) -> Result<(), Refusal> {
        // By length first: most headers of most requests are none of these.
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => self.hosts += 1,
            6 if name.eq_ignore_ascii_case("expect") => {
                self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
            }
            6 if name.eq_ignore_ascii_case("cookie") => self.cookie = session_of(value),
            10 if name.eq_ignore_ascii_case("connection") => {
                for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            12 if name.eq_ignore_ascii_case("content-type") => self.content_type = Some(value),
            13 if name.eq_ignore_ascii_case("authorization") => self.bearer = bearer_of(value),
            14 if name.eq_ignore_ascii_case("content-length") => {
                let length = length_of(value).ok_or(Refusal::Malformed("content-length"))?;
                if self.length.is_some_and(|earlier| earlier != length) {
                    return Err(Refusal::Malformed("two different content-lengths"));
                }
                self.length = Some(length);
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                if self.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::TransferCoding);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn framing(&self, version_1_1: bool) -> Result<Framing, Refusal> {
        match (self.chunked, self.length) {
            (false, None | Some(0)) => Ok(Framing::None),
            (false, Some(length)) => Ok(Framing::Length(length)),
            (true, Some(_)) => Err(Refusal::Malformed("both a length and chunks")),
            (true, None) if version_1_1 => Ok(Framing::Chunked),
            (true, None) => Err(Refusal::Malformed("chunks in HTTP/1.0")),
        }
    }
}

/// Digits only: a sign or a space would be read differently by others on the way.
fn length_of(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn session_of(cookies: &[u8]) -> Option<Token> {
    let mut pairs = cookies.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    pairs.find_map(|pair| pair.strip_prefix(b"session=")).and_then(Token::parse)
}

fn bearer_of(value: &[u8]) -> Option<Token> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| Token::parse(token.trim_ascii()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(head: &str) -> Parsed<'_> {
        let parsed = parse(head.as_bytes()).unwrap().unwrap();
        assert_eq!(parsed.length, head.len());
        parsed
    }

    fn refusal(head: &str) -> Refusal {
        parse(head.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_head_is_incomplete_until_its_last_byte() {
        let head = "POST /cart?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n";
        for end in 0..head.len() {
            assert!(parse(&head.as_bytes()[..end]).unwrap().is_none(), "at {end}");
        }
        let parsed = ok(head);
        assert_eq!(parsed.path, "/cart");
        assert_eq!(parsed.request.framing, Framing::Length(12));
    }

    #[test]
    fn paths_lose_query_and_authority() {
        for (target, path) in [
            ("/a?b=/c", "/a"),
            ("/a?u=http://x/y", "/a"),
            ("http://host:1/a/b?c", "/a/b"),
            ("http://host", "/"),
            ("http://host?q", "/"),
            ("*", "*"),
        ] {
            assert_eq!(path_of(target), path, "{target}");
        }
    }

    #[test]
    fn persistence_follows_version_and_connection_header() {
        for (version, connection, persist) in [
            ("1.1", "", Persist::Keep),
            ("1.1", "Connection: upgrade, Close\r\n", Persist::Close),
            ("1.0", "", Persist::CloseOld),
            ("1.0", "Connection: Keep-Alive\r\n", Persist::KeepOld),
            ("1.0", "Connection: keep-alive, close\r\n", Persist::CloseOld),
        ] {
            let head = format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n");
            assert_eq!(ok(&head).request.manner.persist, persist, "{head}");
        }
    }

    #[test]
    fn heads_that_could_be_read_in_two_ways_are_refused() {
        let post = |lines: &str| refusal(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
        for lines in [
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Host: b\r\n",
            "No colon\r\n",
        ] {
            assert!(matches!(post(lines), Refusal::Malformed(_)), "{lines}");
        }
        assert_eq!(post("Transfer-Encoding: gzip, chunked\r\n"), Refusal::TransferCoding);
        assert!(matches!(refusal("GET / HTTP/1.1\r\n\r\n"), Refusal::Malformed(_)), "no host");
        let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(matches!(refusal(old), Refusal::Malformed(_)));
        assert!(matches!(refusal("GET / HTTP/2.0\r\n\r\n"), Refusal::Malformed(_)));
    }

    #[test]
    fn heads_are_limited() {
        let head = |padding: usize| {
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(padding))
        };
        let fitting = HEAD_BYTES_MAX - head(0).len();
        ok(&head(fitting));
        assert_eq!(refusal(&head(fitting + 1)), Refusal::HeadTooLarge);
        assert_eq!(refusal(&head(fitting + 1)[..HEAD_BYTES_MAX]), Refusal::HeadTooLarge);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "Host: a\r\n".repeat(HEADERS_MAX + 1));
        assert_eq!(refusal(&many), Refusal::TooManyHeaders);
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let text = Token::parse(b"1f-00000000000000aa").map(|token| token.to_string());
        assert_eq!(text.as_deref(), Some("1f-00000000000000aa"));
        for line in [
            "Cookie: a=b; session=1f-00000000000000aa; xsession=1",
            "Authorization: bearer 1f-00000000000000aa",
        ] {
            let head = format!("GET /cart HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
            let token = ok(&head).request.token.map(|token| token.to_string());
            assert_eq!(token, text, "{line}");
        }
        let other = "GET / HTTP/1.1\r\nHost: a\r\nCookie: xsession=1f-00000000000000aa\r\n\r\n";
        assert!(ok(other).request.token.is_none());
    }
}
