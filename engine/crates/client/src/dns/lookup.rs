//! One lookup: who is asked, for how long at most, and what is done with the answer.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;

use super::nsswitch::{Source, Way, is_localhost, way};
use super::preference::{Preferred, prefer};
use super::silent::Silent;
use super::stub::Stub;
use super::{hosts, system};
use crate::error::duration_text;

/// Longest time that a lookup takes.
pub(super) const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// How long what a file says is used. It may be edited while a test runs.
const FILES_TTL: Duration = Duration::from_secs(1);

/// How long a name of this machine itself is.
const LOCALHOST_TTL: Duration = Duration::from_secs(3600);

/// Most addresses of a name that are kept.
const ADDRESSES_MAX: usize = 16;

/// Largest file that is read here; the C library may take its time with a larger one.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Variables by which a user changes how the C library looks names up.
const VARIABLES: [&str; 3] = ["RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES"];

/// The addresses of a name as they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) addresses: Vec<IpAddr>,
    /// How long they may be used.
    pub(super) ttl: Duration,
}

/// Why a name has no address, in words that follow "cannot resolve `NAME`: ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unresolved(pub(super) Cow<'static, str>);

/// Where the system says how to look names up.
#[derive(Debug)]
pub(super) struct System {
    nsswitch: PathBuf,
    hosts: PathBuf,
    resolv: PathBuf,
    /// Of DNS servers.
    port: u16,
    /// Only the C library knows what the environment asks for.
    is_special: bool,
    silent: Silent,
}

impl Default for System {
    fn default() -> Self {
        Self {
            nsswitch: "/etc/nsswitch.conf".into(),
            hosts: "/etc/hosts".into(),
            resolv: "/etc/resolv.conf".into(),
            port: 53,
            is_special: VARIABLES.iter().any(|name| std::env::var_os(name).is_some()),
            silent: Silent::default(),
        }
    }
}

impl System {
    /// Looks a name up. The files are read each time: they are small, and this is rare.
    ///
    /// Cancel safe.
    pub(super) async fn look_up(&self, name: &str) -> Result<(Preferred, Duration), Unresolved> {
        let found = timeout(LOOKUP_MAX, self.ask(name)).await;
        let found = found.unwrap_or_else(|_elapsed| Err(no_answer_within(LOOKUP_MAX)))?;
        let preferred = prefer(found.addresses, ADDRESSES_MAX);
        if preferred.addresses.is_empty() {
            return Err(Unresolved("it has no address".into()));
        }
        Ok((preferred, found.ttl))
    }

    async fn ask(&self, name: &str) -> Result<Found, Unresolved> {
        let Ok((nsswitch, machine)) = read(&self.nsswitch).and_then(|text| Ok((text, machine()?)))
        else {
            return system::look_up(name).await;
        };
        let sources = match way(nsswitch.as_deref(), name, &machine) {
            Way::Ourselves(sources) if !self.is_special => sources,
            Way::Ourselves(_) | Way::System => return system::look_up(name).await,
        };
        let mut outcome = Err(Unresolved("no such name".into()));
        for source in sources {
            let answer = match source {
                Source::Files => self.files(name).await,
                // Nobody else may say where this machine is.
                Source::Dns if is_localhost(name) => Ok(localhost()),
                Source::Dns => self.servers(name, &machine).await,
            };
            match answer {
                Ok(found) if !found.addresses.is_empty() => return Ok(found),
                Ok(_nothing) => {}
                error => outcome = error,
            }
        }
        outcome
    }

    async fn files(&self, name: &str) -> Result<Found, Unresolved> {
        match read(&self.hosts) {
            Ok(text) => {
                let addresses = hosts::addresses(text.as_deref().unwrap_or_default(), name);
                Ok(Found { addresses, ttl: FILES_TTL })
            }
            Err(TooLarge) => system::look_up(name).await,
        }
    }

    async fn servers(&self, name: &str, machine: &str) -> Result<Found, Unresolved> {
        let config = read(&self.resolv).ok();
        let stub = config.and_then(|text| Stub::new(text.as_deref(), machine, self.port));
        match stub {
            Some(stub) => stub.look_up(name, &self.silent).await,
            None => system::look_up(name).await,
        }
    }
}

/// A resolver that has not answered.
pub(super) fn no_answer_within(limit: Duration) -> Unresolved {
    Unresolved(format!("no answer from the resolver within {}", duration_text(limit)).into())
}

fn localhost() -> Found {
    let addresses = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    Found { addresses, ttl: LOCALHOST_TTL }
}

struct TooLarge;

/// The text of a file; `None` if it cannot be read, for then nobody can.
fn read(path: &Path) -> Result<Option<String>, TooLarge> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() > FILE_BYTES_MAX) {
        return Err(TooLarge);
    }
    let bytes = std::fs::read(path).ok();
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The name of this machine.
fn machine() -> Result<String, TooLarge> {
    let name = read(Path::new("/proc/sys/kernel/hostname"))?;
    Ok(name.unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests;
