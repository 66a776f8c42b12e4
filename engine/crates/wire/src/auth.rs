//! Join tokens: worker and master each prove to the other that they know the same secret.
//!
//! The token never crosses the wire. The worker asks for the master's nonce, and sends a nonce of
//! its own with an HMAC-SHA256 over both, its id and its stream; the master answers with an HMAC
//! over the same under another label. Both nonces are of one connection, so a recording proves
//! nothing to anybody later, and a proof of one side is none of the other. Whoever sits between
//! the two can still read and change what follows: that is for TLS to prevent.

use std::fmt;

use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use swarm_core::token::{TokenError, token_bytes};

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 32;

/// A number that is used once.
pub type Nonce = [u8; NONCE_BYTES];

/// What each side's proof begins with, so that neither can be taken for the other's.
const WORKER_LABEL: &[u8] = b"swarm: a worker joins\0";
const MASTER_LABEL: &[u8] = b"swarm: the master accepts\0";

/// A secret that master and workers share.
#[derive(Clone)]
pub struct Token(hmac::Key);

impl Token {
    /// A token of these bytes; white space around them is not part of it.
    ///
    /// # Errors
    /// When it is too short to be hard to guess, or too long.
    pub fn new(text: &[u8]) -> Result<Token, TokenError> {
        Ok(Token(hmac::Key::new(HMAC_SHA256, token_bytes(text)?)))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// One side's part in one join: the token, and a nonce that was never used before.
#[derive(Debug, Clone)]
pub struct Secret {
    pub(crate) token: Token,
    pub(crate) nonce: Nonce,
}

impl Secret {
    /// With a nonce that the caller has drawn for this connection.
    #[must_use]
    pub fn new(token: Token, nonce: Nonce) -> Secret {
        Secret { token, nonce }
    }
}

/// Draws a nonce from the system's randomness.
///
/// # Errors
/// When the system has none to give.
pub fn nonce() -> std::io::Result<Nonce> {
    let mut nonce = [0; NONCE_BYTES];
    let drawn = SystemRandom::new().fill(&mut nonce);
    drawn.map(|()| nonce).map_err(|_| std::io::Error::other("the system gives no random bytes"))
}

/// What both proofs of a join are about.
pub(crate) struct Join<'a> {
    pub(crate) master_nonce: &'a [u8],
    pub(crate) worker_nonce: &'a [u8],
    pub(crate) stream: u64,
    pub(crate) id: &'a str,
}

impl Join<'_> {
    /// Each part has a length of its own, but for the last: no two joins are the same bytes.
    fn message(&self, label: &[u8]) -> Vec<u8> {
        let stream = self.stream.to_le_bytes();
        [label, self.master_nonce, self.worker_nonce, &stream, self.id.as_bytes()].concat()
    }

    pub(crate) fn worker_proof(&self, token: &Token) -> hmac::Tag {
        hmac::sign(&token.0, &self.message(WORKER_LABEL))
    }

    pub(crate) fn master_proof(&self, token: &Token) -> hmac::Tag {
        hmac::sign(&token.0, &self.message(MASTER_LABEL))
    }

    /// In constant time.
    pub(crate) fn is_workers(&self, token: &Token, proof: &[u8]) -> bool {
        self.is_sound() && hmac::verify(&token.0, &self.message(WORKER_LABEL), proof).is_ok()
    }

    /// In constant time.
    pub(crate) fn is_masters(&self, token: &Token, proof: &[u8]) -> bool {
        self.is_sound() && hmac::verify(&token.0, &self.message(MASTER_LABEL), proof).is_ok()
    }

    fn is_sound(&self) -> bool {
        [self.master_nonce, self.worker_nonce].iter().all(|nonce| nonce.len() == NONCE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use swarm_core::token::TOKEN_BYTES_MAX;

    use super::*;

    fn token(text: &str) -> Token {
        Token::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn tokens_have_a_length() {
        for text in ["", "  \n", "short", "fifteen bytes.."] {
            let error = Token::new(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("16 to 4096 bytes"), "{error}");
        }
        assert!(Token::new(&[b'x'; TOKEN_BYTES_MAX + 1]).is_err());
        assert_eq!(format!("{:?}", token("sixteen bytes ..")), "Token(..)");
    }

    #[test]
    fn a_proof_holds_for_its_side_its_join_and_its_token() {
        let ours = token("0123456789abcdef\n");
        let (master, worker) = ([1; NONCE_BYTES], [2; NONCE_BYTES]);
        let join = Join { master_nonce: &master, worker_nonce: &worker, stream: 7, id: "w0" };
        let proof = join.worker_proof(&token(" 0123456789abcdef"));
        let proof = proof.as_ref();
        assert!(join.is_workers(&ours, proof), "white space is not part of it");
        assert!(!join.is_masters(&ours, proof), "it cannot be sent back");
        assert!(!join.is_workers(&token("0123456789abcdeF"), proof));
        assert!(!join.is_workers(&ours, &proof[..31]));
        assert!(!join.is_workers(&ours, &[]));
        let others = [
            Join { master_nonce: &worker, ..join },
            Join { worker_nonce: &master, ..join },
            Join { stream: 8, ..join },
            Join { id: "w1", ..join },
            Join { master_nonce: &[], ..join },
        ];
        for (i, other) in others.iter().enumerate() {
            assert!(!other.is_workers(&ours, proof), "join {i}");
        }
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(nonce().unwrap(), nonce().unwrap());
    }
}
