//! Faults that the cluster simulator has to find. Compiled only with the feature `planted-bugs`,
//! and even then nothing is wrong until a test says so for its own thread.

use std::cell::Cell;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A report that is sent again counts again.
    CountedTwice,
    /// An acknowledgement takes the next report with it.
    TakenWithIt,
}

/// All of them.
pub const ALL: [Bug; 2] = [Bug::CountedTwice, Bug::TakenWithIt];

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
