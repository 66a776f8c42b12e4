//! The table of dense users: who is there, when each is due, how long each may take. It knows no
//! clock and no guest, so it can be tested without either.
//!
//! An id is found by a hash map, everything else names a user by its place and its stay: a place is
//! taken again by another user, a stay is not.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use swarm_core::choice::Cursor;

use crate::host::user_key::Who;

/// What a user is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waits for its start. Nobody has heard of it yet.
    Waiting,
    /// Rests until its next task.
    Resting,
    /// In a call: a start or a task.
    Calling,
    /// On its way out: waits for its turn to say goodbye, or is at it.
    Leaving,
}

/// One user. There may be a million: every field counts.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: u32,
    pub(crate) class: u32,
    stay: u32,
    /// Number of the instance that knows it; 0 for none.
    pub(crate) known_to: u32,
    pub(crate) phase: Phase,
    /// Leaves after the call it is in.
    pub(crate) stopping: bool,
    /// Ended by its own wish.
    pub(crate) finished: bool,
    /// Its requests are given up.
    pub(crate) interrupted: bool,
    /// The task that it could not begin, because its start failed.
    pub(crate) task: Option<u32>,
    pub(crate) cursor: Cursor,
    /// When its next step is due.
    pub(crate) due: Duration,
    /// Until when the call that it is in may take, in microseconds.
    limit: u64,
}

/// A moment, in microseconds, and whom it is about.
type Timer = Reverse<(u64, Who)>;

/// The users of a load thread.
#[derive(Debug, Default)]
pub(crate) struct Users {
    places: Vec<Option<User>>,
    free: Vec<u32>,
    by_id: HashMap<u32, Who>,
    stays: u32,
    /// When those that wait or rest are due. A user that left in the meantime leaves its entry
    /// behind until then.
    timers: BinaryHeap<Timer>,
    /// Until when those in a call may take.
    limits: BinaryHeap<Timer>,
}

impl Users {
    /// Takes in a user that starts at `due`. False if this id is there already.
    pub(crate) fn insert(&mut self, id: u32, class: u32, due: Duration, cursor: Cursor) -> bool {
        if self.by_id.contains_key(&id) {
            return false;
        }
        let stay = self.stays;
        self.stays = self.stays.wrapping_add(1);
        let user = User {
            id,
            class,
            stay,
            known_to: 0,
            phase: Phase::Waiting,
            stopping: false,
            finished: false,
            interrupted: false,
            task: None,
            cursor,
            due,
            limit: u64::MAX,
        };
        let place = if let Some(place) = self.free.pop() {
            self.places[place as usize] = Some(user);
            place
        } else {
            self.places.push(Some(user));
            u32::try_from(self.places.len() - 1).expect("ids are 32 bits and each has one place")
        };
        let who = Who { place, stay };
        self.by_id.insert(id, who);
        self.timers.push(Reverse((micros(due), who)));
        true
    }

    pub(crate) fn find(&self, id: u32) -> Option<Who> {
        self.by_id.get(&id).copied()
    }

    /// The user, if it is still there.
    pub(crate) fn get(&mut self, who: Who) -> Option<&mut User> {
        let user = self.places.get_mut(who.place as usize)?.as_mut();
        user.filter(|user| user.stay == who.stay)
    }

    pub(crate) fn remove(&mut self, who: Who) -> Option<User> {
        self.get(who)?;
        let user = self.places[who.place as usize].take()?;
        self.free.push(who.place);
        self.by_id.remove(&user.id);
        Some(user)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Lets a user rest until `due`.
    pub(crate) fn rest(&mut self, who: Who, due: Duration) {
        if let Some(user) = self.get(who) {
            user.phase = Phase::Resting;
            user.limit = u64::MAX;
            user.due = due;
            self.timers.push(Reverse((micros(due), who)));
        }
    }

    /// The next user whose rest, or wait, has ended by `now`; in the order of their times.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<Who> {
        while let Some(&Reverse((due, who))) = self.timers.peek() {
            if due > micros(now) {
                return None;
            }
            self.timers.pop();
            if self.get(who).is_some_and(|user| user.is_idle()) {
                return Some(who);
            }
        }
        None
    }

    /// Looks at the user again at `at`, should it still be in its call, and not at any other time
    /// that was told before.
    pub(crate) fn limit(&mut self, who: Who, at: Duration) {
        if let Some(user) = self.get(who) {
            user.limit = micros(at);
            self.limits.push(Reverse((micros(at), who)));
        }
    }

    /// As [`Self::limit`], unless an earlier time was told for this call.
    pub(crate) fn limit_earlier(&mut self, who: Who, at: Duration) {
        if self.get(who).is_some_and(|user| micros(at) < user.limit) {
            self.limit(who, at);
        }
    }

    /// The next user in a call whose limit has passed by `now`.
    pub(crate) fn pop_overdue(&mut self, now: Duration) -> Option<Who> {
        while let Some(&Reverse((at, who))) = self.limits.peek() {
            if at > micros(now) {
                return None;
            }
            self.limits.pop();
            if self.get(who).is_some_and(|user| !user.is_idle() && user.limit == at) {
                return Some(who);
            }
        }
        None
    }

    /// When there may be something to do next, without those that are due if `no_calls`.
    pub(crate) fn next(&self, no_calls: bool) -> Option<Duration> {
        let at = |timers: &BinaryHeap<Timer>| timers.peek().map(|&Reverse((at, _))| at);
        let due = if no_calls { None } else { at(&self.timers) };
        let next = due.into_iter().chain(at(&self.limits)).min();
        next.map(Duration::from_micros)
    }

    /// All users.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Who, &User)> {
        (0..).zip(&self.places).filter_map(|(place, user)| {
            let user = user.as_ref()?;
            Some((Who { place, stay: user.stay }, user))
        })
    }
}

impl User {
    /// Does it wait for a timer and for nothing else?
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Resting)
    }
}

/// Rounded up: a timer must not come before its time.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn insert(users: &mut Users, id: u32, due: u64) -> Who {
        assert!(users.insert(id, 0, at(due), Cursor::new(id.into())));
        users.find(id).expect("it was just inserted")
    }

    #[test]
    fn a_user_is_small() {
        let bytes = size_of::<Option<User>>() + size_of::<Timer>() + size_of::<(u32, Who)>();
        assert!(bytes <= 150, "{bytes} bytes");
    }

    #[test]
    fn users_are_due_in_the_order_of_their_times_and_not_before() {
        let mut users = Users::default();
        let late = insert(&mut users, 1, 30);
        let early = insert(&mut users, 2, 10);
        assert_eq!(users.next(false), Some(at(10)));
        assert_eq!(users.pop_due(at(9)), None);
        assert_eq!(users.pop_due(at(30)), Some(early));
        assert_eq!(users.pop_due(at(30)), Some(late));
        assert_eq!(users.pop_due(at(30)), None);
        assert_eq!(users.next(false), None);
        users.rest(late, at(40));
        assert_eq!(users.next(false), Some(at(40)));
        assert_eq!(users.next(true), None);
    }

    #[test]
    fn what_is_left_of_a_user_does_not_concern_the_next_one_in_its_place() {
        let mut users = Users::default();
        let gone = insert(&mut users, 1, 10);
        assert!(users.remove(gone).is_some());
        assert!(users.remove(gone).is_none());
        let next = insert(&mut users, 1, 20);
        assert_eq!(next.place, gone.place);
        assert!(users.get(gone).is_none());
        assert_eq!(users.pop_due(at(15)), None);
        assert_eq!(users.pop_due(at(20)), Some(next));
    }

    #[test]
    fn an_id_is_there_once() {
        let mut users = Users::default();
        insert(&mut users, 7, 0);
        assert!(!users.insert(7, 0, at(0), Cursor::new(0)));
        assert_eq!(users.all().count(), 1);
    }

    #[test]
    fn a_limit_is_for_calls_alone() {
        let mut users = Users::default();
        let who = insert(&mut users, 1, 0);
        users.limit(who, at(5));
        assert_eq!(users.pop_overdue(at(9)), None, "it is in no call");
        users.get(who).expect("it is there").phase = Phase::Calling;
        users.limit(who, at(12));
        users.limit(who, at(15));
        users.limit_earlier(who, at(16));
        assert_eq!(users.pop_overdue(at(14)), None, "the first limit holds no more");
        assert_eq!(users.next(true), Some(at(15)));
        assert_eq!(users.pop_overdue(at(14)), None);
        assert_eq!(users.pop_overdue(at(15)), Some(who));
    }
}
