//! How users leave: told to, by their own wish, given up, or with their instance.

use std::time::Duration;

use swarm_core::plan::Then;

use super::super::table::User;
use super::{Driver, INTERRUPT_MAX, Phase, STOP_HOOK_MAX, TIMER_BIAS, Told, Who};
use crate::engine::trap::Trap;
use crate::host::caller::GuestCall;

/// Counted once for each user of an instance that a trap ended.
const LOST: &str = "started anew: a trap ended the instance that it shared";

impl<T: FnMut(Told)> Driver<T> {
    /// The guest is done: its users end, and are not replaced.
    pub(crate) fn finish_all(&mut self, reason: &str) {
        tracing::warn!(target: "scenario", "its users end: {reason}");
        let all: Vec<_> = self.users.all().map(|(who, _)| who).collect();
        let now = self.test.clock.now();
        for who in all {
            if let Some(user) = self.users.get(who) {
                user.finished = true;
                self.stop(who, now + STOP_HOOK_MAX);
            }
        }
    }

    pub(crate) fn stop(&mut self, who: Who, deadline: Duration) {
        let Some(user) = self.users.get(who) else { return };
        match user.phase {
            Phase::Waiting | Phase::Resting => self.leave(who),
            Phase::Calling => {
                user.stopping = true;
                self.users.limit_earlier(who, deadline);
                if self.is_script {
                    self.stops.push(who.stay);
                }
            }
            Phase::Leaving => {}
        }
    }

    /// Lets a user say goodbye if the guest knows it; else it is gone.
    pub(crate) fn leave(&mut self, who: Who) {
        let is_last = self.is_last();
        let Some(user) = self.users.get(who) else { return };
        if user.known_to == self.generation || is_last {
            user.phase = Phase::Leaving;
            self.leaving.push_back(who);
        } else {
            self.gone(who);
        }
    }

    /// Is the one that is about to go the last of this instance, which wants to know?
    pub(crate) fn is_last(&self) -> bool {
        self.is_script && self.met && self.users.len() == 1
    }

    pub(crate) fn gone(&mut self, who: Who) {
        if let Some(user) = self.users.remove(who) {
            (self.tell)(Told::Ended { id: user.id, finished: user.finished });
        }
    }

    /// Who is to be interrupted, as their limit has passed. Gives up those that were before.
    pub(crate) fn overdue(&mut self, now: Duration) -> Vec<Who> {
        let mut all = Vec::new();
        while let Some(who) = self.users.pop_overdue(now + TIMER_BIAS) {
            let Some(user) = self.users.get(who) else { continue };
            let (leaving, class) = (user.phase == Phase::Leaving, user.class);
            if std::mem::replace(&mut user.interrupted, true) {
                // It sleeps. What the guest still does for it reaches nothing any more.
                self.given_up += 1;
                self.gone(who);
                continue;
            }
            all.push(who);
            self.users.limit(who, now + INTERRUPT_MAX);
            if leaving {
                self.exception(class, GuestCall::Stop, "took longer than it may");
            }
        }
        all
    }

    /// The instance has ended in the middle of whatever its users did. Who was in a call goes on
    /// after a rest; all are strangers to the next instance.
    pub(crate) fn instance_lost(&mut self, trap: &Trap) {
        self.record.lock().exception(&trap.message, &trap.trace);
        self.leaving.clear();
        let lost = self.generation;
        let of_instance = |user: &User| user.known_to == lost || !user.is_idle();
        let all = self.users.all().filter(|(_, user)| of_instance(user));
        let all: Vec<_> = all.map(|(who, user)| (who, user.class, user.phase)).collect();
        tracing::warn!("an instance ended ({}): its {} users start anew", trap.message, all.len());
        // Numbered anew already here, so that nobody is thought to be known.
        self.generation += 1;
        let now = self.test.clock.now();
        for (who, class, phase) in all {
            self.exception(class, GuestCall::Instance, LOST);
            match phase {
                Phase::Waiting | Phase::Resting => {}
                Phase::Leaving => self.gone(who),
                Phase::Calling => {
                    let next = self.after(who, Then::Rest, now);
                    if let Some(user) = self.users.get(who) {
                        user.interrupted = false;
                    }
                    self.go_on(who, next, now);
                }
            }
        }
    }
}
