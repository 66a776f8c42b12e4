//! The workers in their order, and who runs on them.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use crate::ids::IdSet;
use crate::message::{ClassUsers, WEIGHT_MAX};

/// A worker and its users.
#[derive(Debug, Clone)]
struct Worker {
    id: String,
    users_max: Option<u32>,
    /// Its part of the users, beside those of the others.
    weight: u32,
    /// Seats taken, by class.
    counts: Vec<u32>,
    /// Who has them, by class.
    users: Vec<IdSet>,
    /// Its users are not those of the last time that somebody asked.
    changed: bool,
    /// Its place, which the new order is told from.
    place: u32,
}

/// Where a user runs.
#[derive(Debug, Clone, Copy)]
struct Home {
    place: u32,
    class: u32,
}

/// A seat on a worker: (place, class).
pub(super) type Seat = (usize, usize);

/// The place of users without a worker.
const NOWHERE: u32 = u32::MAX;

impl Worker {
    fn load(&self) -> u32 {
        self.counts.iter().sum()
    }
}

/// How much of its part a worker has with half a user more or less: who is lowest with more gains
/// the next user, who is highest with less loses one. That is the method of Webster and
/// Sainte-Laguë, by which no other pair of numbers is nearer to two workers' weights, and a user
/// more never makes anybody's number smaller. With equal weights it keeps workers within one user
/// of each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// Twice the users, plus or minus 1.
    halves: i64,
    weight: i64,
}

impl Level {
    /// With half a user more than these.
    fn gaining(users: u32, weight: u32) -> Self {
        Self { halves: 2 * i64::from(users) + 1, weight: weight.into() }
    }

    /// With half a user less than these.
    fn losing(users: u32, weight: u32) -> Self {
        Self { halves: 2 * i64::from(users) - 1, weight: weight.into() }
    }

    /// Upside down: the highest comes first.
    fn reversed(self) -> Self {
        Self { halves: -self.halves, ..self }
    }

    /// After a user has come, or gone from one that is upside down.
    fn next(self) -> Self {
        Self { halves: self.halves + 2, ..self }
    }
}

impl Ord for Level {
    fn cmp(&self, other: &Self) -> Ordering {
        // Users and weights have 32 bits and 10.
        (self.halves * other.weight).cmp(&(other.halves * self.weight))
    }
}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Level {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Level {}

/// All workers in their order: the first of every host, then the second of every host, and so
/// on, by id.
///
/// A worker is known to the rest of the dispatcher by its place in that order, which holds until
/// a worker comes or goes.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster {
    workers: Vec<Worker>,
    loads: Vec<u32>,
    /// Places by id of the worker.
    by_id: Vec<usize>,
    /// Users on all workers, by class.
    counts: Vec<u32>,
    /// By id of the user; ids are dense.
    homes: Vec<Home>,
}

impl Roster {
    pub(super) fn new(classes: usize) -> Self {
        Self { counts: vec![0; classes], ..Self::default() }
    }

    pub(super) fn workers(&self) -> impl Iterator<Item = (&str, u32)> {
        self.workers.iter().map(|worker| worker.id.as_str()).zip(self.loads.iter().copied())
    }

    pub(super) fn place(&self, id: &str) -> Option<usize> {
        self.rank(id).ok().map(|rank| self.by_id[rank])
    }

    /// Where the worker is in `by_id`, or where it would be.
    fn rank(&self, id: &str) -> Result<usize, usize> {
        self.by_id.binary_search_by(|&place| self.workers[place].id.as_str().cmp(id))
    }

    /// Users on all workers, by class.
    pub(super) fn counts(&self) -> &[u32] {
        &self.counts
    }

    pub(super) fn count(&self, place: usize, class: usize) -> u32 {
        self.workers[place].counts[class]
    }

    /// The worker's users of a class by its weight, which makes them comparable with another's.
    pub(super) fn served(&self, place: usize, class: usize) -> i64 {
        let worker = &self.workers[place];
        i64::from(worker.counts[class]) * i64::from(WEIGHT_MAX) / i64::from(worker.weight)
    }

    pub(super) fn load(&self, place: usize) -> u32 {
        self.loads[place]
    }

    pub(super) fn users(&self) -> u32 {
        self.loads.iter().sum()
    }

    /// Most users that all workers together accept.
    pub(super) fn capacity(&self) -> u32 {
        let limits = self.workers.iter().map(|worker| worker.users_max.unwrap_or(u32::MAX));
        limits.fold(0, u32::saturating_add)
    }

    pub(super) fn has_room(&self, place: usize) -> bool {
        self.has_room_after(place, 0)
    }

    /// Is there room when so many more are on the worker?
    pub(super) fn has_room_after(&self, place: usize, more: u32) -> bool {
        let users_max = self.workers[place].users_max;
        users_max.is_none_or(|users_max| self.loads[place].saturating_add(more) < users_max)
    }

    /// Most users that the worker accepts; `None` is no limit.
    pub(super) fn limit(&self, place: usize) -> Option<u32> {
        self.workers[place].users_max
    }

    /// Would [`Self::take_changed`] tell of the worker?
    pub(super) fn is_changed(&self, place: usize) -> bool {
        self.workers[place].changed
    }

    /// Users of the worker beyond its limit.
    pub(super) fn excess(&self, place: usize) -> u32 {
        let users_max = self.workers[place].users_max.unwrap_or(u32::MAX);
        self.loads[place].saturating_sub(users_max)
    }

    /// Classes that have users on the worker.
    pub(super) fn classes(&self, place: usize) -> impl Iterator<Item = usize> {
        let counts = self.workers[place].counts.iter().enumerate();
        counts.filter(|&(_, &users)| users > 0).map(|(class, _)| class)
    }

    /// Lets a worker in, or changes the limit and the weight of one that is there.
    pub(super) fn admit(&mut self, id: &str, users_max: Option<u32>, weight: u32) {
        assert!(weight > 0, "a worker has a part of the users");
        let rank = match self.rank(id) {
            Ok(rank) => {
                let worker = &mut self.workers[self.by_id[rank]];
                (worker.users_max, worker.weight) = (users_max, weight);
                return;
            }
            Err(rank) => rank,
        };
        let place = self.workers.len();
        self.by_id.insert(rank, place);
        self.workers.push(Worker {
            id: id.to_owned(),
            users_max,
            weight,
            counts: vec![0; self.counts.len()],
            users: vec![IdSet::new(); self.counts.len()],
            changed: true,
            place: u32::try_from(place).expect("workers are counted in u32"),
        });
        self.put_in_order();
    }

    /// Lets a worker go; its users are handed back, by class. `None` if it is not there.
    pub(super) fn dismiss(&mut self, id: &str) -> Option<Vec<IdSet>> {
        let rank = self.rank(id).ok()?;
        self.by_id.remove(rank);
        let worker = self.put_in_order()?;
        for (all, gone) in self.counts.iter_mut().zip(worker.counts) {
            *all -= gone;
        }
        Some(worker.users)
    }

    /// Restores the order after `by_id` has gained or lost a worker. Returns the one it lost.
    fn put_in_order(&mut self) -> Option<Worker> {
        let mut host_workers: HashMap<&str, usize> = HashMap::with_capacity(self.workers.len());
        let index_in_host = |&place: &usize| {
            let host = self.workers[place].id.split('_').next().unwrap_or_default();
            let count = host_workers.entry(host).or_default();
            *count += 1;
            (*count, place)
        };
        let mut order: Vec<(usize, usize)> = self.by_id.iter().map(index_in_host).collect();
        // Stable: those with the same index remain in the order of their ids.
        order.sort_by_key(|&(index, _)| index);
        let mut before: Vec<_> = std::mem::take(&mut self.workers).into_iter().map(Some).collect();
        let in_order = order.into_iter().filter_map(|(_, place)| before[place].take());
        self.workers = in_order.collect();
        self.loads = self.workers.iter().map(Worker::load).collect();
        self.renumber(before.len());
        before.into_iter().flatten().next()
    }

    /// Tells workers and users the new places; the old ones were below `places_before`.
    fn renumber(&mut self, places_before: usize) {
        let mut new_places = vec![NOWHERE; places_before];
        for (place, worker) in (0..).zip(&mut self.workers) {
            new_places[worker.place as usize] = place;
            worker.place = place;
        }
        for place in &mut self.by_id {
            *place = new_places[*place] as usize;
        }
        for home in self.homes.iter_mut().filter(|home| home.place != NOWHERE) {
            home.place = new_places[home.place as usize];
        }
    }

    /// Takes a seat for a user of `class` that is still to be named.
    pub(super) fn reserve(&mut self, seat: Seat) {
        self.reserve_all(seat, 1);
    }

    /// Takes so many seats.
    pub(super) fn reserve_all(&mut self, (place, class): Seat, users: u32) {
        self.workers[place].counts[class] += users;
        self.loads[place] += users;
        self.counts[class] += users;
    }

    /// Names the users of as many reserved seats.
    pub(super) fn seat(&mut self, (place, class): Seat, users: &IdSet) {
        let worker = &mut self.workers[place];
        let home = Home { place: worker.place, class: number(class) };
        for run in users.runs() {
            let after = run.last as usize + 1;
            if self.homes.len() < after {
                self.homes.resize(after, Home { place: NOWHERE, class: home.class });
            }
            for known in &mut self.homes[run.first as usize..after] {
                assert!(known.place == NOWHERE, "each of the users {run:?} is placed once");
                *known = home;
            }
        }
        worker.users[class].insert_all(users);
        worker.changed = true;
    }

    /// Takes the worker's user of `class` with the highest id; it must have one.
    pub(super) fn take(&mut self, (place, class): Seat) -> u32 {
        let user = self.workers[place].users[class].pop_last();
        let user = user.expect("the worker has a user of the class");
        self.vacate((place, class), user);
        user
    }

    /// Takes a certain user off its worker, if it has one, and says its class.
    pub(super) fn take_user(&mut self, user: u32) -> Option<usize> {
        let Home { place, class } = *self.homes.get(user as usize)?;
        if place == NOWHERE {
            return None;
        }
        let (place, class) = (place as usize, class as usize);
        self.workers[place].users[class].remove(user);
        self.vacate((place, class), user);
        Some(class)
    }

    fn vacate(&mut self, (place, class): Seat, user: u32) {
        let worker = &mut self.workers[place];
        worker.counts[class] -= 1;
        worker.changed = true;
        self.homes[user as usize].place = NOWHERE;
        self.loads[place] -= 1;
        self.counts[class] -= 1;
    }

    /// The workers whose users are not those of the last time that this was asked; a new one is
    /// one of them.
    pub(super) fn take_changed(&mut self) -> Vec<String> {
        let changed =
            |worker: &mut Worker| std::mem::take(&mut worker.changed).then(|| worker.id.clone());
        self.workers.iter_mut().filter_map(changed).collect()
    }

    /// The worker's users, complete, by class.
    pub(super) fn placement(&self, place: usize) -> Vec<ClassUsers> {
        let users = self.workers[place].users.iter().enumerate();
        users
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(class, ids)| ClassUsers { class: number(class), ids: ids.clone() })
            .collect()
    }

    /// The workers with room, the least loaded first.
    pub(super) fn fill_order(&self) -> Laps {
        let open = (0..self.workers.len()).filter(|&place| self.has_room(place));
        Laps::new(self.workers.len(), open.map(|place| (self.gaining(place), place, place)))
    }

    /// The workers with users, the most loaded first and the last in order before the first.
    pub(super) fn drain_order(&self) -> Laps {
        let busy = (0..self.workers.len()).filter(|&place| self.loads[place] > 0);
        let level = |place| self.losing(place).reversed();
        Laps::new(self.workers.len(), busy.map(|place| (level(place), usize::MAX - place, place)))
    }

    fn gaining(&self, place: usize) -> Level {
        Level::gaining(self.loads[place], self.workers[place].weight)
    }

    fn losing(&self, place: usize) -> Level {
        Level::losing(self.loads[place], self.workers[place].weight)
    }

    /// The fewest users that must move from the most to the least loaded workers so that none with
    /// room would be lower with one more than another one is with one less.
    pub(super) fn moves(&self) -> u32 {
        // Asked at each change of workers, most of which come before any user does.
        let places = 0..self.workers.len();
        let highest = places.clone().map(|place| self.losing(place)).max();
        let lowest = places.filter(|&place| self.has_room(place)).map(|place| self.gaining(place));
        if lowest.min().is_none_or(|lowest| highest <= Some(lowest)) {
            return 0;
        }
        let mut most: BinaryHeap<(Level, usize)> =
            (0..self.workers.len()).map(|place| (self.losing(place), place)).collect();
        let mut least: BinaryHeap<Reverse<(Level, usize)>> = (0..self.workers.len())
            .filter(|&place| self.has_room(place))
            .map(|place| Reverse((self.gaining(place), place)))
            .collect();
        let mut loads = self.loads.clone();
        let mut moves = 0;
        // Levels of those that give fall, of those that take rise, and it ends before they meet: so
        // neither heap comes to an entry of a worker that has gone through the other one.
        while let (Some(&(high, from)), Some(&Reverse((low, to)))) = (most.peek(), least.peek()) {
            if high <= low {
                break;
            }
            moves += 1;
            most.pop();
            loads[from] -= 1;
            most.push((Level::losing(loads[from], self.workers[from].weight), from));
            least.pop();
            loads[to] += 1;
            if self.workers[to].users_max.is_none_or(|users_max| loads[to] < users_max) {
                least.push(Reverse((low.next(), to)));
            }
        }
        moves
    }
}

/// Seats in the order in which they are taken, in laps.
///
/// A lap is what may be dealt out among the classes in any way. Where all weights are equal it is
/// the workers at the same level. Where they are not hardly any two are ever at the same level, and
/// two sequences that each go their own way, of workers and of classes, would give some of the
/// workers hardly anybody of a class: a lap is then a number of seats whatever their levels.
#[derive(Debug)]
pub(super) struct Laps {
    /// Level, preference inside a level, and place.
    waiting: BinaryHeap<Reverse<(Level, usize, usize)>>,
    /// Seats of a lap where weights differ.
    unequal: Option<usize>,
    /// By place: seats in the last lap.
    taken: Vec<u32>,
}

/// Seats that are dealt out together.
#[derive(Debug)]
pub(super) struct Lap {
    /// Their workers; one may be there several times.
    pub(super) places: Vec<usize>,
    /// All are at the same level, and may be taken in any order. Else they are taken in theirs.
    pub(super) is_level: bool,
}

impl Lap {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}

/// Fewest seats of a lap where weights differ.
const LAP_SEATS_MIN: usize = 32;

impl Laps {
    fn new(places: usize, workers: impl Iterator<Item = (Level, usize, usize)>) -> Self {
        let waiting: Vec<_> = workers.map(Reverse).collect();
        let differ = |pair: &[Reverse<(Level, _, _)>]| pair[0].0.0.weight != pair[1].0.0.weight;
        let is_unequal = waiting.windows(2).any(differ);
        let unequal = is_unequal.then_some(waiting.len().max(LAP_SEATS_MIN));
        Self { waiting: waiting.into(), unequal, taken: vec![0; places] }
    }

    /// The next lap; empty when there are no seats any more. Between two laps each of its seats
    /// must have been taken. `fit` says of a worker whether there is a further one after so many.
    pub(super) fn next(&mut self, fit: impl Fn(usize, u32) -> bool) -> Lap {
        let mut lap = Vec::new();
        let mut first = None;
        while let Some(&Reverse((level, preference, place))) = self.waiting.peek()
            && self.unequal.map_or(*first.get_or_insert(level) == level, |max| lap.len() < max)
        {
            self.waiting.pop();
            lap.push(place);
            self.taken[place] += 1;
            if fit(place, self.taken[place]) {
                self.waiting.push(Reverse((level.next(), preference, place)));
            }
        }
        lap.iter().for_each(|&place| self.taken[place] = 0);
        Lap { places: lap, is_level: self.unequal.is_none() }
    }
}

fn number(class: usize) -> u32 {
    u32::try_from(class).expect("classes are counted in u32")
}
