//! Whether a response sends the client elsewhere, and as what.

use crate::call::Call;
use crate::error::{ErrorKind, Fault};
use crate::head::Headers;
use crate::method::Method;
use crate::target::Target;

/// The next destination, with `call` changed to what is sent there; `None` if the response is the
/// final one.
///
/// POST becomes GET on 301 and 302, every method but HEAD on 303; 307 and 308 repeat the request.
/// To another origin (scheme, host or port) no `authorization`, `cookie` or `host` header of the
/// scenario goes along.
pub(crate) fn next(
    status: u16,
    headers: &Headers,
    from: &Target<'_>,
    call: &mut Call<'_>,
) -> Result<Option<Target<'static>>, Fault> {
    let to_get = match status {
        301 | 302 => *call.method() == Method::Post,
        303 => true,
        307 | 308 => false,
        _ => return Ok(None),
    };
    let Some(location) = headers.get("location") else {
        return Ok(None);
    };
    let location = std::str::from_utf8(location)
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
    use super::*;
    use crate::message::Request;

    fn location(url: &str) -> Headers {
        Headers::from_pairs([("location", url)]).expect("headers")
    }

    fn follow(status: u16, method: &str) -> String {
        let from = Target::resolve(None, "http://a.test/").expect("URL");
        let request = Request::new(method, "/");
        let mut call = Call::new(&request).expect("call");
        let target = next(status, &location("/next"), &from, &mut call).expect("redirect");
        assert_eq!(target.expect("followed").path, "/next");
        call.method().to_string()
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
        let request = Request::get("/");
        let mut call = Call::new(&request).expect("call");
        let none = Headers::default();
        assert!(next(302, &none, &from, &mut call).expect("no location").is_none());
        for status in [200, 304, 300] {
            assert!(next(status, &location("/x"), &from, &mut call).expect("final").is_none());
        }
        let headers = location("gopher://a.test");
        let fault = next(302, &headers, &from, &mut call).expect_err("scheme");
        assert_eq!(fault.kind, ErrorKind::Protocol);
    }
}
