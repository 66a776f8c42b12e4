//! Exact, mergeable statistics of a load test, and the reports about them.
//!
//! A load thread records into a [`Recorder`]; what it drains is a [`delta::Delta`]. Deltas of the
//! threads of a worker are joined by [`delta::Delta::merge`] and travel to the master as a
//! [`delta::Report`]. There a [`Ledger`] sees to it that each counts once, and [`Totals`] adds it
//! up. Merging is addition, so the percentiles of the master are those of one histogram that had
//! recorded every sample itself. Time is passed in everywhere; nothing here reads a clock.
//!
//! # Layout
//! - [`limits`]: limits on names, errors, exceptions, metrics, and what happens above them.
//! - [`histogram`]: what is recorded, sent and merged, by buckets.
//! - [`times`]: units and limits of times.
//! - [`recorder`]: what one load thread records.
//! - [`delta`]: what was recorded in one interval, as plain data that adds up.
//! - [`connections`]: what requests took of connections; [`addresses`]: at which addresses.
//! - [`parts`]: deltas in parts, for messages that must not be too long.
//! - [`metric`]: metrics of the guest's own.
//! - [`lateness`]: how late the generator itself was, by load thread.
//! - [`outbox`]: which reports wait for the master; [`ledger`]: which reports have been applied.
//! - [`totals`]: the sum of all reports.
//! - [`series`]: the test second by second.
//! - [`snapshot`]: the merged statistics at one moment, ready to be shown.
//! - [`report`]: CSV, JSON and console tables.
//!
//! Inside: `layout` says which values share a bucket, `tally` counts a few samples or many, `dense`
//! sums up and finds percentiles, `merge` joins deltas, `split` shares a report out over seconds,
//! `span` is the time of the test, `window` keeps the last seconds of an entry, `view` makes the
//! snapshot, `overflow` tells which limits were passed, `rows` finds rows by their texts.
#![forbid(unsafe_code)]

/// Is a fault planted here? Never, but in the tests of the simulator.
#[cfg(feature = "planted-bugs")]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is($crate::planted::Bug::$bug)
    };
}
#[cfg(not(feature = "planted-bugs"))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

pub mod addresses;
mod chunk;
pub mod connections;
pub mod delta;
mod dense;
pub mod histogram;
pub mod lateness;
mod layout;
pub mod ledger;
pub mod limits;
mod merge;
pub mod metric;
pub mod outbox;
mod overflow;
pub mod parts;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod recorder;
pub mod report;
mod rows;
pub mod series;
pub mod snapshot;
mod span;
mod split;
mod tally;
pub mod times;
pub mod totals;
mod view;
mod window;

/// Version of what is written of [`Totals`], [`Ledger`] and [`delta::Report`] when they are saved.
/// To be raised with every change to their fields, to the order of these, and to the layout of
/// histograms: nothing in the bytes tells.
pub const FORMAT: u32 = 3;

pub use addresses::AddressCounts;
pub use connections::ConnectionCounts;
pub use histogram::Histogram;
pub use ledger::{Accept, Ledger};
pub use limits::Limits;
pub use metric::{MetricError, MetricKind};
pub use outbox::Outbox;
pub use recorder::{EntryId, Recorder, Sample};
pub use series::SECONDS_MAX;
pub use totals::{Applied, Totals};
