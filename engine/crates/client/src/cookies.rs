//! One user's cookies. Made at the first `set-cookie`: most users of most tests have none.
//!
//! What a cookie says (domain, path, `secure`, expiry) is read and matched by `cookie_store`; which
//! cookies are kept and in which order they are sent is decided here, as RFC 6265 says and
//! RFC 6265bis and browsers have sharpened it. There is no list of public suffixes: a target under
//! test is trusted with its own domain, but not with a whole top-level one.

use cookie_store::{Cookie, CookieDomain};
use tracing::warn;
use url::{Host, Url};

use crate::headers::is_value;

/// Most cookies of one user. More are not kept, existing ones are still replaced.
const COOKIES_MAX: usize = 1000;

/// Longest `set-cookie` value, twice what browsers take. Longer ones are not kept.
const COOKIE_BYTES_MAX: usize = 8192;

/// Names that begin so promise something (RFC 6265bis, section 4.1.3), whatever their case.
const SECURE_PREFIX: &str = "__Secure-";
const HOST_PREFIX: &str = "__Host-";

#[derive(Debug, Default)]
pub(crate) struct Jar {
    /// In the order of their creation; one that is replaced keeps its place.
    cookies: Vec<Cookie<'static>>,
    warned: bool,
}

impl Jar {
    /// Keeps the cookies that `url` set. One that is malformed, not for that host, or not what its
    /// name promises is ignored, as browsers do.
    pub(crate) fn keep<'a>(&mut self, values: impl Iterator<Item = &'a [u8]>, url: &Url) {
        for value in values {
            let Ok(text) = std::str::from_utf8(value) else {
                continue;
            };
            if text.len() > COOKIE_BYTES_MAX {
                self.warn();
                continue;
            }
            let Ok(cookie) = Cookie::parse(text, url) else {
                continue;
            };
            if let Some(cookie) = acceptable(cookie, url) {
                self.insert(cookie.into_owned(), url);
            }
        }
    }

    fn insert(&mut self, cookie: Cookie<'static>, url: &Url) {
        if !is_secure(url) && self.cookies.iter().any(|kept| is_shielded_by(&cookie, kept)) {
            return;
        }
        let place = self.cookies.iter().position(|kept| is_same(kept, &cookie));
        match place {
            Some(at) if cookie.is_expired() => drop(self.cookies.remove(at)),
            Some(at) => self.cookies[at] = cookie,
            None if cookie.is_expired() => {}
            None => {
                if self.cookies.len() >= COOKIES_MAX {
                    self.cookies.retain(|kept| !kept.is_expired());
                }
                if self.cookies.len() >= COOKIES_MAX {
                    self.warn();
                } else {
                    self.cookies.push(cookie);
                }
            }
        }
    }

    /// Once per user.
    fn warn(&mut self) {
        if !std::mem::replace(&mut self.warned, true) {
            warn!(
                "cookies of a user are not kept: the limits are {COOKIES_MAX} cookies of \
                 {COOKIE_BYTES_MAX} bytes"
            );
        }
    }

    /// Value of the `cookie` header for `url`, if there is anything to send: longer paths first,
    /// then what was created earlier (RFC 6265, section 5.4).
    pub(crate) fn header(&self, url: &Url) -> Option<String> {
        let matching = self.cookies.iter();
        let mut matching: Vec<_> =
            matching.filter(|cookie| cookie.matches(url) && !cookie.is_expired()).collect();
        // Stable: they stand in the order of their creation.
        matching.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let mut text = String::new();
        for cookie in matching {
            if !text.is_empty() {
                text.push_str("; ");
            }
            let (name, value) = cookie.name_value();
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        (!text.is_empty() && is_value(&text)).then_some(text)
    }
}

/// The cookie as it is kept; `None` if it must not be (RFC 6265bis, section 5.7).
fn acceptable<'a>(mut cookie: Cookie<'a>, url: &Url) -> Option<Cookie<'a>> {
    if let CookieDomain::Suffix(domain) = &cookie.domain
        && is_single_label(domain)
    {
        // Only this host itself may be named by a single label, and then it is this host alone.
        if !cookie.domain.host_is_identical(url) {
            return None;
        }
        cookie.domain = CookieDomain::host_only(url).ok()?;
    }
    let secure = cookie.secure().unwrap_or(false);
    if secure && !is_secure(url) {
        return None;
    }
    let keeps_promise = if has_prefix(cookie.name(), HOST_PREFIX) {
        let whole_host = &*cookie.path == "/" && cookie.path.is_from_path_attr();
        secure && whole_host && cookie.domain().is_none()
    } else {
        secure || !has_prefix(cookie.name(), SECURE_PREFIX)
    };
    keeps_promise.then_some(cookie)
}

fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// A top-level domain, or a name like `localhost`.
fn is_single_label(domain: &str) -> bool {
    !domain.trim_end_matches('.').contains('.') && !domain.starts_with('[')
}

/// Is it protected on its way? To this machine itself it is, as browsers see it.
fn is_secure(url: &Url) -> bool {
    let to_itself = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    to_itself || url.scheme() == "https"
}

/// One takes the other's place.
fn is_same(one: &Cookie<'_>, other: &Cookie<'_>) -> bool {
    one.name() == other.name() && *one.path == *other.path && one.domain == other.domain
}

/// Would `cookie`, set without protection, stand in front of one that was set with it
/// (RFC 6265bis, section 5.7, "leave secure cookies alone")?
fn is_shielded_by(cookie: &Cookie<'_>, kept: &Cookie<'_>) -> bool {
    let is_below = |domain: &str, of: &str| {
        domain == of || domain.strip_suffix(of).is_some_and(|rest| rest.ends_with('.'))
    };
    let (Some(new), Some(old)) = (cookie.domain.as_cow(), kept.domain.as_cow()) else {
        return false;
    };
    let below = cookie.path.strip_prefix(&*kept.path);
    kept.secure().unwrap_or(false)
        && !kept.is_expired()
        && cookie.name() == kept.name()
        && (is_below(&new, &old) || is_below(&old, &new))
        && below.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || kept.path.ends_with('/')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(jar: &mut Jar, url: &str, cookies: &[&str]) {
        let values = cookies.iter().map(|cookie| cookie.as_bytes());
        jar.keep(values, &Url::parse(url).expect("URL"));
    }

    fn sent(jar: &Jar, url: &str) -> String {
        jar.header(&Url::parse(url).expect("URL")).unwrap_or_default()
    }

    #[test]
    fn domain_path_and_secure_decide() {
        let mut jar = Jar::default();
        keep(
            &mut jar,
            "https://www.a.test/dir/page",
            &[
                "host=1",
                "domain=2; Domain=a.test; Path=/",
                "secure=3; Path=/; Secure; Domain=a.test",
                "foreign=4; Domain=b.test",
            ],
        );
        assert!(sent(&jar, "https://www.a.test/dir/x").contains("host=1"));
        assert_eq!(sent(&jar, "http://www.a.test/"), "domain=2");
        assert_eq!(sent(&jar, "http://other.a.test/"), "domain=2");
        assert!(sent(&jar, "https://a.test/").contains("secure=3"));
        assert_eq!(sent(&jar, "http://b.test/"), "");
    }

    #[test]
    fn cookies_are_replaced_and_removed() {
        let mut jar = Jar::default();
        keep(&mut jar, "http://a.test/", &["a=1", "b=1; Max-Age=3600"]);
        keep(&mut jar, "http://a.test/", &["a=2", "b=; Max-Age=0"]);
        assert_eq!(sent(&jar, "http://a.test/"), "a=2");
    }

    #[test]
    fn the_number_is_limited_and_expired_ones_make_room() {
        let mut jar = Jar::default();
        for n in 0..COOKIES_MAX + 10 {
            keep(&mut jar, "http://a.test/", &[&format!("c{n}=v")]);
        }
        assert_eq!(sent(&jar, "http://a.test/").split("; ").count(), COOKIES_MAX);
        keep(&mut jar, "http://a.test/", &["late=v", "c0=new", "c1=; Max-Age=0"]);
        assert!(!sent(&jar, "http://a.test/").contains("late"));
        assert!(sent(&jar, "http://a.test/").contains("c0=new"));
        keep(&mut jar, "http://a.test/", &["later=v"]);
        assert!(sent(&jar, "http://a.test/").contains("later"));
    }

    #[test]
    fn longer_paths_come_first_and_then_older_cookies() {
        let mut jar = Jar::default();
        keep(
            &mut jar,
            "http://www.a.test/",
            &[
                "sid=ROOT; Path=/",
                "a=1; Path=/",
                "b=2; Path=/; Domain=a.test",
                "c=3; Path=/",
                "sid=APP; Path=/app",
                "d=4; Path=/app/deep",
            ],
        );
        let all = "d=4; sid=APP; sid=ROOT; a=1; b=2; c=3";
        assert_eq!(sent(&jar, "http://www.a.test/app/deep/x"), all);
        // A new value does not make it younger, but one that was removed begins anew.
        keep(&mut jar, "http://www.a.test/", &["a=5; Path=/", "sid=; Path=/; Max-Age=0"]);
        keep(&mut jar, "http://www.a.test/", &["sid=NEW; Path=/"]);
        assert_eq!(sent(&jar, "http://www.a.test/app"), "sid=APP; a=5; b=2; c=3; sid=NEW");
    }

    #[test]
    fn what_browsers_refuse_is_not_kept() {
        for (url, cookie, kept) in [
            ("http://a.test/", "a=1; Secure", false),
            ("https://a.test/", "a=1; Secure", true),
            ("http://localhost:8080/", "a=1; Secure", true),
            ("http://127.0.0.1:8080/", "a=1; Secure", true),
            ("http://10.0.0.1/", "a=1; Secure", false),
            ("https://a.test/", "__Secure-a=1", false),
            ("https://a.test/", "__Secure-a=1; Secure", true),
            ("http://a.test/", "__secure-a=1; Secure", false),
            ("https://a.test/", "__Host-a=1; Secure; Path=/", true),
            ("https://a.test/", "__Host-a=1; Secure", false),
            ("https://a.test/", "__Host-a=1; Path=/", false),
            ("https://a.test/", "__Host-a=1; Secure; Path=/app", false),
            ("https://a.test/", "__host-a=1; Secure; Path=/; Domain=a.test", false),
            ("https://a.test/", "=__Host-a=1", false),
            ("https://a.test/", "__Hostile=1", true),
            ("http://www.a.test/", "a=1; Domain=test", false),
            ("http://www.a.test/", "a=1; Domain=.test", false),
            ("http://www.a.test/", "a=1; Domain=a.test", true),
            ("http://localhost/", "a=1; Domain=localhost", true),
            ("http://10.0.0.1/", "a=1; Domain=10.0.0.1", true),
            ("http://10.0.0.1/", "a=1; Domain=0.0.1", false),
        ] {
            let mut jar = Jar::default();
            keep(&mut jar, url, &[cookie]);
            assert_eq!(!jar.cookies.is_empty(), kept, "{url}: {cookie}");
        }
        let mut jar = Jar::default();
        keep(&mut jar, "http://localhost/", &["a=1; Domain=localhost"]);
        assert_eq!(sent(&jar, "http://b.localhost/"), "", "it is for that host alone");
    }

    #[test]
    fn a_protected_cookie_is_not_replaced_without_protection() {
        let mut jar = Jar::default();
        keep(&mut jar, "https://www.a.test/", &["a=1; Secure; Path=/app; Domain=a.test"]);
        for cookie in ["a=2; Path=/app; Domain=a.test", "a=2; Path=/app/x", "a=; Path=/app"] {
            keep(&mut jar, "http://www.a.test/", &[cookie]);
            assert_eq!(sent(&jar, "https://www.a.test/app/x"), "a=1", "{cookie}");
        }
        // Where both are never sent together, or by another name, it does not matter.
        keep(&mut jar, "http://www.a.test/", &["a=3; Path=/", "b=4; Path=/app"]);
        assert_eq!(sent(&jar, "https://www.a.test/app"), "a=1; b=4; a=3");
        keep(&mut jar, "https://www.a.test/", &["a=5; Path=/app; Domain=a.test"]);
        assert_eq!(sent(&jar, "http://www.a.test/app"), "a=5; b=4; a=3");
    }

    #[test]
    fn oversized_cookies_are_not_kept() {
        let mut jar = Jar::default();
        keep(&mut jar, "http://a.test/", &[&format!("a={}", "x".repeat(COOKIE_BYTES_MAX))]);
        assert_eq!(sent(&jar, "http://a.test/"), "");
    }
}
