//! The read buffer of a thread.
//!
//! A response is decoded in the same step in which it is read, so no two connections of a thread
//! need a buffer at the same time, and a hundred thousand of them share this one. It stays in the
//! processor's cache, too.

use std::cell::Cell;

/// Length of the buffer. Large bodies come in pieces of this size; small ones touch the first
/// page only.
const READ_BYTES: usize = 64 << 10;

thread_local! {
    static BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Lends the thread's buffer. Whoever asks again meanwhile gets one that is thrown away after.
pub(super) fn with<R>(borrower: impl FnOnce(&mut [u8]) -> R) -> R {
    let kept = BUFFER.try_with(Cell::take).ok().flatten();
    let mut buffer = kept.unwrap_or_else(|| vec![0; READ_BYTES].into());
    let result = borrower(&mut buffer);
    // Fails while the thread ends: then nobody needs it any more.
    let _ended = BUFFER.try_with(|kept| kept.set(Some(buffer)));
    result
}
