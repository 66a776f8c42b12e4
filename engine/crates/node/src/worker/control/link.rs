//! The link to the master: dialling, registering, the module, the end of a connection.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use swarm_core::message::WorkerInfo;
use swarm_wire::ModuleInfo;

use super::{Control, Event};
use crate::worker::dial::{DialError, FromMaster, Link, dial};
use crate::worker::joining::Next;
use crate::worker::prepare::{Prepared, Wanted, prepare};

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
        let left = self.joining.left(clock.now() + pause);
        self.spawn(async move {
            tokio::time::sleep(pause).await;
            let began = clock.now();
            let dialling = dial(&master, &trust, &info, &clock);
            let link = match left {
                Some(left) => tokio::time::timeout(left, dialling)
                    .await
                    .unwrap_or_else(|_| Err(DialError::Failed("no answer".to_owned()))),
                None => dialling.await,
            };
            Event::Dialled(began, link)
        });
    }

    /// The attempt that began then has failed.
    pub(super) fn not_joined(&mut self, now: Duration, began: Duration, error: DialError) {
        if let DialError::NobodyListens(_) = error {
            self.agent.refused(began);
        }
        tracing::debug!("an attempt to join has failed: {error:?}");
        let (next, text) = self.joining.failed(now, error);
        text.iter().for_each(|text| tracing::warn!("{text}"));
        match next {
            Next::Try(pause) => self.dial(pause),
            Next::End(end) => self.end = Some(end),
        }
    }

    pub(super) fn registered(&mut self, now: Duration, link: Link) {
        let Link { session, accepted, asked, mut inbox } = link;
        self.links += 1;
        let number = self.links;
        let again = self.joining.joined(now).map(|alone| alone.as_secs_f32());
        let again = again.map(|alone| format!(", after {alone:.1} s without one"));
        tracing::info!(
            "joined the master (swarm {}) as its worker {}{}",
            accepted.version,
            accepted.worker_index,
            again.unwrap_or_default()
        );
        self.index = accepted.worker_index;
        self.reporting = false;
        self.beating = false;
        self.clock.synchronise(now, accepted.master_time_ms);
        // As good as an answer with this trip: that is known to half of it.
        let error = now.saturating_sub(asked);
        self.agent.synchronised(error);
        self.trip = 2 * error;
        let actions = self.agent.registered(now, asked);
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
            self.want(wanted, accepted.environment);
        }
        self.beat();
        self.introduce_stream(now);
        self.send_reports();
    }

    /// Makes sure that the master's module is there, with this environment.
    fn want(&mut self, wanted: ModuleInfo, environment: Vec<(String, String)>) {
        let ready = self.prepared.as_ref().is_some_and(|have| {
            have.digest == wanted.digest && have.module.environment() == environment
        });
        self.agent.set_module_ready(ready);
        let preparing = Some((wanted.digest, environment.clone()));
        if ready || self.preparing == preparing {
            return;
        }
        self.preparing = preparing;
        let at_hand = self.config.module.clone();
        let (runtime, store) = (self.config.runtime.clone(), self.store.clone());
        let (sessions, setting) = (self.sessions.subscribe(), self.config.setting());
        self.spawn(async move {
            let prepared =
                prepare(wanted, environment.clone(), at_hand, runtime, store, sessions, setting);
            let prepared = prepared.await;
            Event::Prepared { wanted: (wanted.digest, environment), result: Box::new(prepared) }
        });
    }

    pub(super) fn prepared(&mut self, wanted: Wanted, result: Result<Prepared, String>) {
        if self.preparing != Some(wanted) {
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
        tracing::warn!("the connection to the master has ended: {reason}; trying to join again");
        let actions = self.agent.closed(now);
        self.apply(now, actions);
        self.disconnect(now);
    }

    pub(super) fn disconnect(&mut self, now: Duration) {
        self.session = None;
        self.sessions.send_replace(None);
        self.reporting = false;
        self.beating = false;
        let pause = self.joining.lost(now);
        self.dial(pause);
    }
}
