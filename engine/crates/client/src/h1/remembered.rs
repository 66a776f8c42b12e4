//! Heads that have just been parsed.
//!
//! A server answers one request like the other: within the second that its `date` line counts,
//! heads of the same resource are the same bytes. What has been made of those holds again, and a
//! comparison costs a fortieth of parsing them (60 instructions for 2,100 with nginx's nine lines).

use std::cell::RefCell;

use super::Options;
use super::message_head::Head;

/// Heads that a thread remembers: a user that asks for a few resources in turn finds them all.
const HEADS_MAX: usize = 4;

/// Longest head that is remembered.
const HEAD_BYTES_MAX: usize = 4 << 10;

/// Where each head is new, remembering them is in vain: after so many that were, only one out of as
/// many is kept.
const IN_VAIN: u32 = 32;

thread_local! {
    static HEADS: RefCell<Heads> = const { RefCell::new(Heads::new()) };
}

#[derive(Debug)]
struct Heads {
    heads: Vec<Remembered>,
    /// Where the next one goes, once there are [`HEADS_MAX`].
    next: usize,
    /// Heads that were not found since one was.
    misses: u32,
}

#[derive(Debug)]
struct Remembered {
    bytes: Box<[u8]>,
    head_only: bool,
    options: Options,
    head: Head,
}

impl Heads {
    const fn new() -> Self {
        Self { heads: Vec::new(), next: 0, misses: 0 }
    }

    fn find(
        &mut self,
        received: &[u8],
        head_only: bool,
        options: &Options,
    ) -> Option<(usize, Head)> {
        let found = self.heads.iter().find(|known| {
            received.starts_with(&known.bytes)
                && known.head_only == head_only
                && known.options == *options
        });
        match found {
            Some(known) => {
                self.misses = 0;
                Some((known.bytes.len(), known.head.clone()))
            }
            None => {
                self.misses = self.misses.wrapping_add(1);
                None
            }
        }
    }

    fn keep(&mut self, bytes: &[u8], head_only: bool, options: &Options, head: &Head) {
        let in_vain = self.misses > IN_VAIN && !self.misses.is_multiple_of(IN_VAIN);
        if in_vain || bytes.len() > HEAD_BYTES_MAX {
            return;
        }
        let new =
            Remembered { bytes: bytes.into(), head_only, options: *options, head: head.clone() };
        if self.heads.len() < HEADS_MAX {
            self.heads.push(new);
        } else {
            self.heads[self.next] = new;
            self.next = (self.next + 1) % HEADS_MAX;
        }
    }
}

/// What was made of the head at the begin of what was received, if it is one that the thread knows,
/// and its length.
pub(super) fn find(received: &[u8], head_only: bool, options: &Options) -> Option<(usize, Head)> {
    HEADS.with_borrow_mut(|heads| heads.find(received, head_only, options))
}

/// Remembers what was made of a complete head.
pub(super) fn keep(bytes: &[u8], head_only: bool, options: &Options, head: &Head) {
    HEADS.with_borrow_mut(|heads| heads.keep(bytes, head_only, options, head));
}
