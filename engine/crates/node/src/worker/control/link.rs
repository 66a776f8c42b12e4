//! The link to the master: dialling, registering, the module, the end of a connection.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use swarm_core::message::{Digest, WorkerInfo};
use swarm_wire::ModuleInfo;

use super::{Control, Event};
use crate::worker::dial::{DialError, FromMaster, Link, dial};
use crate::worker::prepare::{Prepared, prepare};
use crate::worker::{MasterAddress, WorkerEnd};

impl Control {
    pub(super) fn dial(&mut self, pause: Duration) {
        self.attempts = self.attempts.saturating_add(1);
        let (master, trust) = (self.master.clone(), self.config.trust.clone());
        let info = WorkerInfo {
            cores: u32::try_from(self.threads.len()).unwrap_or(u32::MAX),
            users_max: self.config.users_max,
            weight: self.config.weight,
            attempt: self.attempts,
            ..WorkerInfo::new(&self.config.id, self.config.stream)
        };
        let clock = Arc::clone(&self.clock);
        self.spawn(async move {
            tokio::time::sleep(pause).await;
            let began = clock.now();
            Event::Dialled(began, dial(&master, &trust, &info).await)
        });
    }

    /// The attempt that began then has failed.
    pub(super) fn not_joined(&mut self, now: Duration, began: Duration, error: DialError) {
        match error {
            DialError::Refused(reason) => self.end = Some(WorkerEnd::Refused(reason)),
            DialError::Untrusted(reason) => self.untrusted(now, reason),
            DialError::Failed(reason) => self.unreachable(now, &reason),
            DialError::NobodyListens(reason) => {
                self.agent.refused(began);
                self.unreachable(now, &reason);
            }
        }
    }

    /// Whoever answers is not our master. At first that is a mistake of the settings; later it is
    /// somebody else in its place, and it may come back.
    pub(super) fn untrusted(&mut self, now: Duration, reason: String) {
        if self.links == 0 {
            self.end = Some(WorkerEnd::Untrusted(reason));
        } else {
            self.unreachable(now, &format!("whoever answers is another: {reason}"));
        }
    }

    pub(super) fn unreachable(&mut self, now: Duration, reason: &str) {
        let since = *self.alone_since.get_or_insert(now);
        let waited = now.saturating_sub(since);
        let max = self.config.master_max_wait;
        let whom = match &self.master {
            MasterAddress::Tcp { host, port } => format!("the master at {host}:{port}"),
            MasterAddress::InProcess(_) => "the master".to_owned(),
        };
        if !max.is_zero() && waited >= max {
            let waited = waited.as_secs_f32();
            let text =
                format!("{whom} was not there for {waited:.1} s (--master-max-wait): {reason}");
            self.end = Some(WorkerEnd::Unreachable(text));
            return;
        }
        let pause = self.backoff.next();
        tracing::warn!("{whom} is not there: {reason}; trying again");
        self.dial(pause);
    }

    pub(super) fn registered(&mut self, now: Duration, began: Duration, link: Link) {
        let Link { session, accepted, mut inbox } = link;
        self.links += 1;
        let number = self.links;
        tracing::info!(
            "joined the master (swarm {}) as its worker {}",
            accepted.version,
            accepted.worker_index
        );
        self.backoff.reset();
        self.alone_since = None;
        self.reporting = false;
        self.beating = false;
        self.clock.synchronise(now, accepted.master_time_ms);
        // As good as an answer with this trip: that is known to half of it.
        let error = now.saturating_sub(began);
        self.agent.synchronised(error);
        self.trip = 2 * error;
        let actions = self.agent.registered(now, began);
        self.apply(now, actions);
        let events = self.events.clone();
        let watched = Rc::clone(&session);
        tokio::task::spawn_local(async move {
            let reason = loop {
                let event = tokio::select! {
                    reason = watched.closed() => break reason,
                    Some(from) = inbox.recv() => match from {
                        FromMaster::Order(order) => Event::Order { link: number, order },
                        FromMaster::Quit(reason) => Event::Quit { link: number, reason },
                    },
                };
                if events.send(event).await.is_err() {
                    return;
                }
            };
            let _ = events.send(Event::Closed { link: number, reason }).await;
        });
        self.session = Some((number, Rc::clone(&session)));
        self.sessions.send_replace(Some(session));
        if let Some(wanted) = accepted.module {
            self.want(wanted);
        }
        self.beat();
        self.introduce_stream(now);
        self.send_reports();
    }

    /// Makes sure that the master's module is there.
    fn want(&mut self, wanted: ModuleInfo) {
        let ready = self.prepared.as_ref().is_some_and(|have| have.digest == wanted.digest);
        self.agent.set_module_ready(ready);
        if ready || self.preparing == Some(wanted.digest) {
            return;
        }
        self.preparing = Some(wanted.digest);
        let at_hand = self.config.module.clone();
        let (runtime, store) = (self.config.runtime.clone(), self.store.clone());
        let (sessions, setting) = (self.sessions.subscribe(), self.config.setting());
        self.spawn(async move {
            let prepared = prepare(wanted, at_hand, runtime, store, sessions, setting).await;
            Event::Prepared { digest: wanted.digest, result: Box::new(prepared) }
        });
    }

    pub(super) fn prepared(&mut self, digest: Digest, result: Result<Prepared, String>) {
        if self.preparing != Some(digest) {
            // The master has another by now.
            return;
        }
        self.preparing = None;
        match result {
            Ok(prepared) => {
                self.problem = None;
                self.prepared = Some(prepared);
                self.agent.set_module_ready(true);
            }
            Err(problem) => {
                tracing::error!("{problem}");
                self.problem = Some(problem);
            }
        }
        self.beat();
    }

    pub(super) fn closed(&mut self, now: Duration, reason: &str) {
        tracing::warn!("the connection to the master has ended: {reason}");
        let actions = self.agent.closed(now);
        self.apply(now, actions);
        self.disconnect(now);
    }

    pub(super) fn disconnect(&mut self, now: Duration) {
        self.session = None;
        self.sessions.send_replace(None);
        self.reporting = false;
        self.beating = false;
        self.alone_since = Some(now);
        if self.leaving_since.is_some() {
            self.end = Some(WorkerEnd::Left);
        } else {
            let pause = self.backoff.next();
            self.dial(pause);
        }
    }
}
