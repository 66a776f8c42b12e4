//! One user's cookies. Made at the first `set-cookie`: most users of most tests have none.
//!
//! Domain, path, `secure` and expiry follow RFC 6265 as `cookie_store` implements it. There is
//! no list of public suffixes: a target under test is trusted with its own domain.

use cookie_store::{Cookie, CookieStore, StoreAction};
use tracing::warn;
use url::Url;

use crate::headers::is_value;

/// Most cookies of one user. More are not kept, existing ones are still replaced.
const COOKIES_MAX: usize = 1000;

/// Longest `set-cookie` value, twice what browsers take. Longer ones are not kept.
const COOKIE_BYTES_MAX: usize = 8192;

#[derive(Debug, Default)]
pub(crate) struct Jar {
    store: CookieStore,
    /// Cookies ever inserted, expired ones too: at the limit they are counted anew.
    inserted: usize,
    warned: bool,
}

impl Jar {
    /// Keeps the cookies that `url` set. One that is malformed or not for that host is ignored,
    /// as browsers do.
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
            if self.inserted >= COOKIES_MAX && !self.has(&cookie) && !self.make_room() {
                self.warn();
                continue;
            }
            if let Ok(StoreAction::Inserted) = self.store.insert(cookie.into_owned(), url) {
                self.inserted += 1;
            }
        }
    }

    /// Forgets what expired. Is there room now?
    fn make_room(&mut self) -> bool {
        let alive = self.store.iter_unexpired().cloned().map(Ok::<_, std::convert::Infallible>);
        let Ok(store) = CookieStore::from_cookies(alive, false);
        self.store = store;
        self.inserted = self.store.iter_any().count();
        self.inserted < COOKIES_MAX
    }

    fn has(&self, cookie: &Cookie<'_>) -> bool {
        let domain = cookie.domain.as_cow();
        domain.is_some_and(|domain| self.store.contains_any(&domain, &cookie.path, cookie.name()))
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

    /// Value of the `cookie` header for `url`, if there is anything to send.
    pub(crate) fn header(&self, url: &Url) -> Option<String> {
        let mut text = String::new();
        for (name, value) in self.store.get_request_values(url) {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        (!text.is_empty() && is_value(&text)).then_some(text)
    }
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
    fn oversized_cookies_are_not_kept() {
        let mut jar = Jar::default();
        keep(&mut jar, "http://a.test/", &[&format!("a={}", "x".repeat(COOKIE_BYTES_MAX))]);
        assert_eq!(sent(&jar, "http://a.test/"), "");
    }
}
