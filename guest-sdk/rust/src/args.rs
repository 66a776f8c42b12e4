//! What the operator gave the scenario on the command line.

use crate::bindings::swarm::scenario::args as wit;

/// The argument of this name, if it was given.
#[must_use]
pub fn get(name: &str) -> Option<String> {
    wit::get(name)
}
