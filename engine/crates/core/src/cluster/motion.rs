//! Users on their way from one living worker to another, and when each of them moves.
//!
//! A rebalance moves its users one after the other: each has its turn within [`SPREAD`], and both
//! workers know the start of the rebalance by the master's clock, so the one stops a user when the
//! other is about to start it, and the total stays where it is. The start is [`LEAD`] ahead, so
//! that the order is there in time.
//!
//! A user that is sent on while it is still to move waits for its turn in the later rebalance.
//! Its first worker has to learn that too, or the user would be nowhere in the meantime.

use std::collections::VecDeque;
use std::time::Duration;

use super::millis;
use crate::ids::IdSet;
use crate::message::Moves;

/// How much later than now the users of a rebalance begin to move.
pub(super) const LEAD: Duration = Duration::from_millis(80);

/// The users of a rebalance move one after the other over this time. With [`LEAD`] and the page's
/// half second it stays below 2 s from a worker that is ready to its full share on the page.
pub(super) const SPREAD: Duration = Duration::from_millis(1250);

/// After its end a rebalance is told for this much longer, to workers that get their orders late
/// or skip one.
const SLACK: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Rebalance {
    start: Duration,
    /// Who moves, but for those that moved again later.
    ids: IdSet,
}

/// Who was told to stop may still be about to for this much longer than its spread.
pub(super) const LEAVE_SLACK: Duration = Duration::from_millis(200);

/// The rebalances that are not over, the oldest first. One a call of `begin` at most, and forgotten
/// after a few seconds.
#[derive(Debug, Default)]
pub(super) struct Motion {
    rebalances: VecDeque<Rebalance>,
    /// Who stops, to start nowhere, and until when. The id may be given to somebody else meanwhile.
    leaving: VecDeque<(Duration, IdSet)>,
}

impl Motion {
    /// Forgets the rebalances that are over. True if it did, and nobody moves any more.
    pub(super) fn forget(&mut self, now: Duration) -> bool {
        let over = |rebalance: &Rebalance| now > rebalance.start + SPREAD + SLACK;
        let before = self.rebalances.len() + self.leaving.len();
        self.rebalances.retain(|rebalance| !over(rebalance));
        self.leaving.retain(|(until, _)| now <= *until);
        before > 0 && self.rebalances.is_empty() && self.leaving.is_empty()
    }

    /// Nobody moves any more.
    pub(super) fn clear(&mut self) {
        self.rebalances.clear();
        self.leaving.clear();
    }

    /// Those that an earlier master has begun, as [`Self::rebalances`] gave them.
    pub(super) fn resume(&mut self, rebalances: Vec<(Duration, IdSet)>) {
        let rebalances = rebalances.into_iter();
        self.rebalances = rebalances.map(|(start, ids)| Rebalance { start, ids }).collect();
    }

    /// When each begins, and who moves with it.
    pub(super) fn rebalances(&self) -> Vec<(Duration, IdSet)> {
        let rebalances = self.rebalances.iter();
        rebalances.map(|rebalance| (rebalance.start, rebalance.ids.clone())).collect()
    }

    /// Those that are over begin anew: not everybody has heard of them in time. The others stay, as
    /// users that have their turn within moments cannot be held back any more.
    pub(super) fn again(&mut self, now: Duration) {
        for rebalance in &mut self.rebalances {
            if now > rebalance.start + SPREAD {
                rebalance.start = now + LEAD;
            }
        }
    }

    /// Of those that `come` to workers, the ones that a living worker has just `left`, or is still
    /// to leave by an earlier rebalance or within the `spread` of an earlier order: they begin to
    /// move.
    pub(super) fn begin(
        &mut self,
        now: Duration,
        spread: Duration,
        left: &IdSet,
        come: &IdSet,
    ) -> IdSet {
        let mut ids = come.intersection(left);
        for (_, earlier) in &mut self.leaving {
            let again = come.intersection(earlier);
            earlier.remove_all(&again);
            ids.insert_all(&again);
        }
        let stop = left.difference(come);
        if !stop.is_empty() {
            self.leaving.push_back((now + spread + LEAVE_SLACK, stop));
        }
        for earlier in &mut self.rebalances {
            let again = come.intersection(&earlier.ids);
            earlier.ids.remove_all(&again);
            ids.insert_all(&again);
            if now > earlier.start + SPREAD {
                // They have moved, and now they stop: not by that rebalance.
                earlier.ids.remove_all(left);
            }
        }
        if !ids.is_empty() {
            self.rebalances.push_back(Rebalance { start: now + LEAD, ids: ids.clone() });
        }
        ids
    }

    /// What a worker has to know that `these` users concern.
    pub(super) fn of(&self, these: &IdSet) -> Vec<Moves> {
        if these.is_empty() {
            return Vec::new();
        }
        let moves = |rebalance: &Rebalance| Moves {
            start_ms: millis(rebalance.start),
            spread_ms: millis(SPREAD),
            ids: rebalance.ids.intersection(these),
        };
        self.rebalances.iter().map(moves).filter(|moves| !moves.ids.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ids(ids: impl IntoIterator<Item = u32>) -> IdSet {
        ids.into_iter().collect()
    }

    #[test]
    fn only_who_has_left_a_living_worker_moves() {
        let mut motion = Motion::default();
        assert_eq!(motion.begin(SECOND, Duration::ZERO, &ids(0..5), &ids(3..9)), ids(3..5));
        let told = motion.of(&ids(4..20));
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].start_ms, &told[0].ids), (1080, &ids([4])));
        assert_eq!(motion.of(&ids(5..9)), []);
    }

    #[test]
    fn who_is_sent_on_moves_with_the_later_rebalance() {
        let mut motion = Motion::default();
        motion.begin(SECOND, Duration::ZERO, &ids(0..10), &ids(0..10));
        // The worker that should have taken 4 to 7 was lost before: nobody has left it.
        assert_eq!(motion.begin(2 * SECOND, Duration::ZERO, &ids([]), &ids(4..8)), ids(4..8));
        let told: Vec<_> =
            motion.of(&ids(0..10)).into_iter().map(|moves| (moves.start_ms, moves.ids)).collect();
        assert_eq!(told, [(1080, ids([0, 1, 2, 3, 8, 9])), (2080, ids(4..8))]);
    }

    #[test]
    fn who_has_moved_and_then_stops_does_not_move() {
        let mut motion = Motion::default();
        motion.begin(SECOND, Duration::ZERO, &ids(0..10), &ids(0..10));
        motion.begin(3 * SECOND, Duration::ZERO, &ids(2..10), &ids([]));
        assert_eq!(motion.of(&ids(0..10))[0].ids, ids(0..2));
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let mut motion = Motion::default();
        assert!(!motion.forget(SECOND), "nothing was forgotten");
        motion.begin(SECOND, Duration::ZERO, &ids(0..3), &ids(0..3));
        assert!(!motion.forget(2 * SECOND));
        assert!(motion.forget(5 * SECOND));
        assert_eq!(motion.begin(5 * SECOND, Duration::ZERO, &ids([]), &ids(0..3)), ids([]));
    }
}
