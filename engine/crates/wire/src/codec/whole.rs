//! Messages as bytes, without a connection: for tests and fuzzers.

use capnp::message::{Builder, ReaderOptions};
use capnp::serialize;
use capnp::traits::Owned;

use super::field::Result;
use crate::limits::{NESTING_MAX, TRAVERSAL_WORDS_MAX};

/// The bytes of a message that `write` fills.
pub(crate) fn bytes_of<O: Owned>(
    write: impl FnOnce(O::Builder<'_>) -> Result<()>,
) -> Result<Vec<u8>> {
    let mut message = Builder::new_default();
    write(message.init_root())?;
    Ok(serialize::write_message_to_words(&message))
}

/// What `read` makes of a message's bytes; `None` when they are no message at all.
pub(crate) fn read_bytes<O: Owned, T>(
    bytes: &[u8],
    read: impl FnOnce(O::Reader<'_>) -> Result<T>,
) -> Option<Result<T>> {
    let mut options = ReaderOptions::new();
    options.traversal_limit_in_words(Some(TRAVERSAL_WORDS_MAX)).nesting_limit(NESTING_MAX);
    let message = serialize::read_message(bytes, options).ok()?;
    Some(read(message.get_root().ok()?))
}
