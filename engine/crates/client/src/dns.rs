//! Names to addresses, looked up once for all users.
//!
//! The system's resolver answers on tokio's blocking threads. An answer, good or bad, is kept for
//! a while; of many users that need a name at once one looks it up and the others wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use url::Host;

use crate::error::{ErrorKind, Fault};

/// How long an answer is used. The system's resolver does not tell the record's own.
const ANSWER_TTL: Duration = Duration::from_secs(30);

/// How long a failure is, so that thousands of users do not queue up for the same failure.
const FAILURE_TTL: Duration = Duration::from_secs(1);

/// Most names in the cache. At the limit those that nobody is using are forgotten.
const NAMES_MAX: usize = 1024;

/// Most addresses of a name that are kept.
const ADDRESSES_MAX: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Cache {
    names: Mutex<HashMap<String, Arc<Name>>>,
}

/// One name, its last answer, and which address of it worked.
#[derive(Debug, Default)]
struct Name {
    answer: tokio::sync::Mutex<Option<Answer>>,
    worked: Mutex<Option<IpAddr>>,
}

#[derive(Debug)]
struct Answer {
    until: Instant,
    addresses: Result<Vec<IpAddr>, Fault>,
}

/// Where a host may be reached.
#[derive(Debug)]
pub(crate) struct Addresses {
    /// In the order in which to try them. Not empty.
    pub(crate) list: Vec<IpAddr>,
    /// Did this take a lookup, or a wait for somebody else's?
    pub(crate) looked_up: bool,
    name: Option<Arc<Name>>,
}

impl Addresses {
    /// Remembers the address that took a connection: it is tried first next time.
    pub(crate) fn worked(&self, address: IpAddr) {
        if let Some(name) = &self.name {
            *name.worked.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
        }
    }
}

impl Cache {
    /// The addresses of `host` at `now`.
    ///
    /// Cancel safe: a waiting user takes over from one that was interrupted.
    pub(crate) async fn addresses(
        &self,
        host: &Host<String>,
        now: Instant,
    ) -> Result<Addresses, Fault> {
        let text = match host {
            Host::Domain(name) => name,
            Host::Ipv4(address) => return Ok(literal((*address).into())),
            Host::Ipv6(address) => return Ok(literal((*address).into())),
        };
        let name = self.name(text);
        let (mut answer, waited) = match name.answer.try_lock() {
            Ok(guard) => (guard, false),
            Err(_busy) => (name.answer.lock().await, true),
        };
        let fresh = answer.as_ref().is_some_and(|answer| now < answer.until);
        if !fresh {
            *answer = Some(look_up(text).await);
        }
        let addresses = match &*answer {
            Some(answer) => answer.addresses.clone(),
            None => Ok(Vec::new()),
        };
        drop(answer);
        let mut list = addresses?;
        let worked = *name.worked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = worked.and_then(|worked| list.iter().position(|a| *a == worked)) {
            list[..=at].rotate_right(1);
        }
        Ok(Addresses { list, looked_up: waited || !fresh, name: Some(name) })
    }

    fn name(&self, text: &str) -> Arc<Name> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.get(text) {
            return Arc::clone(name);
        }
        if names.len() >= NAMES_MAX {
            names.retain(|_, name| Arc::strong_count(name) > 1);
        }
        let name = Arc::<Name>::default();
        if names.len() < NAMES_MAX {
            names.insert(text.to_owned(), Arc::clone(&name));
        }
        name
    }
}

fn literal(address: IpAddr) -> Addresses {
    Addresses { list: vec![address], looked_up: false, name: None }
}

async fn look_up(text: &str) -> Answer {
    let found = tokio::net::lookup_host((text, 0)).await;
    // The answer counts from its arrival: a slow resolver must not make it old at birth.
    let now = Instant::now();
    let addresses = match found {
        Ok(found) => distinct(found.map(|address| address.ip())),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.strip_prefix("failed to lookup address information: ");
            let reason = reason.map_or_else(|| error.to_string(), str::to_owned);
            return failure(now, format!("cannot resolve `{text}`: {reason}"));
        }
    };
    if addresses.is_empty() {
        return failure(now, format!("cannot resolve `{text}`: it has no address"));
    }
    Answer { until: now + ANSWER_TTL, addresses: Ok(addresses) }
}

fn failure(now: Instant, message: String) -> Answer {
    let addresses = Err(Fault::new(ErrorKind::Dns, message));
    Answer { until: now + FAILURE_TTL, addresses }
}

fn distinct(found: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut list = Vec::new();
    for address in found {
        if !list.contains(&address) && list.len() < ADDRESSES_MAX {
            list.push(address);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(name: &str) -> Host<String> {
        Host::Domain(name.to_owned())
    }

    #[tokio::test]
    async fn addresses_need_no_lookup() {
        let cache = Cache::default();
        let now = Instant::now();
        let found = cache.addresses(&Host::Ipv4([127, 0, 0, 1].into()), now).await.expect("v4");
        assert_eq!((found.list.len(), found.looked_up), (1, false));
        assert!(cache.names.lock().expect("lock").is_empty());
    }

    #[tokio::test]
    async fn an_answer_is_kept_until_it_is_old() {
        let cache = Cache::default();
        let now = Instant::now();
        let host = domain("localhost");
        assert!(cache.addresses(&host, now).await.expect("first").looked_up);
        assert!(!cache.addresses(&host, now).await.expect("cached").looked_up);
        let later = Instant::now() + ANSWER_TTL;
        assert!(cache.addresses(&host, later).await.expect("old").looked_up);
    }

    #[tokio::test]
    async fn the_address_that_worked_comes_first() {
        let cache = Cache::default();
        let [a, b, c] = [1, 2, 3].map(|n| IpAddr::from([127, 0, 0, n]));
        let name = cache.name("many.test");
        let until = Instant::now() + ANSWER_TTL;
        *name.answer.lock().await = Some(Answer { until, addresses: Ok(vec![a, b, c]) });
        let now = Instant::now();
        let found = cache.addresses(&domain("many.test"), now).await.expect("cached");
        assert_eq!(found.list, [a, b, c]);
        found.worked(c);
        let found = cache.addresses(&domain("many.test"), now).await.expect("cached");
        assert_eq!(found.list, [c, a, b]);
    }

    #[tokio::test]
    async fn a_failure_is_kept_too() {
        let cache = Cache::default();
        // A label may have 63 letters: the resolver refuses this one without asking anybody.
        let text = format!("{}.test", "a".repeat(64));
        let host = domain(&text);
        let now = Instant::now();
        let first = cache.addresses(&host, now).await.expect_err("no DNS name");
        assert_eq!(first.kind, ErrorKind::Dns);
        assert!(first.message.starts_with(&format!("cannot resolve `{text}`: ")));
        assert!(!first.message.contains("failed to lookup"), "{}", first.message);
        assert!(cache.name(&text).answer.lock().await.is_some());
        let second = cache.addresses(&host, now).await.expect_err("kept");
        assert_eq!(first, second);
    }

    #[test]
    fn the_number_of_names_is_limited() {
        let cache = Cache::default();
        let held = cache.name("held.test");
        for n in 0..NAMES_MAX * 2 {
            cache.name(&format!("n{n}.test"));
        }
        assert!(cache.names.lock().expect("lock").len() <= NAMES_MAX);
        assert!(Arc::ptr_eq(&held, &cache.name("held.test")), "a name in use is kept");
    }
}
