//! Faults that the cluster simulator has to find. Compiled only with the feature `planted-bugs`,
//! and even then nothing is wrong until a test says so for its own thread.

use std::cell::Cell;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The users of a silent worker are given away before its lease is over.
    SilenceTooShort,
    /// A worker whose lease is over goes on.
    LeaseIgnored,
    /// A worker whose connection has ended carries on, though the master may be out of reach only.
    CloseTrusted,
    /// The users of a lost worker go to nobody.
    LossForgotten,
    /// A lost worker has no account of what is missing.
    LossUntold,
    /// Who moves starts on one worker before the other has been told.
    MovesUnconfirmed,
    /// A worker that joins again holds its new orders for old ones.
    OldNumbers,
    /// A worker that joins after the end is not told to stop.
    StopForgotten,
    /// A restarted master waits for its workers without end.
    EndlessWait,
    /// A restarted master numbers its orders from 1.
    NumbersAgain,
}

/// All of them.
pub const ALL: [Bug; 10] = [
    Bug::SilenceTooShort,
    Bug::LeaseIgnored,
    Bug::CloseTrusted,
    Bug::LossForgotten,
    Bug::LossUntold,
    Bug::MovesUnconfirmed,
    Bug::OldNumbers,
    Bug::StopForgotten,
    Bug::EndlessWait,
    Bug::NumbersAgain,
];

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// From now on this is wrong in this thread, and nothing else.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Is this wrong?
pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
