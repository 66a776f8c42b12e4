//! The shop behind `/login`, `/cart` and `/checkout`: sessions with a cart each.
//!
//! Sessions are dealt to shards by number, a shard a thread, so that a login waits for no other
//! thread. A shard is a ring: when it is full, a login ends the shard's oldest session.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard};

/// The password that `/login` takes, with any user name that is not empty.
pub const PASSWORD: &str = "swarm";
/// The item that is listed but out of stock at checkout.
const SOLD_OUT_ITEM: u32 = 13;
/// Most sessions at a time.
const SESSIONS_MAX: usize = 256 * 1024;
/// Most items in a cart.
const CART_ITEMS_MAX: usize = 100;

/// What a client shows to prove its login: a session's number and a secret of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    number: u64,
    proof: u64,
}

impl Token {
    /// Reads what [`fmt::Display`] wrote.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (number, proof) = std::str::from_utf8(text).ok()?.split_once('-')?;
        let hex = |digits| u64::from_str_radix(digits, 16).ok();
        Some(Self { number: hex(number)?, proof: hex(proof)? })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:016x}", self.number, self.proof)
    }
}

/// Why something cannot be added to a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CartError {
    #[error("log in first")]
    NoSession,
    #[error("the cart is full: at most {CART_ITEMS_MAX} items")]
    Full,
}

/// What checking out came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Items that were in the cart, which is empty now.
    pub(crate) items: usize,
    /// [`SOLD_OUT_ITEM`] was among them.
    pub(crate) sold_out: bool,
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct Shop {
    /// Secret of this process, from which the tokens' proofs are made.
    key: RandomState,
    shards: Box<[Mutex<Shard>]>,
    /// Length of a shard's ring.
    slots: u64,
}

#[derive(Debug, Default)]
struct Shard {
    /// Sessions begun so far.
    begun: u64,
    /// Session `n` of this shard is at `n % slots`; grows up to that length.
    ring: Vec<Session>,
}

#[derive(Debug)]
struct Session {
    number: u64,
    items: Vec<u32>,
}

impl Shop {
    pub(crate) fn new(shards: usize) -> Self {
        Self::with_room(shards, SESSIONS_MAX)
    }

    fn with_room(shards: usize, sessions_max: usize) -> Self {
        assert!(shards > 0 && sessions_max >= shards, "every shard has room for a session");
        let slots = (sessions_max / shards) as u64;
        let shards = (0..shards).map(|_| Mutex::default()).collect();
        Self { key: RandomState::new(), shards, slots }
    }

    /// Begins a session in a shard: the caller's thread.
    pub(crate) fn login(&self, shard: usize) -> Token {
        let mut sessions = lock(&self.shards[shard]);
        let begun = sessions.begun;
        sessions.begun += 1;
        let number = begun * self.shards.len() as u64 + shard as u64;
        let session = Session { number, items: Vec::new() };
        if begun < self.slots {
            sessions.ring.push(session);
        } else {
            let slot = self.slot(number);
            sessions.ring[slot] = session;
        }
        Token { number, proof: self.key.hash_one(number) }
    }

    /// Puts an item into a session's cart and returns how many are in it now.
    pub(crate) fn add(&self, token: Option<Token>, item: u32) -> Result<usize, CartError> {
        self.with(token, |session| {
            if session.items.len() >= CART_ITEMS_MAX {
                return Err(CartError::Full);
            }
            session.items.push(item);
            Ok(session.items.len())
        })
        .unwrap_or(Err(CartError::NoSession))
    }

    /// Empties a session's cart; `None` without a session.
    pub(crate) fn checkout(&self, token: Option<Token>) -> Option<Receipt> {
        self.with(token, |session| {
            let items = std::mem::take(&mut session.items);
            Receipt { items: items.len(), sold_out: items.contains(&SOLD_OUT_ITEM) }
        })
    }

    /// Whether a session with this token goes on.
    pub(crate) fn knows(&self, token: Token) -> bool {
        self.with(Some(token), |_| ()).is_some()
    }

    fn with<T>(&self, token: Option<Token>, act: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let token = token?;
        if token.proof != self.key.hash_one(token.number) {
            return None;
        }
        let shard = usize::try_from(token.number % self.shards.len() as u64)
            .expect("less than the number of shards");
        let mut sessions = lock(&self.shards[shard]);
        let session = sessions.ring.get_mut(self.slot(token.number))?;
        (session.number == token.number).then(|| act(session))
    }

    fn slot(&self, number: u64) -> usize {
        usize::try_from(number / self.shards.len() as u64 % self.slots)
            .expect("less than the length of a ring")
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().expect("the shop does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carts_belong_to_their_sessions() {
        let shop = Shop::new(3);
        let tokens: Vec<_> = (0..9).map(|n| shop.login(n % 3)).collect();
        for (n, token) in tokens.iter().enumerate() {
            for item in 0..n {
                let items = shop.add(Some(*token), u32::try_from(item).unwrap());
                assert_eq!(items, Ok(item + 1));
            }
        }
        for (items, token) in tokens.into_iter().enumerate() {
            let read = Token::parse(token.to_string().as_bytes());
            assert_eq!(shop.checkout(read), Some(Receipt { items, sold_out: false }));
            assert_eq!(shop.checkout(read), Some(Receipt { items: 0, sold_out: false }));
        }
    }

    #[test]
    fn one_item_is_out_of_stock() {
        let shop = Shop::new(1);
        let token = Some(shop.login(0));
        for item in [1, SOLD_OUT_ITEM] {
            shop.add(token, item).unwrap();
        }
        assert_eq!(shop.checkout(token), Some(Receipt { items: 2, sold_out: true }));
    }

    #[test]
    fn made_up_tokens_open_nothing() {
        let shop = Shop::new(1);
        let token = shop.login(0);
        let forged = Token { proof: token.proof ^ 1, ..token };
        for token in [None, Some(forged), Token::parse(b"0-0")] {
            assert_eq!(shop.checkout(token), None);
            assert_eq!(shop.add(token, 1), Err(CartError::NoSession));
        }
        for text in [b"".as_slice(), b"-", b"1", b"x-y", b"\xff-1", b"1-11111111111111111"] {
            assert_eq!(Token::parse(text), None);
        }
    }

    #[test]
    fn carts_and_sessions_are_limited() {
        let shop = Shop::with_room(2, 4);
        let old = Some(shop.login(1));
        for _ in 0..CART_ITEMS_MAX {
            shop.add(old, 1).unwrap();
        }
        assert_eq!(shop.add(old, 1), Err(CartError::Full));
        let kept = Some(shop.login(1));
        assert!(shop.checkout(old).is_some(), "there is room for two in a shard");
        shop.login(1);
        assert!(shop.checkout(old).is_none(), "the third ends the oldest");
        assert!(shop.checkout(kept).is_some());
    }
}
