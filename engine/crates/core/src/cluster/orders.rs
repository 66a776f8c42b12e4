//! What workers are told: each its own target, when that is not what it was told last.
//!
//! A user goes from one worker to another in two steps: the one is told to let it go, and only when
//! that has taken the order, or is gone, the other is told to start it. An order that gets lost
//! delays a move, and nobody runs twice. So it is with the time of a move: nobody is told to keep a
//! user until then, or to wait for it, while a third worker may not know yet that it shall not run
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::worker::Worker;
use super::{Action, Cluster, NO_TEST, millis};
use crate::ids::IdSet;
use crate::message::{ClassUsers, Order};

/// A worker whose order is due.
struct News {
    index: usize,
    users: Vec<ClassUsers>,
}

impl Cluster {
    /// The order of this number could not be sent to the worker of this connection, or the worker
    /// cannot read it: the next would fare no better. Its users go to the others, and whoever reads
    /// the result is told.
    pub fn undeliverable(
        &mut self,
        now: Duration,
        connection: u64,
        number: u64,
        why: &str,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(&index) = self.connections.get(&connection) else { return actions };
        let worker = &mut self.workers[index];
        let Some(first) = worker.undeliverable(number, why) else { return actions };
        let (id, problem) = (worker.info().id.clone(), worker.problem().unwrap_or_default());
        if first {
            actions.push(Action::Notice(format!("worker {id} cannot take part: {problem}")));
        }
        if std::mem::take(&mut worker.placed) {
            self.dispatcher.remove_worker(&id);
            self.rebalance = true;
        }
        self.touch(index);
        self.settle(now, &mut actions);
        actions
    }

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
            self.workers.iter_mut().for_each(Worker::forget_moves);
        }
        // Without a test everyone is told that nobody shall run: a worker that joins may still
        // carry the load of an earlier master.
        let number = self.test_number().unwrap_or(NO_TEST);
        let (news, moving) = if self.is_live() {
            // Who has finished leaves room to those that have none.
            self.dispatcher.place_waiting();
            self.live_news(now, spread, number)
        } else {
            (self.end_news(number), IdSet::new())
        };
        let settings = self.load().map(|load| load.settings.clone()).unwrap_or_default();
        let test_start_ms = millis(self.test_start().unwrap_or_default());
        let first = self.last_order + 1;
        for News { index, users } in &news {
            self.last_order += 1;
            self.workers[*index].ordered(self.last_order, number, users.clone(), &moving);
            self.touch(*index);
        }
        let mut unheard = IdSet::new();
        self.workers.iter().for_each(|worker| unheard.insert_all(&worker.unheard()));
        for (order, News { index, users }) in (first..).zip(news) {
            let worker = &mut self.workers[index];
            let connection = worker.connection().expect("only who is connected has news");
            let moves = self.motion.of(&worker.moves_to_tell(&users, &unheard));
            let order = Box::new(Order {
                number: order,
                test: number,
                module: self.module,
                test_start_ms,
                issued_ms: millis(now),
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
            worker.forget_moves();
            let forgotten = planted!(StopForgotten) && worker.told(test).is_none();
            if worker.takes_orders() && worker.is_news(test, &[]) && !forgotten {
                news.push(News { index, users: Vec::new() });
            }
        }
        news
    }

    /// Who is told what, and who begins to move by it.
    fn live_news(&mut self, now: Duration, spread: Duration, test: u32) -> (Vec<News>, IdSet) {
        let (mut all_left, mut all_come) = (IdSet::new(), IdSet::new());
        let mut withheld = IdSet::new();
        self.workers.iter().for_each(|worker| withheld.insert_all(&worker.unheard()));
        let mut plans = BTreeMap::new();
        for index in self.whose_orders_are_due() {
            self.touch(index);
            let worker = &mut self.workers[index];
            if !worker.takes_orders() {
                continue;
            }
            let users = self.dispatcher.placement(&worker.info().id);
            let (left, come) = worker.plan(test, &users);
            withheld.insert_all(&worker.gives_away(test, &users));
            all_left.insert_all(&left);
            all_come.insert_all(&come);
            worker.moving.insert_all(&left);
            plans.insert(index, (users, come));
        }
        let moving = self.motion.begin(now, spread, &all_left, &all_come);
        if !moving.is_empty() {
            self.moved.get_or_insert((now, 0)).1 += moving.len();
            for worker in self.workers.iter().filter(|worker| worker.takes_orders()) {
                withheld.insert_all(&worker.sent_on(test, &moving));
            }
        }
        for (index, (users, come)) in &mut plans {
            let worker = &mut self.workers[*index];
            worker.moving.insert_all(&come.intersection(&moving));
            worker.short = false;
            if !withheld.is_empty() && !planted!(MovesUnconfirmed) {
                let elsewhere = withheld.difference(&worker.holds(test));
                for class in users.iter_mut() {
                    let before = class.ids.len();
                    class.ids.remove_all(&elsewhere);
                    worker.short |= class.ids.len() < before;
                }
                users.retain(|class| !class.ids.is_empty());
            }
        }
        (self.news_of(test, plans, &moving), moving)
    }

    /// Workers whose users have changed, or who were not told of all of them.
    fn whose_orders_are_due(&mut self) -> BTreeSet<usize> {
        let changed = self.dispatcher.take_changed();
        let mut due: BTreeSet<usize> =
            changed.iter().filter_map(|id| self.by_id.get(id).copied()).collect();
        let test = self.test_number().unwrap_or(NO_TEST);
        let in_want = |&index: &usize| {
            let worker = &self.workers[index];
            // Who leaves or cannot be reached has no place any more, and may not have heard.
            let dismissed = worker.leaving || worker.keeps_users_of(test);
            worker.short || worker.moves_withheld || dismissed
        };
        due.extend((0..self.workers.len()).filter(in_want));
        due
    }

    /// What is news to whom. Who moves now concerns also those whose own target is the same:
    /// whoever was to give them away by an earlier order.
    fn news_of(
        &self,
        test: u32,
        mut plans: BTreeMap<usize, (Vec<ClassUsers>, IdSet)>,
        moving: &IdSet,
    ) -> Vec<News> {
        let mut news = Vec::new();
        for (index, worker) in self.workers.iter().enumerate() {
            if !worker.takes_orders() {
                continue;
            }
            let concerned = || !worker.moving.intersection(moving).is_empty();
            match plans.remove(&index) {
                Some((users, _)) if worker.is_news(test, &users) => {
                    news.push(News { index, users });
                }
                _ if !moving.is_empty() && concerned() => {
                    let told = worker.told(test).map(<[_]>::to_vec);
                    news.extend(told.map(|users| News { index, users }));
                }
                _ => {}
            }
        }
        news
    }
}
