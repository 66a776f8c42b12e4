//! Lines in the test's log.

use crate::bindings::swarm::scenario::log as wit;

/// For whoever looks for a fault in the scenario.
pub fn debug(message: &str) {
    wit::log(wit::Level::Debug, message);
}

/// Worth knowing.
pub fn info(message: &str) {
    wit::log(wit::Level::Info, message);
}

/// Probably not what was meant.
pub fn warn(message: &str) {
    wit::log(wit::Level::Warn, message);
}

/// Wrong.
pub fn error(message: &str) {
    wit::log(wit::Level::Error, message);
}
