//! The buffers that a thread's connections share.
//!
//! A connection holds buffers only while it has something to read or to write, so an idle one
//! costs its socket and its task alone.

use std::cell::RefCell;

/// Bytes of a read buffer: room for the largest head and for many pipelined small ones.
pub(crate) const READ_BYTES: usize = 32 * 1024;
/// Spare buffers of each kind that a thread keeps.
const SPARE_MAX: usize = 64;
/// A write buffer that grew beyond this is given back to the system.
const WRITE_KEPT_BYTES_MAX: usize = 256 * 1024;

/// One thread's spare buffers.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    read: RefCell<Vec<Box<[u8]>>>,
    write: RefCell<Vec<Vec<u8>>>,
}

impl Pool {
    /// A buffer of [`READ_BYTES`] to read into; its content is left over from earlier use.
    pub(crate) fn take_read(&self) -> Box<[u8]> {
        let spare = self.read.borrow_mut().pop();
        spare.unwrap_or_else(|| vec![0; READ_BYTES].into_boxed_slice())
    }

    /// Takes a buffer back.
    pub(crate) fn give_read(&self, buffer: Box<[u8]>) {
        debug_assert_eq!(buffer.len(), READ_BYTES, "a read buffer never changes its size");
        let mut spare = self.read.borrow_mut();
        if spare.len() < SPARE_MAX {
            spare.push(buffer);
        }
    }

    /// An empty buffer to write to.
    pub(crate) fn take_write(&self) -> Vec<u8> {
        self.write.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a buffer back, with whatever is in it.
    pub(crate) fn give_write(&self, mut buffer: Vec<u8>) {
        let mut spare = self.write.borrow_mut();
        if spare.len() < SPARE_MAX && buffer.capacity() <= WRITE_KEPT_BYTES_MAX {
            buffer.clear();
            spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again_but_not_hoarded() {
        let pool = Pool::default();
        for _ in 0..2 * SPARE_MAX {
            pool.give_read(vec![1; READ_BYTES].into_boxed_slice());
            pool.give_write(vec![1; 10]);
        }
        assert_eq!(pool.read.borrow().len(), SPARE_MAX);
        assert_eq!(pool.write.borrow().len(), SPARE_MAX);
        assert!(pool.take_write().is_empty());
        pool.give_write(Vec::with_capacity(WRITE_KEPT_BYTES_MAX + 1));
        assert_eq!(pool.write.borrow().len(), SPARE_MAX - 1, "a large one is let go");
    }
}
