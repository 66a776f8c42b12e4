//! The built page, embedded. `npm run build` in `ui/` writes `dist/` and its table.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

/// One file of the page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asset {
    /// Relative to the page.
    pub(crate) path: &'static str,
    bytes: &'static [u8],
}

/// Every file of the page.
pub(crate) const ASSETS: &[Asset] = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/table.rs"));

/// The file that `/` shows.
pub(crate) const INDEX: &str = "index.html";

impl Asset {
    pub(crate) fn response(self) -> Response {
        // A name under `assets/` holds a hash of the content, so its bytes never change.
        let cache = if self.path.starts_with("assets/") {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let headers = [(CONTENT_TYPE, content_type(self.path)), (CACHE_CONTROL, cache)];
        (headers, self.bytes).into_response()
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole() {
        let index = ASSETS.iter().find(|asset| asset.path == INDEX).expect("an index");
        let html = std::str::from_utf8(index.bytes).unwrap();
        let linked: Vec<_> = html
            .split('"')
            .filter_map(|part| part.strip_prefix("./"))
            .filter(|path| path.contains('.'))
            .collect();
        assert!(linked.len() >= 3, "script, style and icon: {linked:?}");
        for path in linked {
            assert!(ASSETS.iter().any(|asset| asset.path == path), "{path} is not embedded");
        }
    }

    #[test]
    fn every_file_has_a_type_that_browsers_take() {
        for asset in ASSETS {
            assert_ne!(content_type(asset.path), "application/octet-stream", "{}", asset.path);
        }
    }
}
