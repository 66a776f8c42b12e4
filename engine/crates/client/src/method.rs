//! The method of a request.

use std::fmt;

/// Method of a request, compared as written: `get` is not `GET`. Those in general use take no
/// memory of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`, also what an empty text means.
    #[default]
    Get,
    /// `HEAD`.
    Head,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
    /// `OPTIONS`.
    Options,
    /// Any other text, not yet checked.
    Other(Box<str>),
}

impl Method {
    /// As it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other(name) => name,
        }
    }

    /// Do several requests with it have the effect of one (RFC 9110, 9.2.2)? A method that the
    /// client does not know may have any effect.
    pub(crate) fn is_idempotent(&self) -> bool {
        match self {
            Self::Get | Self::Head | Self::Put | Self::Delete | Self::Options => true,
            Self::Post | Self::Patch => false,
            Self::Other(name) => **name == *"TRACE",
        }
    }

    /// Does its request say that it has no body, where it has none?
    pub(crate) fn is_sending(&self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

impl From<&str> for Method {
    fn from(name: &str) -> Self {
        match name {
            "" | "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            other => Self::Other(other.into()),
        }
    }
}

impl From<String> for Method {
    fn from(name: String) -> Self {
        match Self::from(name.as_str()) {
            Self::Other(_) => Self::Other(name.into()),
            known => known,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_idempotent_methods_are_those_of_rfc_9110() {
        for name in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            assert!(Method::from(name).is_idempotent(), "{name}");
        }
        for name in ["POST", "PATCH", "PROPFIND", "PURGE", "get", "trace"] {
            assert!(!Method::from(name).is_idempotent(), "{name}");
        }
    }

    #[test]
    fn names_survive_the_way_there_and_back() {
        for name in
            ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "PROPFIND", "a b"]
        {
            assert_eq!(Method::from(name).as_str(), name);
            assert_eq!(Method::from(name.to_owned()), Method::from(name));
        }
        assert_eq!(Method::from(""), Method::Get);
    }
}
