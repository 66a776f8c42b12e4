//! The users of one test on a load thread: each a task of its own, or all of them in one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use swarm_core::agent::Start;
use swarm_guest::multiplexed::Told;
use swarm_guest::{Clock, Ended, Multiplexed, Record, Shard, Stopper, Test, user};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Event;

pub(super) enum Running {
    Isolated(Isolated),
    /// And the clock that its deadlines are told in.
    Multiplexed(Multiplexed, Arc<Clock>),
}

impl Running {
    /// Nobody at first.
    pub(super) fn new(
        test: &Test,
        record: Record,
        clock: &Arc<Clock>,
        events: &mpsc::UnboundedSender<Event>,
    ) -> Self {
        let events = events.clone();
        if !test.is_dense() {
            let shard = Rc::new(Shard::new(test, record));
            return Self::Isolated(Isolated { shard, users: Users::default(), events });
        }
        // The control thread outlives this one's users, or nobody counts them any more.
        let tell = move |told| {
            let _ = events.send(told_event(told));
        };
        let (multiplexed, work) = Multiplexed::new(test, record, tell);
        tokio::task::spawn_local(work);
        Self::Multiplexed(multiplexed, Arc::clone(clock))
    }

    pub(super) fn start(&self, start: Start) {
        match self {
            Self::Isolated(isolated) => isolated.start(start),
            Self::Multiplexed(users, _) => users.start(start.id, start.class, start.due),
        }
    }

    pub(super) fn stop(&self, id: u32, deadline: Instant) {
        match self {
            Self::Isolated(isolated) => isolated.stop(id, deadline),
            Self::Multiplexed(users, clock) => {
                let origin = Instant::from_std(clock.instant(Duration::ZERO));
                users.stop(id, deadline.saturating_duration_since(origin));
            }
        }
    }
}

fn told_event(told: Told) -> Event {
    match told {
        Told::Started(id) => Event::Started(id),
        Told::Ended { id, finished } => Event::Ended { id, finished },
    }
}

type Users = Rc<RefCell<HashMap<u32, Stopper>>>;

/// A task for each user.
pub(super) struct Isolated {
    shard: Rc<Shard>,
    users: Users,
    events: mpsc::UnboundedSender<Event>,
}

impl Isolated {
    fn start(&self, start: Start) {
        let Start { id, class, due, .. } = start;
        let (stopper, stop) = Stopper::new();
        self.users.borrow_mut().insert(id, stopper);
        let (users, events) = (Rc::clone(&self.users), self.events.clone());
        let gone = Gone { id, finished: false, users, events };
        let started = {
            let events = self.events.clone();
            move || {
                // The control thread outlives this one's users, or nobody counts them any more.
                let _ = events.send(Event::Started(id));
            }
        };
        let shard = Rc::clone(&self.shard);
        tokio::task::spawn_local(async move {
            let mut gone = gone;
            gone.finished =
                user::run(shard, id, class, due, stop, started).await == Ended::Finished;
        });
    }

    fn stop(&self, id: u32, deadline: Instant) {
        if let Some(stopper) = self.users.borrow().get(&id) {
            stopper.stop(deadline);
        }
    }
}

/// Tells the control thread that a user is gone, also when it ended by a panic.
struct Gone {
    id: u32,
    finished: bool,
    users: Users,
    events: mpsc::UnboundedSender<Event>,
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.users.borrow_mut().remove(&self.id);
        let _ = self.events.send(Event::Ended { id: self.id, finished: self.finished });
    }
}
