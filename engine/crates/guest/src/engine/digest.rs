//! Names of what is the same everywhere: the SHA-256 of its bytes.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use swarm_core::message::Digest;

/// SHA-256 of a module's bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// A digest in hexadecimal.
pub fn digest_text(digest: &Digest) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string never fails");
        text
    })
}
