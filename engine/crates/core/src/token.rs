//! What is a secret good enough to keep strangers out, of the cluster or of the page.

use thiserror::Error;

/// A shorter token could be guessed.
pub const TOKEN_BYTES_MIN: usize = 16;
/// A longer one is not a token but a mistake.
pub const TOKEN_BYTES_MAX: usize = 4_096;

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a token has {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} bytes, this one {0}: make one with \
     `head -c 32 /dev/urandom | base64`"
)]
pub struct TokenError(usize);

/// The bytes of a token as it stands in a file; white space around them is not part of it.
///
/// # Errors
/// When it is too short to be hard to guess, or too long.
pub fn token_bytes(text: &[u8]) -> Result<&[u8], TokenError> {
    let bytes = text.trim_ascii();
    if (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&bytes.len()) {
        return Ok(bytes);
    }
    Err(TokenError(bytes.len()))
}
