//! The users of a worker's process: they run, finish their tasks when they are told to stop, and
//! end.

use std::time::Duration;

use swarm_core::agent::Action;

use crate::worker::{Phase, User};
use crate::world::{Event, World};

impl World {
    pub(crate) fn obey(&mut self, w: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Begin(order) => {
                    self.collect(w);
                    self.process(w).test = order.test;
                }
                Action::Start(start) => {
                    let now_us = self.now_us;
                    let process = self.process(w);
                    process.uncollected = true;
                    let ticket = process.ticket();
                    let user = User { phase: Phase::Due, test: process.test, ticket };
                    process.users.insert(start.id, user);
                    let at = process.global_us(now_us, start.due);
                    let event = Event::UserBegins(w, process.number, start.id, ticket);
                    self.after(at - now_us, event);
                }
                Action::Stop { id, grace, .. } => self.stop_user(w, id, grace),
                Action::Redial => self.disconnect(w),
            }
        }
    }

    fn stop_user(&mut self, w: usize, id: u32, grace: Duration) {
        // Most rest between two tasks.
        let rests = self.rng.u32(0..10) < 6;
        let task_us = if rests { 0 } else { self.rng.u64(0..3_000_000) };
        let task_us = task_us.min(u64::try_from(grace.as_micros()).expect("seconds"));
        let process = self.process(w);
        let Some(user) = process.users.get(&id).copied() else { return };
        let ticket = process.ticket();
        let after = if user.phase == Phase::Due { 0 } else { task_us };
        let phase = if user.phase == Phase::Due { Phase::Due } else { Phase::Finishing };
        process.users.insert(id, User { ticket, phase, ..user });
        let number = process.number;
        if user.phase == Phase::Running {
            self.check.ends(w, user.test, id);
        }
        self.after(after, Event::UserEnds(w, number, id, ticket));
    }

    pub(crate) fn user_begins(&mut self, w: usize, id: u32, ticket: u64) {
        let process = self.process(w);
        let Some(user) = process.users.get_mut(&id).filter(|user| user.ticket == ticket) else {
            return;
        };
        user.phase = Phase::Running;
        let test = user.test;
        process.agent.user_started(id);
        self.check.begins(w, test, id);
    }

    pub(crate) fn user_ends(&mut self, w: usize, id: u32, ticket: u64) {
        if self.process(w).users.get(&id).is_some_and(|user| user.ticket == ticket) {
            self.end_user(w, id, false);
        }
    }

    /// A user ends: as it was told, by its own wish, or by a fault.
    pub(crate) fn end_user(&mut self, w: usize, id: u32, finished: bool) {
        let now_us = self.now_us;
        let process = self.process(w);
        let now = process.local(now_us);
        let Some(user) = process.users.remove(&id) else { return };
        let finishes = finished && user.phase != Phase::Due;
        if user.phase != Phase::Due {
            process.record(now_us);
        }
        process.uncollected = true;
        let action = process.agent.user_ended(now, id, finished);
        if finishes {
            self.finished.insert(id);
        }
        if user.phase == Phase::Running {
            self.check.ends(w, user.test, id);
        }
        self.obey(w, action.into_iter().collect());
        if self.process(w).agent.users() == 0 {
            self.collect(w);
        }
    }

    /// Takes the users of a process that ends out of the books.
    pub(crate) fn bury(&mut self, w: usize) {
        let Some(process) = self.workers[w].process.take() else { return };
        for (&id, user) in &process.users {
            if user.phase == Phase::Running {
                self.check.ends(w, user.test, id);
            }
        }
        self.seen.samples += process.recorded.values().sum::<u64>();
        self.dead.push((self.workers[w].id.clone(), process));
    }
}
