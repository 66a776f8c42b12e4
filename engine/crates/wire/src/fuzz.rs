//! Reports as bytes, for the fuzzers in `engine/fuzz`.

use swarm_stats::delta::Report;

use crate::codec::report::{read, write};
use crate::codec::whole::{bytes_of, read_bytes};
use crate::error::FieldError;
use crate::generated::swarm_capnp::report;

/// What these bytes say; `None` when they are no message.
///
/// # Errors
/// As the answer to a worker that reports this.
pub fn report(bytes: &[u8]) -> Option<Result<Report, FieldError>> {
    read_bytes::<report::Owned, _>(bytes, read)
}

/// The bytes of a report.
///
/// # Errors
/// When a worker could not send it.
pub fn report_bytes(of: &Report) -> Result<Vec<u8>, FieldError> {
    bytes_of::<report::Owned>(|to| write(of, to))
}
