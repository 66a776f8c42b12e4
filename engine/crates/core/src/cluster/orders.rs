//! What workers are told: each its own target, when that is not what it was told last.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Action, Cluster, NO_TEST, millis};
use crate::ids::IdSet;
use crate::message::{ClassUsers, Order};

/// A worker whose order is due.
struct News {
    index: usize,
    users: Vec<ClassUsers>,
    /// Who comes to it or leaves it.
    changed: IdSet,
}

impl Cluster {
    /// Tells each worker its target, if it is not what it was told last. Looks only at those whose
    /// users have changed. Who starts or stops without a move does so within `spread`.
    pub(super) fn send_orders(
        &mut self,
        now: Duration,
        spread: Duration,
        actions: &mut Vec<Action>,
    ) {
        if self.holds_back() {
            self.rebalance = true;
            return;
        }
        self.rebalance = false;
        self.forget_at = None;
        if self.motion.forget(now) {
            self.workers.iter_mut().for_each(|worker| worker.moving = IdSet::new());
        }
        // Without a test everyone is told that nobody shall run: a worker that joins may still
        // carry the load of an earlier master.
        let number = self.test_number().unwrap_or(NO_TEST);
        let news = if self.is_live() { self.live_news(now, number) } else { self.end_news(number) };
        let settings = self.load().map(|load| load.settings.clone()).unwrap_or_default();
        let test_start_ms = millis(self.test_start().unwrap_or_default());
        for News { index, users, .. } in news {
            let worker = &mut self.workers[index];
            let connection = worker.connection().expect("only who is connected has news");
            let moves = self.motion.of(&worker.moving);
            self.last_order += 1;
            worker.ordered(self.last_order, number, users.clone());
            self.revision += 1;
            worker.revision = self.revision;
            let order = Box::new(Order {
                number: self.last_order,
                test: number,
                module: self.module,
                test_start_ms,
                spread_ms: millis(spread),
                users,
                moves,
                settings: settings.clone(),
            });
            actions.push(Action::Order { connection, order });
        }
    }

    /// Nobody shall run: not known to those that were told otherwise, or nothing at all.
    fn end_news(&mut self, test: u32) -> Vec<News> {
        self.motion.clear();
        let mut news = Vec::new();
        for (index, worker) in self.workers.iter_mut().enumerate() {
            worker.moving = IdSet::new();
            if worker.takes_orders() && worker.is_news(test, &[]) {
                news.push(News { index, users: Vec::new(), changed: IdSet::new() });
            }
        }
        news
    }

    fn live_news(&mut self, now: Duration, test: u32) -> Vec<News> {
        let (mut all_left, mut all_come) = (IdSet::new(), IdSet::new());
        let mut news = Vec::new();
        for id in self.dispatcher.take_changed() {
            let Some(&index) = self.by_id.get(&id) else { continue };
            self.touch(index);
            let worker = &self.workers[index];
            if !worker.takes_orders() {
                continue;
            }
            let users = self.dispatcher.placement(&id);
            if worker.is_news(test, &users) {
                let (left, come) = worker.changes(test, &users);
                all_left.insert_all(&left);
                all_come.insert_all(&come);
                let mut changed = left;
                changed.insert_all(&come);
                news.push(News { index, users, changed });
            }
        }
        let moving = self.motion.begin(now, &all_left, &all_come);
        if !moving.is_empty() {
            self.announce(test, &moving, &mut news);
        }
        news
    }

    /// Adds who has to know of users that move now, though its own target is the same: whoever
    /// was to give them away by an earlier order.
    fn announce(&mut self, test: u32, moving: &IdSet, news: &mut Vec<News>) {
        for entry in &*news {
            let here = entry.changed.intersection(moving);
            self.workers[entry.index].moving.insert_all(&here);
        }
        let told: BTreeSet<usize> = news.iter().map(|entry| entry.index).collect();
        for (index, worker) in self.workers.iter().enumerate() {
            if worker.takes_orders()
                && !told.contains(&index)
                && let Some(users) = worker.told(test)
                && !worker.moving.intersection(moving).is_empty()
            {
                news.push(News { index, users: users.to_vec(), changed: IdSet::new() });
            }
        }
    }
}
