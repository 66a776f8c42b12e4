//! Which reports have been applied: a report may be sent again after a reconnection, and must not
//! count twice.
//!
//! A worker numbers the reports of its stream 1, 2, 3... and sends each until it is acknowledged,
//! oldest first. So one number a stream is all that must be remembered.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Streams that a ledger remembers. Above it the stream that was heard longest ago is forgotten:
/// if it ever reports again, that is a gap, never a double.
pub const STREAMS_MAX: usize = 65_536;

/// What to do with a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// The next one of its stream: apply and acknowledge it. The ledger takes it as applied.
    New,
    /// Applied before: acknowledge it again, do not apply it.
    Repeated,
    /// Reports before it are missing: do not apply it, ask for the one with this number.
    Gap(u64),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Stream {
    /// Number of the last report that was applied; all before it were too.
    applied: u64,
    /// When it was heard last, in steps of the ledger.
    heard: u64,
}

/// The last applied report of each stream. Decides, and does nothing else.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    streams: HashMap<u64, Stream>,
    steps: u64,
}

impl Ledger {
    /// An empty ledger: of every stream it awaits report 1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decides about a report, and remembers it if it is new. A report 0, which no worker sends,
    /// is [`Accept::Repeated`].
    pub fn accept(&mut self, stream: u64, sequence: u64) -> Accept {
        let applied = self.applied(stream);
        // No overflow: the largest number is not smaller than any other.
        if sequence <= applied {
            self.touch(stream);
            if planted!(CountedTwice) {
                return Accept::New;
            }
            return Accept::Repeated;
        }
        if sequence - applied > 1 {
            return Accept::Gap(applied + 1);
        }
        self.resume(stream, sequence);
        Accept::New
    }

    /// Decides about a report of a worker that sends its oldest first: what is missing before this
    /// one will never come. [`Accept::Gap`] then says where the gap began, and that the report is
    /// to be applied; the ledger takes it as applied.
    pub fn take(&mut self, stream: u64, sequence: u64) -> Accept {
        let accept = self.accept(stream, sequence);
        if let Accept::Gap(_) = accept {
            self.resume(stream, sequence);
        }
        accept
    }

    /// Takes all reports of a stream up to `applied` as applied: what another master has saved or
    /// acknowledged. Never goes back.
    pub fn resume(&mut self, stream: u64, applied: u64) {
        let applied = applied.max(self.applied(stream));
        if !self.streams.contains_key(&stream) && self.streams.len() >= STREAMS_MAX {
            self.forget_oldest();
        }
        self.streams.insert(stream, Stream { applied, heard: 0 });
        self.touch(stream);
    }

    /// Number of the last report of this stream that was applied: what to acknowledge. 0 for none.
    #[must_use]
    pub fn applied(&self, stream: u64) -> u64 {
        self.streams.get(&stream).map_or(0, |stream| stream.applied)
    }

    fn touch(&mut self, stream: u64) {
        self.steps += 1;
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.heard = self.steps;
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.streams.iter().min_by_key(|(_, stream)| stream.heard);
        if let Some((&stream, _)) = oldest {
            self.streams.remove(&stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applies_each_report_once_and_in_order() {
        let mut ledger = Ledger::new();
        assert_eq!(ledger.accept(7, 0), Accept::Repeated);
        assert_eq!(ledger.accept(7, 2), Accept::Gap(1));
        assert_eq!(ledger.accept(7, 1), Accept::New);
        assert_eq!(ledger.accept(7, 1), Accept::Repeated);
        assert_eq!(ledger.accept(7, 2), Accept::New);
        assert_eq!(ledger.accept(7, 9), Accept::Gap(3));
        assert_eq!(ledger.accept(8, 1), Accept::New, "streams do not touch each other");
        assert_eq!((ledger.applied(7), ledger.applied(8), ledger.applied(9)), (2, 1, 0));
    }

    #[test]
    fn resumes_after_another_master() {
        let mut ledger = Ledger::new();
        ledger.resume(7, 41);
        ledger.resume(7, 12);
        assert_eq!(ledger.accept(7, 41), Accept::Repeated);
        assert_eq!(ledger.accept(7, 42), Accept::New);
        ledger.resume(7, u64::MAX);
        assert_eq!(ledger.accept(7, u64::MAX), Accept::Repeated);
    }

    #[test]
    fn forgets_the_stream_heard_longest_ago_and_never_doubles_it() {
        let mut ledger = Ledger::new();
        for stream in 0..STREAMS_MAX as u64 {
            assert_eq!(ledger.accept(stream, 1), Accept::New);
        }
        assert_eq!(ledger.accept(0, 2), Accept::New, "stream 1 is now the oldest");
        assert_eq!(ledger.accept(u64::MAX, 1), Accept::New);
        assert_eq!(ledger.streams.len(), STREAMS_MAX);
        assert_eq!(ledger.accept(0, 2), Accept::Repeated);
        assert_eq!(ledger.accept(1, 2), Accept::Gap(1));
    }
}
