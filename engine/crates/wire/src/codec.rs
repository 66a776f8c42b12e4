//! Checked conversion between the plain types and Cap'n Proto, a file per message.
//!
//! Each has a `write`, which refuses what the other side would refuse, and a `read`, which takes
//! nothing for granted: every list, text and number has a limit of [`crate::limits`] that is
//! checked before memory is taken, and figures that contradict each other are an error. An error
//! names the field by its path in the schema.

mod addresses;
pub(crate) mod field;
pub(crate) mod heartbeat;
pub(crate) mod histogram;
pub(crate) mod ids;
pub(crate) mod info;
pub(crate) mod metric;
pub(crate) mod order;
pub(crate) mod report;
#[cfg(any(test, fuzzing))]
pub(crate) mod whole;

#[cfg(test)]
mod tests;
