//! What the reader of a result must know of the limits that it has passed.

use crate::delta::{EntryDelta, ErrorDelta, ExceptionDelta};
use crate::limits::{Limits, OTHER_ERRORS, OTHER_EXCEPTIONS, OTHER_NAME, OTHER_WORKERS, was_cut};
use crate::totals::Totals;

impl Totals {
    /// A sentence for each limit that was passed. The sentences stay the same while a test runs.
    #[must_use]
    pub fn limits_passed(&self) -> Vec<String> {
        let Limits { names_max, name_bytes_max, errors_max, error_bytes_max, .. } = self.limits;
        let Limits { exceptions_max, trace_bytes_max, metrics_max, workers_max, .. } = self.limits;
        let mut passed = Vec::new();
        if self.names_overflowed > 0 || self.entries.find(EntryDelta::OTHER).is_some() {
            passed.push(format!(
                "there are more than {names_max} names: requests of further ones are counted \
                 together as {OTHER_NAME}; give requests whose paths differ from user to user \
                 one name"
            ));
        }
        if self.entries.iter().any(|entry| was_cut(&entry.line.name, name_bytes_max)) {
            passed.push(format!("names longer than {name_bytes_max} bytes are cut"));
        }
        if self.errors.find(ErrorDelta::OTHER).is_some() {
            passed.push(format!(
                "there are more than {errors_max} different failures: further ones are counted \
                 together as {OTHER_ERRORS}"
            ));
        }
        if self.exceptions.find(ExceptionDelta::OTHER).is_some() {
            passed.push(format!(
                "there are more than {exceptions_max} different exceptions: further ones are \
                 counted together as {OTHER_EXCEPTIONS}"
            ));
        }
        let exceptions = || self.exceptions.iter().map(|exception| &exception.all);
        if self.errors.iter().any(|error| was_cut(&error.error, error_bytes_max))
            || exceptions().any(|exception| was_cut(&exception.message, error_bytes_max))
        {
            passed.push(format!(
                "texts of failures and exceptions longer than {error_bytes_max} bytes are cut: \
                 what differs only after that is counted together"
            ));
        }
        if exceptions().any(|exception| was_cut(&exception.trace, trace_bytes_max)) {
            passed.push(format!("backtraces longer than {trace_bytes_max} bytes are cut"));
        }
        if self.metrics_refused > 0 {
            passed.push(format!(
                "there are more than {metrics_max} metrics: further ones are not counted"
            ));
        }
        if self.workers.find([OTHER_WORKERS, "", ""]).is_some() {
            passed.push(format!(
                "there are more than {workers_max} workers: requests of further ones are counted \
                 together as {OTHER_WORKERS}"
            ));
        }
        if self.addresses.first().is_some_and(|row| row.address.is_none()) {
            passed.push(format!(
                "there are more than {} addresses: connections to further ones, and their \
                 requests, are counted together as {OTHER_NAME}",
                self.limits.addresses_max
            ));
        }
        passed
    }
}
