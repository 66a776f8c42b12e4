//! Where one exchange goes: an origin and a path, from what a scenario or a redirect wrote.

use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use url::Url;

use crate::error::Fault;
use crate::name::is_absolute;
use crate::url::{BaseUrl, Origin, Scheme, has_user};

/// Longest URL, the `http` crate's own limit.
const URL_BYTES_MAX: usize = u16::MAX as usize - 1;

/// One exchange's destination.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) origin: Arc<Origin>,
    pub(crate) path: PathAndQuery,
}

impl Target {
    /// Where `url`, as a scenario wrote it, leads.
    pub(crate) fn resolve(base: Option<&BaseUrl>, url: &str) -> Result<Self, Fault> {
        if url.len() > URL_BYTES_MAX {
            return Err(Fault::other(format!("URL longer than {URL_BYTES_MAX} bytes")));
        }
        if url.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(Fault::other("URL with a control character: encode or remove it"));
        }
        if is_absolute(url) {
            return Self::of(&Url::parse(url).map_err(invalid)?, base);
        }
        let Some(base) = base else {
            return Err(Fault::other(
                "relative URL without a host: give the test a host, or the request a full URL",
            ));
        };
        Ok(Self { origin: Arc::clone(base.origin()), path: join(base, url)? })
    }

    /// Where a redirect to `location` leads.
    pub(crate) fn redirected(&self, location: &str) -> Result<Self, Fault> {
        let url = self.url()?.join(location).map_err(invalid)?;
        let target = Self::of(&url, None)?;
        if *target.origin == *self.origin {
            return Ok(Self { origin: Arc::clone(&self.origin), path: target.path });
        }
        Ok(target)
    }

    fn of(url: &Url, base: Option<&BaseUrl>) -> Result<Self, Fault> {
        if Scheme::of(url).is_none() {
            let scheme = url.scheme();
            return Err(Fault::other(format!(
                "URL with the scheme `{scheme}`: only http and https are supported"
            )));
        }
        if has_user(url) {
            return Err(Fault::other(
                "URL with a user or password: send an `authorization` header instead",
            ));
        }
        let origin = Origin::of(url).ok_or_else(|| Fault::other("URL without a host"))?;
        let origin = match base {
            Some(base) if **base.origin() == origin => Arc::clone(base.origin()),
            _ => Arc::new(origin),
        };
        Ok(Self { origin, path: path_of(url)? })
    }

    /// The whole URL, as cookies and redirects need it.
    pub(crate) fn url(&self) -> Result<Url, Fault> {
        Url::parse(&format!("{}{}", self.origin.prefix(), self.path)).map_err(invalid)
    }
}

/// The path of a relative URL, below the base path.
fn join(base: &BaseUrl, url: &str) -> Result<PathAndQuery, Fault> {
    let url = url.split('#').next().unwrap_or_default();
    let mut text = String::with_capacity(base.path().len() + url.len() + 1);
    text.push_str(base.path());
    // A query alone belongs to the base path itself, everything else is below it.
    if !(url.is_empty() || url.starts_with(['/', '?'])) {
        text.push('/');
    }
    text.push_str(url);
    if !text.starts_with('/') {
        text.insert(0, '/');
    }
    if is_plain(&text) {
        return path_and_query(text);
    }
    let url = Url::parse(&format!("{}{text}", base.origin().prefix())).map_err(invalid)?;
    path_of(&url)
}

fn invalid(error: url::ParseError) -> Fault {
    Fault::other(format!("invalid URL: {error}"))
}

fn path_of(url: &Url) -> Result<PathAndQuery, Fault> {
    path_and_query(match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    })
}

fn path_and_query(text: String) -> Result<PathAndQuery, Fault> {
    PathAndQuery::from_maybe_shared(Bytes::from(text))
        .map_err(|error| Fault::other(format!("invalid URL: {error}")))
}

/// Can this path go out as it is, without encoding and without dots to resolve?
fn is_plain(path: &str) -> bool {
    !path.contains("/.")
        && path.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~' | b'%' | b'?' | b'=' | b'&')
                || matches!(byte, b'!' | b'$' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b':')
                || byte == b'@'
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base(text: &str) -> BaseUrl {
        text.parse().expect("test URL")
    }

    fn path(base_url: &str, url: &str) -> String {
        Target::resolve(Some(&base(base_url)), url).expect(url).path.to_string()
    }

    #[test]
    fn relative_urls_are_below_the_base_path() {
        for (base_url, url, expected) in [
            ("http://a.test", "/x?y=1", "/x?y=1"),
            ("http://a.test", "", "/"),
            ("http://a.test", "?q", "/?q"),
            ("http://a.test", "x", "/x"),
            ("http://a.test/b", "/x", "/b/x"),
            ("http://a.test/b/", "x#frag", "/b/x"),
            ("http://a.test/b", "", "/b"),
            ("http://a.test/b", "?q", "/b?q"),
            ("http://a.test", "//other.test/x", "//other.test/x"),
            ("http://a.test", "/a b/ü?c d", "/a%20b/%C3%BC?c%20d"),
            ("http://a.test", "/a/../b/./c", "/b/c"),
            ("http://a.test", "/redirect?to=http://b.test", "/redirect?to=http://b.test"),
            ("http://a.test/b", "HTTP://c.test:81/x", "/x"),
        ] {
            assert_eq!(path(base_url, url), expected, "{base_url} + {url}");
        }
    }

    #[test]
    fn host_header_has_the_port_where_needed() {
        for (url, authority) in [
            ("http://a.test:80/", "a.test"),
            ("https://a.test:80/", "a.test:80"),
            ("http://[::1]:81/", "[::1]:81"),
        ] {
            let target = Target::resolve(None, url).expect(url);
            assert_eq!(target.origin.authority, authority);
        }
    }

    #[test]
    fn urls_that_cannot_be_sent() {
        let base = base("http://a.test");
        for (url, part) in [
            ("ftp://a.test/x", "scheme `ftp`"),
            ("http://me@a.test/", "authorization"),
            ("/a\r\nb", "control character"),
            ("http://", "invalid URL"),
        ] {
            let fault = Target::resolve(Some(&base), url).expect_err(url);
            assert!(fault.message.contains(part), "{url}: {}", fault.message);
        }
        assert!(Target::resolve(None, "/x").is_err());
        assert!(Target::resolve(Some(&base), &"/x".repeat(40_000)).is_err());
    }

    #[test]
    fn redirects_resolve_against_the_current_url() {
        let from = Target::resolve(None, "http://a.test/dir/page?q").expect("URL");
        for (location, host, path) in [
            ("other", "a.test:80", "/dir/other"),
            ("/root#frag", "a.test:80", "/root"),
            ("?x", "a.test:80", "/dir/page?x"),
            ("//b.test/x", "b.test:80", "/x"),
            ("https://a.test/x", "a.test:443", "/x"),
        ] {
            let to = from.redirected(location).expect(location);
            assert_eq!(
                (to.origin.host_and_port(), to.path.to_string()),
                (host.into(), path.into())
            );
        }
        assert!(from.redirected("ftp://a.test/").is_err());
    }

    proptest! {
        /// The path that skips the URL parser gives what the parser would.
        #[test]
        fn plain_paths_need_no_parser(rest in "[a-zA-Z0-9/_.~%?=&!$()*+,;:@-]{0,40}") {
            let text = format!("/{rest}");
            prop_assume!(is_plain(&text) && !text.to_ascii_lowercase().contains("%2e"));
            let parsed = Url::parse(&format!("http://a.test{text}")).expect("plain");
            let expected = path_of(&parsed).expect("path").to_string();
            prop_assert_eq!(path("http://a.test", &text), expected);
        }

        #[test]
        fn any_text_is_resolved_or_refused(text in "\\PC{0,60}") {
            let base = base("http://a.test/b");
            let _ = Target::resolve(Some(&base), &text);
            prop_assert!(!crate::name::sample_name(&text, Some(&base)).is_empty());
        }
    }
}
