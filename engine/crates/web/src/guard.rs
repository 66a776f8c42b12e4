//! Who may call: neither a foreign page in the user's browser nor a rebound name.
//!
//! Without a login the browser is the way in: any page that a user has open could post
//! to `http://localhost:8089/swarm` and turn the machine on somebody. Three checks stop that.
//! A server on loopback answers only to the names of loopback, and to those that its operator has
//! named, so a foreign name that was made to point here (DNS rebinding) gets nowhere. A request
//! that a browser marks as coming from another origin is refused; the server's own is what the
//! request calls it by, or one that the operator has named, as behind a proxy the two differ. And
//! a browser that marks nothing, as for an image on plain http, may not change anything by GET. No
//! CORS header is ever sent. What a proxy says of itself (`X-Forwarded-Host` and the like) is not
//! looked at: anybody can say it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, USER_AGENT};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::Refusal;
use crate::place::{PublicName, name_and_port};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The page needs nothing from elsewhere and runs nothing inline.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// Which names the server answers to.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// The listener is on a loopback address.
    pub(crate) loopback: bool,
    /// Further names.
    pub(crate) allowed: Arc<[PublicName]>,
    /// The listener's port.
    pub(crate) own_port: u16,
}

impl Names {
    /// Checks the `Host` header.
    fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if !self.loopback && self.allowed.is_empty() {
            return Ok(());
        }
        let host = text(headers, &HOST).unwrap_or_default();
        let name = host_name(host);
        if is_loopback(&name) || self.is_allowed(&name) {
            return Ok(());
        }
        let host = shown(host);
        Err(Refusal::forbidden(format!(
            "this page does not go by the name `{host}`: use localhost, 127.0.0.1 or [::1], or, if \
             that is where people reach it (behind a proxy, say), start swarm with \
             --web-allow-host {host}"
        )))
    }

    /// Has the operator named it?
    fn is_allowed(&self, name: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed.is_called(name))
    }

    /// Whether the browser says that the request comes from our own page; `None` when nobody says.
    fn same_origin(&self, headers: &HeaderMap) -> Option<bool> {
        if let Some(site) = text(headers, &SEC_FETCH_SITE) {
            // `none` is the user: an address typed, a bookmark.
            return Some(matches!(site, "same-origin" | "none"));
        }
        let origin = headers.get(&ORIGIN)?.to_str().unwrap_or_default();
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        if self.allowed.iter().any(|allowed| allowed.is_at(authority, self.own_port)) {
            return Some(true);
        }
        let host = text(headers, &HOST).unwrap_or_default();
        // A proxy may have taken the port away from a name that the operator has named, so what
        // the request calls us by does not tell which of the pages of that name it comes from.
        let is_public = self.is_allowed(&host_name(host));
        Some(!is_public && !authority.is_empty() && authority.eq_ignore_ascii_case(host))
    }

    fn may_change(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
        // The router answers HEAD with what is there for GET.
        if *method == Method::HEAD {
            return Err(Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "HEAD changes nothing: use POST",
            ));
        }
        match self.same_origin(headers) {
            Some(true) => Ok(()),
            Some(false) => Err(foreign(headers)),
            None if *method == Method::GET && is_browser(headers) => {
                Err(Refusal::forbidden("a browser must use POST here"))
            }
            None => Ok(()),
        }
    }
}

/// Refuses requests for names that are not ours.
pub(crate) async fn names(State(names): State<Names>, request: Request, next: Next) -> Response {
    match names.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Refuses to change anything for a foreign page.
pub(crate) async fn changes(State(names): State<Names>, request: Request, next: Next) -> Response {
    match names.may_change(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Refuses to feed a foreign page; following a link from one is fine.
pub(crate) async fn reads(State(names): State<Names>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let navigation = text(headers, &SEC_FETCH_MODE) == Some("navigate");
    match names.same_origin(headers) {
        Some(false) if !navigation => foreign(headers).into_response(),
        _ => next.run(request).await,
    }
}

/// Adds the headers that every response carries.
pub(crate) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // The form of the login sets its own.
    headers.entry("referrer-policy").or_insert(HeaderValue::from_static("no-referrer"));
    // Assets set their own; all else is of this moment.
    headers.entry("cache-control").or_insert(HeaderValue::from_static("no-store"));
    response
}

fn is_browser(headers: &HeaderMap) -> bool {
    text(headers, &USER_AGENT).is_some_and(|agent| agent.starts_with("Mozilla/"))
}

/// Refuses a page of another origin. What an operator behind a proxy can do about it is said too.
fn foreign(headers: &HeaderMap) -> Refusal {
    const TEXT: &str = "the request comes from a page of another origin";
    let origin = text(headers, &ORIGIN).unwrap_or_default();
    match origin.split_once("://").filter(|_| headers.get(&SEC_FETCH_SITE).is_none()) {
        Some((_, authority)) => Refusal::forbidden(format!(
            "{TEXT}, {origin}: if that is where people reach this page (behind a proxy, say), \
             start swarm with --web-allow-host {authority}",
            origin = shown(origin),
            authority = shown(authority),
        )),
        None => Refusal::forbidden(TEXT),
    }
}

/// Cuts what somebody has sent for use in a message.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The name in a `Host` header: no port, lower case, no final dot; empty when malformed.
fn host_name(host: &str) -> String {
    name_and_port(host).map(|(name, _)| name).unwrap_or_default()
}

fn is_loopback(name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn names(loopback: bool, allowed: &[&str]) -> Names {
        let allowed = allowed.iter().map(|name| name.parse().unwrap()).collect();
        Names { loopback, allowed, own_port: 8089 }
    }

    #[test]
    fn loopback_answers_only_to_its_names() {
        let ours = names(true, &[]);
        for host in [
            "localhost",
            "LOCALHOST:8089",
            "localhost.:1",
            "127.0.0.1:8089",
            "127.9.9.9",
            "[::1]",
            "[::1]:8089",
        ] {
            assert!(ours.check(&headers(&[("host", host)])).is_ok(), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:8089",
            "127.0.0.1.evil.example",
            "10.0.0.5:8089",
            "[::2]",
            "",
            "localhost@evil.example",
            "a@localhost",
            "::1",
        ] {
            assert!(ours.check(&headers(&[("host", host)])).is_err(), "{host}");
        }
        assert!(ours.check(&headers(&[])).is_err(), "no host at all");
    }

    #[test]
    fn further_names_are_allowed_by_option() {
        let host = headers(&[("host", "Load.Example:443")]);
        assert!(names(true, &["load.example"]).check(&host).is_ok());
        assert!(names(false, &["load.example"]).check(&host).is_ok());
        assert!(names(false, &["other.example"]).check(&host).is_err());
        assert!(names(false, &[]).check(&host).is_ok(), "reachable by any name unless told");
    }

    #[test]
    fn a_foreign_page_changes_nothing() {
        let ours = names(true, &[]);
        let post = |pairs: &[_]| ours.may_change(&Method::POST, &headers(pairs)).is_ok();
        let get = |pairs: &[_]| ours.may_change(&Method::GET, &headers(pairs)).is_ok();
        let host = ("host", "localhost:8089");
        assert!(post(&[host]), "a script");
        assert!(post(&[host, ("origin", "http://localhost:8089")]));
        assert!(post(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(!post(&[host, ("origin", "http://localhost:3000")]));
        assert!(!post(&[host, ("origin", "http://evil.example")]));
        assert!(!post(&[host, ("origin", "null")]));
        for site in ["cross-site", "same-site", "anything"] {
            let origin = ("origin", "http://localhost:8089");
            assert!(!post(&[host, origin, ("sec-fetch-site", site)]), "{site}");
            assert!(!get(&[host, ("sec-fetch-site", site)]), "{site}");
        }
        assert!(get(&[host, ("sec-fetch-site", "none")]), "typed by the user");
        assert!(get(&[host, ("user-agent", "python-requests/2.32")]));
        assert!(!get(&[host, ("user-agent", "Mozilla/5.0 (X11)")]), "an image on plain http");
        assert!(ours.may_change(&Method::HEAD, &headers(&[host])).is_err());
    }

    /// A proxy calls the page by its public name, with or without the port, or by its own address.
    #[test]
    fn behind_a_proxy_the_origins_that_were_named_are_ours() {
        let post = |allowed: &[&str], host: &str, origin: &str| {
            let sent = headers(&[("host", host), ("origin", origin)]);
            names(true, allowed).may_change(&Method::POST, &sent).is_ok()
        };
        let public: &[&str] = &["loads.example.com", "loads.example.com:8443"];
        for host in ["127.0.0.1:8089", "loads.example.com", "loads.example.com:8443"] {
            for origin in [
                "https://loads.example.com",
                "http://loads.example.com",
                "https://LOADS.example.com:8443",
                "http://loads.example.com:8089",
            ] {
                assert!(post(public, host, origin), "{host} {origin}");
            }
            for origin in [
                "https://evil.example",
                "https://loads.example.com.evil.example",
                "https://loads.example.com@evil.example",
                "http://loads.example.com:3000",
                "null",
                "",
            ] {
                assert!(!post(public, host, origin), "{host} {origin}");
            }
        }
        // The port that a proxy took away does not make another page of that name ours.
        let named: &[&str] = &["loads.example.com:8443"];
        assert!(!post(named, "loads.example.com", "https://loads.example.com"));
        assert!(post(named, "loads.example.com", "https://loads.example.com:8443"));
        assert!(!post(&[], "127.0.0.1:8089", "https://loads.example.com"), "nobody has named it");
        // Who says where the request comes from is believed first.
        let site = ("sec-fetch-site", "same-site");
        let sent = headers(&[("host", "x"), ("origin", "https://loads.example.com"), site]);
        assert!(names(true, public).may_change(&Method::POST, &sent).is_err());
    }

    #[test]
    fn refusals_name_the_flag() {
        let host = headers(&[("host", "loads.example.com:8443")]);
        let refusal = names(true, &[]).check(&host).unwrap_err();
        assert!(refusal.message.ends_with("--web-allow-host loads.example.com:8443"));
        let sent = headers(&[("host", "localhost"), ("origin", "https://loads.example.com")]);
        let refusal = names(true, &[]).may_change(&Method::POST, &sent).unwrap_err();
        assert!(refusal.message.ends_with("--web-allow-host loads.example.com"), "{refusal:?}");
    }
}
