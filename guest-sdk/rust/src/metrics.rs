//! The scenario's own figures, beside those of its requests.

use crate::bindings::swarm::scenario::metrics as wit;
use std::time::Duration;

/// Adds to a counter.
pub fn count(name: &str, by: f64) {
    wit::count(name, by);
}

/// Sets a value of which the last counts.
pub fn gauge(name: &str, value: f64) {
    wit::gauge(name, value);
}

/// Adds a value to a distribution.
pub fn trend(name: &str, value: f64) {
    wit::trend(name, value);
}

/// Counts whether something held.
pub fn check(name: &str, ok: bool) {
    wit::check(name, ok);
}

/// Records a request that the scenario made by other means, with its failure if it failed.
pub fn sample(kind: &str, name: &str, elapsed: Duration, bytes: u32, error: Option<&str>) {
    wit::sample(kind, name, elapsed.as_secs_f64() * 1000.0, bytes, error);
}
