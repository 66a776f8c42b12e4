//! Names to addresses, looked up once for all users.
//!
//! An answer, good or bad, is kept for a while: a good one for as long as its records say. Of many
//! users that need a name at once one begins the lookup, which is a task of its own, and all wait
//! for it: a user that is interrupted or runs out of time takes nobody's answer along.
//!
//! # Who is asked
//! What `/etc/nsswitch.conf` says ([`nsswitch`]). Where that is files and DNS, as on servers and in
//! containers, names are looked up here: in `/etc/hosts` ([`hosts`]) and at the servers of
//! `/etc/resolv.conf` ([`stub`]). Only so is it known how long an answer holds, and a server that
//! hangs blocks no thread. Anything else, such as systemd's `resolve`, LDAP or multicast DNS, only
//! the C library can ask ([`system`]); it does not tell the time, so it is asked again after a
//! second, and whatever service stands behind it keeps the records' time.
//!
//! hickory-proto reads and writes the messages. Its resolver was tried and left: for a name that
//! stands in `/etc/hosts` with one family it asks DNS for the other, and it wants tokio's threaded
//! runtime, a cache of its own, and servers in an order that it draws.

mod hosts;
mod lookup;
mod message;
mod nsswitch;
mod preference;
mod silent;
mod stub;
mod system;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use url::Host;

use crate::addresses::Addresses;
use crate::error::{ErrorKind, Fault};
use lookup::{System, Unresolved};
pub(crate) use preference::Preferred;

/// How long a failure is kept, so that thousands of users do not queue up for the same failure.
const FAILURE_TTL: Duration = Duration::from_secs(1);

/// Most names in the cache. At the limit those that nobody is using are forgotten.
const NAMES_MAX: usize = 1024;

/// Most lookups that one user waits for. A second one is needed only if the first ended with the
/// thread that it ran on.
const LOOKUPS_MAX: usize = 3;

/// The names that were asked for, and how the system is asked.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    names: Mutex<HashMap<String, Arc<Name>>>,
    system: Arc<System>,
}

/// One name: its last answer, and what is known of its addresses.
#[derive(Debug, Default)]
pub(crate) struct Name {
    state: Mutex<State>,
    pub(crate) addresses: Mutex<Addresses>,
}

#[derive(Debug, Default)]
struct State {
    answer: Option<Answer>,
    /// A lookup under way: it ends when its other side is dropped.
    running: Option<watch::Receiver<()>>,
}

#[derive(Debug)]
struct Answer {
    until: Instant,
    addresses: Result<Arc<Preferred>, Fault>,
}

/// Where a host may be reached.
#[derive(Debug)]
pub(crate) enum Resolved {
    /// It is an address itself.
    Literal(IpAddr),
    /// It is a name.
    Name {
        name: Arc<Name>,
        preferred: Arc<Preferred>,
        /// Did this take a lookup, or a wait for somebody else's?
        looked_up: bool,
    },
}

/// What a user does that needs a name.
enum Next {
    Use(Result<Arc<Preferred>, Fault>),
    Wait(watch::Receiver<()>),
    Begin(watch::Sender<()>, watch::Receiver<()>),
}

impl Cache {
    /// The addresses of `host` for a user that began to ask at `begun`.
    ///
    /// Cancel safe.
    pub(crate) async fn resolve(
        &self,
        host: &Host<String>,
        begun: Instant,
    ) -> Result<Resolved, Fault> {
        let text = match host {
            Host::Domain(name) => name,
            Host::Ipv4(address) => return Ok(Resolved::Literal((*address).into())),
            Host::Ipv6(address) => return Ok(Resolved::Literal((*address).into())),
        };
        let name = self.name(text);
        for lookups in 0..LOOKUPS_MAX {
            let mut running = match name.next(begun) {
                Next::Use(addresses) => {
                    let preferred = addresses?;
                    return Ok(Resolved::Name { name, preferred, looked_up: lookups > 0 });
                }
                Next::Wait(running) => running,
                Next::Begin(done, running) => {
                    let (name, system) = (Arc::clone(&name), Arc::clone(&self.system));
                    let text = text.clone();
                    tokio::spawn(async move {
                        let found = system.look_up(&text).await;
                        name.answered(&text, found, Instant::now());
                        drop(done);
                    });
                    running
                }
            };
            // Nothing is ever sent: an error says that the other side is gone.
            let _ = running.changed().await;
        }
        let message = format!("cannot resolve `{text}`: the lookup was given up");
        Err(Fault::new(ErrorKind::Dns, message))
    }

    /// Is a lookup of this host under way?
    pub(crate) fn is_asking_for(&self, host: &Host<String>) -> bool {
        let Host::Domain(text) = host else { return false };
        let name = self.name(text);
        let state = name.state();
        state.running.as_ref().is_some_and(|running| running.has_changed().is_ok())
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

impl Name {
    /// An answer that came before a user asked must still hold then; one that it has waited for is
    /// its own, however short it holds.
    fn next(&self, begun: Instant) -> Next {
        let mut state = self.state();
        if let Some(answer) = &state.answer
            && begun < answer.until
        {
            return Next::Use(answer.addresses.clone());
        }
        if let Some(running) = &state.running
            && running.has_changed().is_ok()
        {
            return Next::Wait(running.clone());
        }
        let (done, running) = watch::channel(());
        state.running = Some(running.clone());
        Next::Begin(done, running)
    }

    /// The answer counts from its arrival: a slow resolver must not make it old at birth.
    fn answered(&self, text: &str, found: Result<(Preferred, Duration), Unresolved>, now: Instant) {
        let (addresses, ttl) = match found {
            Ok((preferred, ttl)) => (Ok(Arc::new(preferred)), ttl),
            Err(reason) => (Err(unresolved(text, &reason)), FAILURE_TTL),
        };
        let mut state = self.state();
        state.answer = Some(Answer { until: now + ttl, addresses });
        state.running = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A user that was not given the time to wait for the end of a lookup.
pub(crate) fn no_answer_within(host: &Host<String>, limit: Duration) -> Fault {
    unresolved(&host.to_string(), &lookup::no_answer_within(limit))
}

fn unresolved(text: &str, reason: &Unresolved) -> Fault {
    Fault::new(ErrorKind::Dns, format!("cannot resolve `{text}`: {}", reason.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(name: &str) -> Host<String> {
        Host::Domain(name.to_owned())
    }

    fn looked_up(resolved: &Resolved) -> bool {
        matches!(resolved, Resolved::Name { looked_up: true, .. })
    }

    fn preferred(last: u8) -> Preferred {
        Preferred { addresses: Box::new([[127, 0, 0, last].into()]), equal: 1 }
    }

    #[tokio::test]
    async fn addresses_need_no_lookup() {
        let cache = Cache::default();
        let found = cache.resolve(&Host::Ipv4([127, 0, 0, 1].into()), Instant::now()).await;
        assert!(matches!(found, Ok(Resolved::Literal(_))), "{found:?}");
        assert!(cache.names.lock().expect("lock").is_empty());
    }

    #[tokio::test]
    async fn an_answer_is_kept() {
        let cache = Cache::default();
        let (host, now) = (domain("localhost"), Instant::now());
        assert!(looked_up(&cache.resolve(&host, now).await.expect("first")));
        assert!(!looked_up(&cache.resolve(&host, now).await.expect("kept")));
    }

    #[test]
    fn an_answer_is_used_for_as_long_as_it_says() {
        let name = Name::default();
        let start = Instant::now();
        let ttl = Duration::from_secs(7);
        name.answered("x.test", Ok((preferred(1), ttl)), start);
        assert!(matches!(name.next(start + ttl - Duration::from_millis(1)), Next::Use(Ok(_))));
        assert!(matches!(name.next(start + ttl), Next::Begin(..)));
    }

    #[test]
    fn who_waited_for_an_answer_uses_it_however_short_it_holds() {
        let name = Name::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let Next::Begin(done, _) = name.next(at(0)) else { panic!("nobody has asked yet") };
        assert!(matches!(name.next(at(1)), Next::Wait(_)), "one lookup for all");
        name.answered("x.test", Ok((preferred(1), Duration::ZERO)), at(2));
        drop(done);
        assert!(matches!(name.next(at(1)), Next::Use(Ok(_))));
        assert!(matches!(name.next(at(3)), Next::Begin(..)), "who comes later asks anew");
    }

    #[test]
    fn a_lookup_that_ended_with_its_thread_is_begun_again() {
        let name = Name::default();
        let start = Instant::now();
        let Next::Begin(done, _) = name.next(start) else { panic!("nobody has asked yet") };
        drop(done);
        assert!(matches!(name.next(start), Next::Begin(..)));
    }

    #[test]
    fn a_failure_is_kept_for_a_second() {
        let name = Name::default();
        let start = Instant::now();
        name.answered("x.test", Err(Unresolved("no such name".into())), start);
        let Next::Use(Err(fault)) = name.next(start + FAILURE_TTL / 2) else {
            panic!("it is kept");
        };
        assert_eq!(fault.kind, ErrorKind::Dns);
        assert_eq!(fault.message, "cannot resolve `x.test`: no such name");
        assert!(matches!(name.next(start + FAILURE_TTL), Next::Begin(..)));
    }

    #[tokio::test]
    async fn what_is_no_name_is_told() {
        // A label may have 63 letters.
        let text = format!("{}.test", "a".repeat(64));
        let fault = Cache::default().resolve(&domain(&text), Instant::now()).await;
        let fault = fault.expect_err("no DNS name");
        assert_eq!(fault.message, format!("cannot resolve `{text}`: it is not a DNS name"));
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
