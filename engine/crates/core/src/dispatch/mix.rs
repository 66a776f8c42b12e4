//! Which of equally loaded workers gets which class, so that every worker has the same mix.

use std::collections::BTreeMap;

use super::roster::Lap;

/// The cost of taking from a worker what it does not have.
pub(super) const UNABLE: i64 = 1 << 50;

/// Deals the seats of a lap out among classes, at a low sum of `cost` (worker, class): (worker,
/// class) in the order in which they shall be taken. There must be at least as many seats as
/// classes.
pub(super) fn deal(
    lap: &Lap,
    classes: &[usize],
    cost: impl Fn(usize, usize) -> i64,
) -> Vec<(usize, usize)> {
    let open = if lap.is_level { &lap.places[..] } else { &lap.places[..classes.len()] };
    let seats = assign(open, classes, cost);
    let mut dealt: Vec<(usize, usize)> = seats.into_iter().zip(classes.iter().copied()).collect();
    if !lap.is_level {
        dealt.sort_unstable();
    }
    dealt.iter_mut().for_each(|(seat, _)| *seat = lap.places[*seat]);
    dealt
}

/// Gives every entry of `classes` a seat of its own at a low sum of `cost`; `workers` are those of
/// the seats. The result is parallel to `classes`; among equals the earlier seat goes first.
///
/// Each class first takes its cheapest free worker; what the later classes are left with is then
/// bettered by exchanges between two workers. That is not always the optimum, but it is short of
/// it by one user here and there, and takes time in classes times workers.
fn assign(workers: &[usize], classes: &[usize], cost: impl Fn(usize, usize) -> i64) -> Vec<usize> {
    assert!(classes.len() <= workers.len(), "one seat for each class");
    if workers.len() == 1 {
        return vec![0; classes.len()];
    }
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    let mut free = vec![true; workers.len()];
    for &class in classes {
        let group = groups.entry(class).or_insert_with(|| {
            Group::new(workers.iter().map(|&worker| cost(worker, class)).collect())
        });
        group.take_cheapest(&mut free);
    }
    let mut all: Vec<&mut Group> = groups.values_mut().collect();
    exchange(&mut all);
    for group in all {
        // Handed out from the end.
        group.seats.sort_unstable_by(|a, b| b.cmp(a));
    }
    let take = |class| {
        let seat = groups.get_mut(class).and_then(|group| group.seats.pop());
        seat.expect("every class has as many seats as entries")
    };
    classes.iter().map(take).collect()
}

/// A class, and the seats that it has; a seat is a place in the list of workers.
struct Group {
    /// By seat.
    costs: Vec<i64>,
    seats: Vec<usize>,
    /// No free seat costs less than this.
    cost: i64,
    /// No free seat before this one costs as little.
    next: usize,
}

impl Group {
    fn new(costs: Vec<i64>) -> Self {
        Self { costs, seats: Vec::new(), cost: i64::MIN, next: 0 }
    }

    /// Takes the first of the cheapest free seats. As costs take few values, going through all
    /// seats for each value beats sorting them.
    fn take_cheapest(&mut self, free: &mut [bool]) {
        let at_cost = |seat: &usize| free[*seat] && self.costs[*seat] == self.cost;
        let seat = (self.next..free.len()).find(at_cost).unwrap_or_else(|| {
            let seats = (0..free.len()).filter(|&seat| free[seat]);
            let cheapest = seats.min_by_key(|&seat| self.costs[seat]);
            cheapest.expect("there are as many seats as entries")
        });
        free[seat] = false;
        self.seats.push(seat);
        (self.cost, self.next) = (self.costs[seat], seat + 1);
    }

    /// What is saved when `other` has this class's `seat`, instead of this one.
    fn saves(&self, other: &Self, seat: usize) -> i64 {
        self.costs[seat] - other.costs[seat]
    }

    /// The most that one of the seats saves.
    fn saves_most(&self, other: &Self) -> i64 {
        let saves = self.seats.iter().map(|&seat| self.saves(other, seat));
        saves.max().expect("a class has a seat")
    }
}

/// For every two classes, exchanges seats as long as that lowers the cost.
fn exchange(groups: &mut [&mut Group]) {
    for second in 1..groups.len() {
        let (firsts, rest) = groups.split_at_mut(second);
        let second = &mut *rest[0];
        for first in firsts {
            if first.saves_most(second) + second.saves_most(first) > 0 {
                exchange_two(first, second);
            }
        }
    }
}

fn exchange_two(first: &mut Group, second: &mut Group) {
    let mut ours = std::mem::take(&mut first.seats);
    let mut theirs = std::mem::take(&mut second.seats);
    ours.sort_by_key(|&seat| -first.saves(second, seat));
    theirs.sort_by_key(|&seat| -second.saves(first, seat));
    for (one, other) in ours.iter_mut().zip(&mut theirs) {
        if first.saves(second, *one) + second.saves(first, *other) <= 0 {
            break;
        }
        std::mem::swap(one, other);
    }
    (first.seats, second.seats) = (ours, theirs);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_go_in_order() {
        let places = vec![7, 3, 5];
        let lap = Lap { places, is_level: true };
        assert_eq!(deal(&lap, &[1, 0], |_, _| 0), [(7, 1), (3, 0)]);
    }

    #[test]
    fn seats_that_are_not_level_are_taken_in_order() {
        // The first seat is better for class 1, and nobody takes the third.
        let lap = Lap { places: vec![7, 3, 7], is_level: false };
        let cost = |worker, class| i64::from(worker == 7 && class == 0);
        assert_eq!(deal(&lap, &[0, 1], cost), [(7, 1), (3, 0)]);
    }

    #[test]
    fn the_last_class_is_not_left_with_the_worst() {
        // Worker i has one user of class i: whoever chooses last must not get its own class.
        let workers = [0, 1, 2];
        let got = assign(&workers, &[0, 1, 2], |worker, class| i64::from(worker == class));
        assert!(got.iter().enumerate().all(|(class, &worker)| worker != class), "{got:?}");
    }

    #[test]
    fn what_a_worker_does_not_have_is_taken_elsewhere() {
        // Worker 0 has only class 1, worker 1 has both; class 1 comes first and class 0 last.
        let has = |worker, class| worker == 1 || class == 1;
        let cost = |worker, class| if has(worker, class) { -1 } else { UNABLE };
        assert_eq!(assign(&[1, 0], &[1, 0], cost), [1, 0]);
    }
}
