//! The name of a request in the statistics.

use url::Url;

use crate::url::{BaseUrl, Origin};

/// Does the URL start with a scheme and `//`? A colon alone is allowed in a path.
pub(crate) fn is_absolute(url: &str) -> bool {
    // Nearly all are paths: not searched for a colon.
    if url.starts_with('/') {
        return false;
    }
    let Some((scheme, _)) = url.split_once("://") else {
        return false;
    };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// The name of a request in the statistics: its path without query and fragment, `/` if that is
/// empty.
///
/// Of a relative URL it is the path as written, without the base path; an absolute URL below
/// `base` has the same name as the relative one that leads there.
#[must_use]
pub fn sample_name<'u>(url: &'u str, base: Option<&BaseUrl>) -> &'u str {
    let relative = if is_absolute(url) { below(url, base) } else { url };
    let end = relative.bytes().position(|byte| matches!(byte, b'?' | b'#'));
    match &relative[..end.unwrap_or(relative.len())] {
        "" => "/",
        path => path,
    }
}

/// The path and query of an absolute URL, without the base path where it is below that.
fn below<'u>(url: &'u str, base: Option<&BaseUrl>) -> &'u str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let path_at = url[after_scheme..].find(['/', '?', '#']).map(|at| after_scheme + at);
    let Some(path_at) = path_at else {
        return "";
    };
    let path = &url[path_at..];
    let Some(base) = base else {
        return path;
    };
    let same_host = Url::parse(&url[..path_at])
        .ok()
        .and_then(|url| Origin::of(&url))
        .is_some_and(|origin| origin == **base.origin());
    match path.strip_prefix(base.path()) {
        Some(rest) if same_host && (rest.is_empty() || rest.starts_with(['/', '?', '#'])) => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BaseUrl {
        text.parse().expect("test URL")
    }

    #[test]
    fn names_are_paths() {
        let base = base("http://a.test:81/shop");
        for (url, name) in [
            ("/x?y", "/x"),
            ("", "/"),
            ("?q", "/"),
            ("x/y#f", "x/y"),
            ("http://b.test/x?y", "/x"),
            ("http://b.test", "/"),
            ("http://b.test?q", "/"),
            ("http://A.test:81/shop/x", "/x"),
            ("http://a.test:81/shop", "/"),
            ("http://a.test:81/shopping", "/shopping"),
            ("http://b.test/shop/x", "/shop/x"),
        ] {
            assert_eq!(sample_name(url, Some(&base)), name, "{url}");
        }
    }
}
