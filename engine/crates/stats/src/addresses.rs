//! What came of each address that requests had to do with. It is counted on request only.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::limits::OTHER_NAME;
use crate::snapshot::AddressSnapshot;

/// What came of one address and port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressCounts {
    /// Connections made to it, their TLS handshake included.
    pub opened: u64,
    /// Attempts to connect to it that came to nothing, the TLS handshake included. A request may
    /// make one at each address of its host, so their sum is not the number of requests that got no
    /// connection.
    pub failed: u64,
    /// Samples of requests that were given to a connection to it: to that one as the last, where a
    /// redirect or a second attempt led to others.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
}

impl AddressCounts {
    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.opened = self.opened.saturating_add(other.opened);
        self.failed = self.failed.saturating_add(other.failed);
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
    }
}

/// The counts of one address in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressDelta {
    /// `None` stands for all those above a limit.
    pub address: Option<SocketAddr>,
    /// What came of it.
    pub counts: AddressCounts,
}

/// Adds to the row of an address; the rows rise by address. One that is new has a row of its own as
/// long as there are fewer than `rows_max`, and is added to the row of the others above that.
pub(crate) fn count(rows: &mut Vec<AddressDelta>, more: &AddressDelta, rows_max: usize) {
    let place = |rows: &[AddressDelta], address| {
        rows.binary_search_by_key(&address, |row: &AddressDelta| row.address)
    };
    let mut address = more.address;
    let mut found = place(rows, address);
    if found.is_err() && rows.len() >= rows_max {
        address = None;
        found = place(rows, address);
    }
    match found {
        Ok(at) => rows[at].counts.add(&more.counts),
        Err(at) => rows.insert(at, AddressDelta { address, counts: more.counts }),
    }
}

/// The rows as they are shown, the row of the others at the end.
pub(crate) fn shown(rows: &[AddressDelta]) -> Vec<AddressSnapshot> {
    let (others, own): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.address.is_none());
    let row = |row: &AddressDelta| AddressSnapshot {
        address: row.address.map_or_else(|| OTHER_NAME.to_owned(), |address| address.to_string()),
        opened: row.counts.opened,
        failed: row.counts.failed,
        num_requests: row.counts.requests,
        num_failures: row.counts.failures,
    };
    own.into_iter().chain(others).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(address: Option<&str>) -> AddressDelta {
        let address = address.map(|address| address.parse().expect("an address"));
        let counts = AddressCounts { opened: 1, failed: 2, requests: 3, failures: 4 };
        AddressDelta { address, counts }
    }

    fn counted(addresses: &[Option<&str>], rows_max: usize) -> Vec<(String, u64)> {
        let mut rows = Vec::new();
        for address in addresses {
            count(&mut rows, &one(*address), rows_max);
        }
        assert!(rows.is_sorted_by(|one, next| one.address < next.address), "{rows:?}");
        for AddressDelta { counts: AddressCounts { opened, failed, requests, failures }, .. } in
            &rows
        {
            assert_eq!([*failed, *requests, *failures], [opened * 2, opened * 3, opened * 4]);
        }
        shown(&rows).into_iter().map(|row| (row.address, row.opened)).collect()
    }

    #[test]
    fn each_address_has_a_row_up_to_the_limit() {
        let [one, two, six] = ["10.0.0.1:80", "10.0.0.2:80", "[::1]:80"].map(Some);
        let row = |text: &str, count| (text.to_owned(), count);
        let all = [two, six, one, two, two, one];
        let expected = [row("10.0.0.1:80", 2), row("10.0.0.2:80", 3), row("[::1]:80", 1)];
        assert_eq!(counted(&all, 3), expected);
        let expected = [row("10.0.0.2:80", 3), row("[::1]:80", 1), row("(other)", 2)];
        assert_eq!(counted(&all, 2), expected);
        let expected = [row("10.0.0.2:80", 1), row("(other)", 2)];
        assert_eq!(counted(&[None, two, None], 3), expected);
        assert_eq!(counted(&[one, two], 0), [row("(other)", 2)]);
    }
}
