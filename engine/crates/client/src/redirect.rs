//! Whether a response sends the client elsewhere, and as what.

use http::header::{self, HeaderMap};
use http::{Method, StatusCode};

use crate::error::{ErrorKind, Fault};
use crate::headers::Call;
use crate::target::Target;

/// The next destination, with `call` changed to what is sent there; `None` if the response is the
/// final one.
///
/// POST becomes GET on 301 and 302, every method but HEAD on 303; 307 and 308 repeat the request.
/// To another origin (scheme, host or port) no `authorization`, `cookie` or `host` header of the
/// scenario goes along.
pub(crate) fn next(
    status: StatusCode,
    headers: &HeaderMap,
    from: &Target,
    call: &mut Call,
) -> Result<Option<Target>, Fault> {
    let to_get = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => call.method == Method::POST,
        StatusCode::SEE_OTHER => true,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        _ => return Ok(None),
    };
    let Some(location) = headers.get(header::LOCATION) else {
        return Ok(None);
    };
    let location = std::str::from_utf8(location.as_bytes())
        .map_err(|_invalid| Fault::new(ErrorKind::Protocol, "redirect to a URL not in UTF-8"))?;
    let target = from
        .redirected(location)
        .map_err(|fault| Fault::new(ErrorKind::Protocol, format!("redirect: {}", fault.message)))?;
    if to_get {
        call.become_get();
    }
    if *target.origin != *from.origin {
        call.become_foreign();
    }
    Ok(Some(target))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::message::Request;

    fn follow(status: u16, method: &str) -> Method {
        let from = Target::resolve(None, "http://a.test/").expect("URL");
        let mut call = Call::new(&Request::new(method, "/")).expect("call");
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static("/next"));
        let status = StatusCode::from_u16(status).expect("status");
        next(status, &headers, &from, &mut call).expect("redirect").expect("followed");
        call.method
    }

    #[test]
    fn methods_after_a_redirect() {
        for (status, method, expected) in [
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (301, "PUT", "PUT"),
            (302, "GET", "GET"),
            (303, "DELETE", "GET"),
            (303, "HEAD", "HEAD"),
            (307, "POST", "POST"),
            (308, "PUT", "PUT"),
        ] {
            assert_eq!(follow(status, method), expected, "{status} {method}");
        }
    }

    #[test]
    fn what_is_no_redirect() {
        let from = Target::resolve(None, "http://a.test/").expect("URL");
        let mut call = Call::new(&Request::get("/")).expect("call");
        let mut headers = HeaderMap::new();
        let found = StatusCode::FOUND;
        assert!(next(found, &headers, &from, &mut call).expect("no location").is_none());
        headers.insert("location", HeaderValue::from_static("/next"));
        for status in [StatusCode::OK, StatusCode::NOT_MODIFIED, StatusCode::MULTIPLE_CHOICES] {
            assert!(next(status, &headers, &from, &mut call).expect("final").is_none());
        }
        headers.insert("location", HeaderValue::from_static("gopher://a.test"));
        let fault = next(found, &headers, &from, &mut call).expect_err("scheme");
        assert_eq!(fault.kind, ErrorKind::Protocol);
    }
}
