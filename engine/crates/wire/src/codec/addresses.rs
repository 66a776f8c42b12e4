//! What came of each address of the target.

use std::net::SocketAddr;

use swarm_stats::AddressCounts;
use swarm_stats::addresses::AddressDelta;

use super::field::{Result, at_most, read_text};
use crate::error::FieldError;
use crate::generated::swarm_capnp::address_counts;
use crate::limits::{ADDRESS_BYTES_MAX, COUNT_MAX};

pub(super) fn write(row: &AddressDelta, mut to: address_counts::Builder<'_>) -> Result<()> {
    check(&row.counts)?;
    to.set_address(row.address.map(|address| address.to_string()).unwrap_or_default());
    let AddressCounts { opened, failed, requests, failures } = row.counts;
    to.set_opened(opened);
    to.set_failed(failed);
    to.set_requests(requests);
    to.set_failures(failures);
    Ok(())
}

pub(super) fn read(from: address_counts::Reader<'_>) -> Result<AddressDelta> {
    let text = read_text("address", from.get_address(), ADDRESS_BYTES_MAX)?;
    let address = match text.as_str() {
        "" => None,
        text => Some(text.parse::<SocketAddr>().map_err(|_error| {
            FieldError::new("address", format_args!("is {text:?}, not an address and a port"))
        })?),
    };
    let counts = AddressCounts {
        opened: from.get_opened(),
        failed: from.get_failed(),
        requests: from.get_requests(),
        failures: from.get_failures(),
    };
    check(&counts)?;
    Ok(AddressDelta { address, counts })
}

fn check(counts: &AddressCounts) -> Result<()> {
    at_most("opened", counts.opened, COUNT_MAX, "connections")?;
    at_most("failed", counts.failed, COUNT_MAX, "attempts")?;
    at_most("requests", counts.requests, COUNT_MAX, "requests")?;
    at_most("failures", counts.failures, counts.requests, "failures")
}
