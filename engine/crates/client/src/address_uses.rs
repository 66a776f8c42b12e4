//! What a request had to do with the addresses of its targets, for whoever counts by address.
//!
//! Only a request whose [`Progress`](crate::Progress) asks for it notes anything. All others read
//! no clock, take no lock and have no memory for it.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An attempt that is given up has failed if it had no answer for so long: as long as a connection
/// waits before it tries another address as well (RFC 8305, section 5).
pub(crate) const SILENCE_MIN: Duration = Duration::from_millis(250);

/// Most addresses of one request that have rows of their own: it may follow redirects without end.
const ROWS_MAX: usize = 64;

/// What one request had to do with one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressUse {
    /// Address and port; `None` stands for all those above a limit of 64.
    pub address: Option<SocketAddr>,
    /// Connections that were made to it for the request, their TLS handshake included.
    pub opened: u32,
    /// Attempts to connect that came to nothing, the TLS handshake included. One that was given up
    /// within 250 ms is none.
    pub failed: u32,
}

/// What one request had to do with addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressUses {
    /// Each address once.
    pub rows: Vec<AddressUse>,
    /// Place in [`Self::rows`] of the address whose connection was the last to be given the
    /// request; `None` if the end of its redirects was not given to any.
    pub last: Option<usize>,
}

impl AddressUses {
    /// The place of an address in the rows.
    fn place(&mut self, address: SocketAddr) -> usize {
        let mut address = Some(address);
        let find =
            |rows: &[AddressUse], address| rows.iter().position(|row| row.address == address);
        let mut found = find(&self.rows, address);
        if found.is_none() && self.rows.len() >= ROWS_MAX {
            address = None;
            found = find(&self.rows, None);
        }
        found.unwrap_or_else(|| {
            self.rows.push(AddressUse { address, opened: 0, failed: 0 });
            self.rows.len() - 1
        })
    }
}

/// The notes of one request on its way.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<AddressUses>);

impl Notes {
    /// A connection to this address is given the request.
    pub(crate) fn given_to(&self, address: SocketAddr) {
        let mut uses = self.lock();
        let place = uses.place(address);
        uses.last = Some(place);
    }

    /// No connection has the request any more, or none yet.
    pub(crate) fn given_to_none(&self) {
        self.lock().last = None;
    }

    fn opened(&self, address: SocketAddr) {
        let mut uses = self.lock();
        let place = uses.place(address);
        uses.rows[place].opened += 1;
        uses.last = Some(place);
    }

    fn failed(&self, address: SocketAddr) {
        let mut uses = self.lock();
        let place = uses.place(address);
        uses.rows[place].failed += 1;
    }

    pub(crate) fn into_uses(self) -> AddressUses {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, AddressUses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt to connect to one address, until something has come of it. Dropped before, it has
/// been given up.
#[derive(Debug)]
pub(crate) struct Attempt<'a>(Option<Noted<'a>>);

#[derive(Debug)]
struct Noted<'a> {
    notes: &'a Notes,
    address: SocketAddr,
    begun: Instant,
}

impl<'a> Attempt<'a> {
    /// One begins now. Without `notes` nothing comes of it.
    pub(crate) fn begin(notes: Option<&'a Notes>, address: SocketAddr) -> Self {
        Self(notes.map(|notes| Noted { notes, address, begun: Instant::now() }))
    }

    /// It has led to a connection, which is given the request.
    pub(crate) fn succeeded(mut self) {
        if let Some(noted) = self.0.take() {
            noted.notes.opened(noted.address);
        }
    }

    /// It has led to nothing.
    pub(crate) fn failed(mut self) {
        if let Some(noted) = self.0.take() {
            noted.notes.failed(noted.address);
        }
    }

    /// It is given up at `now`.
    fn given_up(&mut self, now: Instant) {
        if let Some(noted) = self.0.take()
            && now.saturating_duration_since(noted.begun) >= SILENCE_MIN
        {
            noted.notes.failed(noted.address);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.given_up(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> SocketAddr {
        ([10, 0, 0, last], 80).into()
    }

    #[test]
    fn what_came_of_each_attempt_is_noted() {
        let notes = Notes::default();
        Attempt::begin(Some(&notes), at(1)).failed();
        let mut silent = Attempt::begin(Some(&notes), at(2));
        Attempt::begin(Some(&notes), at(3)).succeeded();
        let begun = silent.0.as_ref().expect("it is noted").begun;
        silent.given_up(begun + SILENCE_MIN);
        drop(silent);
        let mut hurried = Attempt::begin(Some(&notes), at(4));
        hurried.given_up(Instant::now());
        drop(hurried);
        Attempt::begin(None, at(5)).succeeded();
        let row = |last, opened, failed| AddressUse { address: Some(at(last)), opened, failed };
        let rows = vec![row(1, 0, 1), row(3, 1, 0), row(2, 0, 1)];
        assert_eq!(notes.into_uses(), AddressUses { rows, last: Some(1) });
    }

    #[test]
    fn the_last_connection_is_known() {
        let notes = Notes::default();
        notes.given_to(at(1));
        Attempt::begin(Some(&notes), at(2)).failed();
        assert_eq!(notes.lock().last, Some(0), "nobody else has had the request");
        notes.given_to_none();
        assert_eq!(notes.lock().last, None);
        Attempt::begin(Some(&notes), at(2)).succeeded();
        assert_eq!(notes.into_uses().last, Some(1));
    }

    #[test]
    fn the_number_of_rows_is_limited() {
        let notes = Notes::default();
        for last in 0..=255 {
            Attempt::begin(Some(&notes), at(last)).succeeded();
        }
        let uses = notes.into_uses();
        let others = AddressUse { address: None, opened: 256 - 64, failed: 0 };
        assert_eq!((uses.rows.len(), uses.rows.last()), (65, Some(&others)));
        assert_eq!(uses.last, Some(64));
    }
}
