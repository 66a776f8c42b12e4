//! The load threads: what the agent has decided for them, and what they tell of their users.

use std::sync::Arc;
use std::time::Duration;

use swarm_core::agent::Action;
use swarm_core::message::Order;
use swarm_guest::{Module, Test};
use tokio::time::Instant;

use super::Control;
use crate::shard::Event as UserEvent;
use crate::worker::prepare::Prepared;

impl Control {
    /// Does what the agent has decided.
    pub(super) fn apply(&mut self, now: Duration, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Begin(order) => self.begin(&order),
                Action::Start(start) => {
                    self.uncollected = true;
                    self.threads[start.shard].start_user(start);
                }
                Action::Stop { id, shard, grace } => {
                    self.threads[shard]
                        .stop_user(id, Instant::from_std(self.clock.instant(now + grace)));
                }
                Action::Redial => {
                    tracing::warn!(
                        "the master is silent: the load has stopped; trying to join again"
                    );
                    self.disconnect(now);
                }
            }
        }
    }

    /// Prepares the load threads for a test. What they have recorded belongs to the one before.
    pub(super) fn begin(&mut self, order: &Order) {
        self.collect_now();
        self.test = order.test;
        let result = match &self.prepared {
            Some(Prepared { module, plan, digest, .. }) if *digest == order.module => {
                let (settings, start_ms) = (order.settings.clone(), order.test_start_ms);
                let clock = Arc::clone(&self.clock);
                let client = self.config.client();
                let module = Module::clone(module);
                Test::new(module, plan, settings, clock, start_ms, client, self.index)
                    .map_err(|error| error.to_string())
            }
            _ => Err("the order is for another module than the one announced".to_owned()),
        };
        match result {
            Ok(test) => {
                self.problem = None;
                let test = Arc::new(test);
                self.threads.iter().for_each(|thread| thread.begin(Some(Arc::clone(&test))));
            }
            Err(problem) => {
                tracing::error!("the test cannot run here: {problem}");
                // Users must not run with what another test was allowed.
                self.threads.iter().for_each(|thread| thread.begin(None));
                self.problem = Some(problem);
            }
        }
    }

    /// Hears what has become of users.
    pub(super) fn heard(&mut self, events: impl Iterator<Item = UserEvent>) {
        let now = self.clock.now();
        for event in events {
            match event {
                UserEvent::Started(id) => self.agent.user_started(id),
                UserEvent::Ended { id, finished } => {
                    self.uncollected = true;
                    let action = self.agent.user_ended(now, id, finished);
                    self.apply(now, action.into_iter().collect());
                }
            }
        }
        if self.agent.users() == 0 {
            // The last samples of the test are waited for.
            self.collect();
        }
    }
}
