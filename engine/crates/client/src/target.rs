//! Where one exchange goes: an origin and a path, from what a scenario or a redirect wrote.

use std::borrow::Cow;
use std::sync::Arc;

use url::Url;

use crate::error::Fault;
use crate::headers::alphanumeric_and;
use crate::name::is_absolute;
use crate::url::{BaseUrl, Origin, Scheme, has_user};

/// Longest URL, in bytes.
const URL_BYTES_MAX: usize = u16::MAX as usize - 1;

/// One exchange's destination. That of a plain relative URL is borrowed from the session and the
/// caller; no memory is allocated for it.
#[derive(Debug, Clone)]
pub(crate) struct Target<'a> {
    pub(crate) origin: Cow<'a, Arc<Origin>>,
    /// What comes before `path`. Without a slash at its end.
    pub(crate) base_path: &'a str,
    /// The rest of the path, and the query, as they are sent.
    pub(crate) path: Cow<'a, str>,
}

impl<'a> Target<'a> {
    /// Where `url`, as a scenario wrote it, leads.
    pub(crate) fn resolve(base: Option<&'a BaseUrl>, url: &'a str) -> Result<Self, Fault> {
        if url.len() > URL_BYTES_MAX {
            return Err(Fault::other(format!("URL longer than {URL_BYTES_MAX} bytes")));
        }
        if let Some(base) = base {
            let path = match url {
                "" if base.path().is_empty() => "/",
                url => url,
            };
            if path.is_empty() || is_plain(path) {
                let origin = Cow::Borrowed(base.origin());
                return Ok(Self { origin, base_path: base.path(), path: Cow::Borrowed(path) });
            }
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
        let path = Cow::Owned(join(base, url)?);
        Ok(Self { origin: Cow::Borrowed(base.origin()), base_path: "", path })
    }

    /// Where a whole URL leads that goes out as it is written.
    pub(crate) fn verbatim(base: Option<&'a BaseUrl>, url: &'a str) -> Result<Self, Fault> {
        if url.len() > URL_BYTES_MAX {
            return Err(Fault::other(format!("URL longer than {URL_BYTES_MAX} bytes")));
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Fault::other("URL with a character that has to be encoded"));
        }
        let url = url.split('#').next().unwrap_or_default();
        let below = base.and_then(|base| base.origin().strip_from(url));
        if let (Some(base), Some(path)) = (base, below) {
            return Ok(Self::at(Cow::Borrowed(base.origin()), path));
        }
        let parsed = Self::of(&Url::parse(url).map_err(invalid)?, base)?;
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
        Ok(Self::at(parsed.origin, path))
    }

    /// A path and query as they are written; `/` stands in front where they do not begin with it.
    fn at(origin: Cow<'a, Arc<Origin>>, path: &'a str) -> Self {
        let base_path = if path.starts_with('/') { "" } else { "/" };
        Self { origin, base_path, path: Cow::Borrowed(path) }
    }

    /// Where a redirect to `location` leads.
    pub(crate) fn redirected(&self, location: &str) -> Result<Target<'static>, Fault> {
        let url = self.url()?.join(location).map_err(invalid)?;
        let target = Target::of(&url, None)?;
        let origin = if *target.origin == *self.origin { &self.origin } else { &target.origin };
        let origin = Cow::Owned(Arc::clone(origin));
        Ok(Target { origin, base_path: "", path: Cow::Owned(target.path.into_owned()) })
    }

    fn of(url: &Url, base: Option<&'a BaseUrl>) -> Result<Self, Fault> {
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
            Some(base) if **base.origin() == origin => Cow::Borrowed(base.origin()),
            _ => Cow::Owned(Arc::new(origin)),
        };
        Ok(Self { origin, base_path: "", path: Cow::Owned(path_of(url)) })
    }

    /// The whole URL, as cookies and redirects need it.
    pub(crate) fn url(&self) -> Result<Url, Fault> {
        let prefix = self.origin.prefix();
        Url::parse(&format!("{prefix}{}{}", self.base_path, self.path)).map_err(invalid)
    }
}

/// The path of a relative URL, below the base path.
fn join(base: &BaseUrl, url: &str) -> Result<String, Fault> {
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
        return Ok(text);
    }
    let url = Url::parse(&format!("{}{text}", base.origin().prefix())).map_err(invalid)?;
    Ok(path_of(&url))
}

fn invalid(error: url::ParseError) -> Fault {
    Fault::other(format!("invalid URL: {error}"))
}

fn path_of(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// Can this URL go out as it is, below any base path: a path from its root without anything to
/// encode, to leave out or to resolve?
fn is_plain(url: &str) -> bool {
    if !url.starts_with('/') {
        return false;
    }
    let mut before = 0;
    url.bytes().all(|byte| {
        let dots = before == b'/' && byte == b'.';
        before = byte;
        PLAIN[usize::from(byte)] && !dots
    })
}

const PLAIN: [bool; 256] = alphanumeric_and(b"/-_.~%?=&!$()*+,;:@");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base(text: &str) -> BaseUrl {
        text.parse().expect("test URL")
    }

    fn path(base_url: &str, url: &str) -> String {
        let base = base(base_url);
        let target = Target::resolve(Some(&base), url).expect(url);
        format!("{}{}", target.base_path, target.path)
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
    fn whole_urls_can_go_out_as_they_are_written() {
        let base = base("http://a.test:81/b");
        for (url, host, path) in [
            ("http://a.test:81/x/../y%2f?a='b'|c", "a.test:81", "/x/../y%2f?a='b'|c"),
            ("http://a.test:81", "a.test:81", "/"),
            ("http://a.test:81?q#f", "a.test:81", "/?q"),
            ("http://a.test:811/x", "a.test:811", "/x"),
            ("http://a.test:81.test/x", "", ""),
            ("http://a.test:81@b.test/x", "", ""),
            ("HTTPS://B.test//x", "b.test:443", "//x"),
            ("ftp://a.test/", "", ""),
            ("/x", "", ""),
            ("http://a.test:81/a b", "", ""),
            ("http://a.test:81/\u{fc}", "", ""),
        ] {
            match Target::verbatim(Some(&base), url) {
                Ok(target) => {
                    assert_eq!(target.origin.host_and_port(), host, "{url}");
                    assert_eq!(format!("{}{}", target.base_path, target.path), path, "{url}");
                }
                Err(_) => assert_eq!(host, "", "{url}"),
            }
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
            let expected = format!(" HTTP/1.1\r\nhost: {authority}\r\n");
            assert_eq!(*target.origin.version_and_host, *expected);
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
        fn plain_paths_need_no_parser(
            rest in "[a-zA-Z0-9/_.~%?=&!$()*+,;:@-]{0,40}",
            below in prop::sample::select(vec!["", "/b", "/b/c.d", "/.hidden"]),
        ) {
            let text = format!("/{rest}");
            prop_assume!(is_plain(&text) && !text.to_ascii_lowercase().contains("%2e"));
            let base_url = format!("http://a.test{below}");
            let parsed = Url::parse(&format!("{base_url}{text}")).expect("plain");
            prop_assert_eq!(path(&base_url, &text), path_of(&parsed));
        }

        #[test]
        fn any_text_is_resolved_or_refused(text in "\\PC{0,60}") {
            let base = base("http://a.test/b");
            let _ = Target::resolve(Some(&base), &text);
            prop_assert!(!crate::name::sample_name(&text, Some(&base)).is_empty());
        }
    }
}
