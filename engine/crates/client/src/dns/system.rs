//! The C library's resolver, for names that only it can look up.

use std::net::{IpAddr, ToSocketAddrs};

use super::lookup::{Found, Unresolved};
use crate::detached;

/// How long its answers are used: it does not tell the records' own time. The services behind it
/// do know that, and keep answers themselves, so asking often costs little.
const TTL: std::time::Duration = std::time::Duration::from_secs(1);

/// Looks a name up. May wait for as long as the C library likes; the caller sets a limit.
pub(super) async fn look_up(name: &str) -> Result<Found, Unresolved> {
    let host = name.to_owned();
    let asked = detached::run("resolve", move || {
        let found = (host.as_str(), 0).to_socket_addrs()?;
        Ok(found.map(|address| address.ip()).collect::<Vec<IpAddr>>())
    });
    let answer = asked.await.map_err(|error| Unresolved(error.to_string().into()))?;
    let addresses = answer.map_err(|error: std::io::Error| {
        let text = error.to_string();
        let reason = text.strip_prefix("failed to lookup address information: ");
        Unresolved(reason.unwrap_or(&text).to_owned().into())
    })?;
    Ok(Found { addresses, ttl: TTL })
}
