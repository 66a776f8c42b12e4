//! What holds for placements whatever happens.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use swarm_core::dispatch::{ClassShare, Dispatcher};
use swarm_core::message::WEIGHT_MAX;
use swarm_core::plan::Population;

#[derive(Debug, Clone)]
enum Event {
    Join { worker: u8, users_max: Option<u32>, weight: u32 },
    Leave { worker: u8 },
    Target { users: u32, only: Option<u32> },
    Step { n: u32 },
}

/// What workers say of themselves, by id: the most users, and the weight.
type Limits = BTreeMap<String, (Option<u32>, u32)>;

/// With limits, and workers of different weights; or without.
fn events(limits: bool) -> impl Strategy<Value = Vec<Event>> {
    let own = if limits {
        let weight = prop_oneof![2 => Just(1), 1 => 1..8_u32, 1 => 1..=WEIGHT_MAX];
        (prop::option::of(0..40_u32), weight).boxed()
    } else {
        Just((None, 1)).boxed()
    };
    let event = prop_oneof![
        2 => (0..12_u8, own).prop_map(|(worker, (users_max, weight))| {
            Event::Join { worker, users_max, weight }
        }),
        1 => (0..12_u8).prop_map(|worker| Event::Leave { worker }),
        2 => (0..200_u32, prop::option::weighted(0.2, 0..6_u32))
            .prop_map(|(users, only)| Event::Target { users, only }),
        5 => (1..60_u32).prop_map(|n| Event::Step { n }),
    ];
    prop::collection::vec(event, 1..60)
}

fn classes() -> impl Strategy<Value = Vec<ClassShare>> {
    let population = prop_oneof![
        3 => (1..10_u32).prop_map(|weight| Population::Weight(f64::from(weight))),
        1 => (0.01..5.0_f64).prop_map(Population::Weight),
        1 => (0..30_u32).prop_map(Population::Fixed),
    ];
    let named = |populations: Vec<Population>| {
        let class = |(index, population)| ClassShare { name: format!("{index}"), population };
        populations.into_iter().enumerate().map(class).collect()
    };
    prop::collection::vec(population, 1..6).prop_map(named)
}

fn name(worker: u8) -> String {
    format!("h{}_w{worker}", worker % 3)
}

/// Worker and class of every user on a worker.
fn homes(dispatcher: &Dispatcher) -> BTreeMap<u32, (String, u32)> {
    let mut homes = BTreeMap::new();
    for (worker, users) in dispatcher.workers() {
        let mut sum = 0;
        let placement = dispatcher.placement(worker);
        assert!(placement.is_sorted_by(|a, b| a.class < b.class));
        for class in placement {
            assert!(!class.ids.is_empty());
            for id in class.ids.iter() {
                sum += 1;
                let double = homes.insert(id, (worker.to_owned(), class.class));
                assert_eq!(double, None, "user {id} is in two places");
            }
        }
        assert_eq!(sum, users);
    }
    homes
}

fn moved(before: &BTreeMap<u32, (String, u32)>, after: &BTreeMap<u32, (String, u32)>) -> usize {
    let both = after.iter().filter_map(|(id, now)| Some((before.get(id)?, now)));
    both.filter(|(was, now)| {
        assert_eq!(was.1, now.1, "a user keeps its class");
        was.0 != now.0
    })
    .count()
}

/// No user would be better off on another worker with room, by the weights; no limit is exceeded.
fn check_balance(dispatcher: &Dispatcher, limits: &Limits) {
    for (worker, users) in dispatcher.workers() {
        let (limit, weight) = limits[worker];
        let limit = limit.unwrap_or(u32::MAX);
        assert!(users <= limit, "{worker} has {users} of {limit}");
        assert!(users == limit || dispatcher.unplaced() == 0, "{worker} has room");
        let alike = limits.values().all(|&(_, weight)| weight == 1);
        for (other, more) in dispatcher.workers().filter(|_| users < limit) {
            let has = f64::from(users) + 0.5;
            let shares =
                (has / f64::from(weight), (f64::from(more) - 0.5) / f64::from(limits[other].1));
            assert!(
                shares.0 >= shares.1 - 1e-9,
                "{worker} has {users}, {other} {more}: {limits:?}"
            );
            assert!(!alike || users + 1 >= more, "{worker} has {users}, {other} {more}");
        }
    }
}

fn apply(dispatcher: &mut Dispatcher, event: &Event, limits: &mut Limits) {
    match event {
        Event::Join { worker, users_max, weight } => {
            limits.insert(name(*worker), (*users_max, *weight));
            dispatcher.add_worker(&name(*worker), *users_max, *weight);
        }
        Event::Leave { worker } => {
            limits.remove(&name(*worker));
            dispatcher.remove_worker(&name(*worker));
        }
        Event::Target { users, only } => {
            let only = only.map(|class| vec![class]);
            dispatcher.set_target(*users, only.as_deref());
        }
        Event::Step { n } => {
            dispatcher.step(*n);
        }
    }
}

fn check_moves(event: &Event, before: &Dispatcher, after: &Dispatcher) {
    let (homes_before, homes_after) = (homes(before), homes(after));
    let moved = moved(&homes_before, &homes_after);
    let total = |dispatcher: &Dispatcher| dispatcher.users() + dispatcher.unplaced();
    match event {
        Event::Join { worker, .. } => {
            assert_eq!(total(before), total(after));
            let gained = after.workers().find(|(id, _)| *id == name(*worker)).unwrap().1;
            if before.workers().all(|(id, _)| id != name(*worker)) {
                assert!(moved <= gained as usize, "only the new worker gains");
            }
        }
        Event::Leave { worker } => {
            assert_eq!(total(before), total(after));
            let stayed = |(id, (home, class)): (&u32, &(String, u32))| {
                *home == name(*worker) || homes_after.get(id) == Some(&(home.clone(), *class))
            };
            assert!(homes_before.iter().all(stayed), "only the lost worker's users move");
        }
        Event::Target { .. } => assert_eq!(homes_before, homes_after),
        Event::Step { n } => {
            assert_eq!(moved, 0, "a step moves nobody");
            let (was, is, target) = (total(before), total(after), after.target());
            assert!(is.abs_diff(was) <= *n);
            assert!((was.min(target)..=was.max(target)).contains(&is), "towards the target");
            let full = after.at_target() || is.abs_diff(was) == *n;
            assert!(full, "a step is used up or arrives: {was} to {is} of {target}");
        }
    }
}

/// A worker that comes takes no more users from others than its share.
fn check_share(event: &Event, before: &Dispatcher, after: &Dispatcher, limits: &Limits) {
    if let Event::Join { worker, .. } = event
        && before.workers().all(|(id, _)| id != name(*worker))
        && limits.values().all(|&own| own == (None, 1))
    {
        let homes = homes(after);
        assert!(moved(&self::homes(before), &homes) <= homes.len().div_ceil(limits.len()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn balanced_unique_and_unmoved(
        classes in classes(),
        events in prop_oneof![events(true), events(false)],
    ) {
        let mut dispatcher = Dispatcher::new(&classes);
        let mut limits = BTreeMap::new();
        for event in &events {
            let before = dispatcher.clone();
            apply(&mut dispatcher, event, &mut limits);
            check_balance(&dispatcher, &limits);
            check_moves(event, &before, &dispatcher);
            check_share(event, &before, &dispatcher, &limits);
            let all: u32 = dispatcher.users_by_class().iter().sum();
            prop_assert_eq!(all, dispatcher.users());
        }
        dispatcher.set_target(77, None);
        let ends = (0..100).any(|_| dispatcher.step(9));
        prop_assert!(ends);
        let users = dispatcher.users() + dispatcher.unplaced();
        prop_assert_eq!(users, dispatcher.reachable());
    }

    #[test]
    fn same_events_same_placement(classes in classes(), events in events(true)) {
        let run = || {
            let mut dispatcher = Dispatcher::new(&classes);
            let mut limits = BTreeMap::new();
            events.iter().for_each(|event| apply(&mut dispatcher, event, &mut limits));
            homes(&dispatcher)
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn ids_are_dense(classes in classes(), events in events(false)) {
        let mut dispatcher = Dispatcher::new(&classes);
        let mut highest = 0;
        for event in &events {
            apply(&mut dispatcher, event, &mut BTreeMap::new());
            highest = highest.max(dispatcher.users() + dispatcher.unplaced());
            let last = homes(&dispatcher).into_keys().next_back();
            prop_assert!(last.is_none_or(|last| last < highest));
        }
    }

    /// Classes follow their weights on any way up.
    #[test]
    fn classes_keep_to_their_weights(
        weights in prop::collection::vec(0.05..20.0_f64, 1..12),
        workers in 1..12_u8,
        targets in prop::collection::vec(0..400_u32, 1..6),
        n in 1..50_u32,
    ) {
        let class = |(index, &weight)| ClassShare {
            name: format!("{index}"),
            population: Population::Weight(weight),
        };
        let classes: Vec<_> = weights.iter().enumerate().map(class).collect();
        let new = || {
            let mut dispatcher = Dispatcher::new(&classes);
            (0..workers).for_each(|worker| dispatcher.add_worker(&name(worker), None, 1));
            dispatcher
        };
        let mut dispatcher = new();
        for &target in targets.iter().chain([&401]) {
            dispatcher.set_target(target, None);
            while !dispatcher.step(n) {}
        }
        let sum: f64 = weights.iter().sum();
        for (&users, &weight) in dispatcher.users_by_class().iter().zip(&weights) {
            let off = (f64::from(users) - 401.0 * weight / sum).abs();
            prop_assert!(off < (weights.len() as f64).max(1.0), "off by {}", off);
        }
        let mut straight = new();
        straight.set_target(401, None);
        straight.step(401);
        prop_assert_eq!(dispatcher.users_by_class(), straight.users_by_class());
    }

    /// Every worker has its part of every class, ramped in any steps, and after a worker is lost
    /// and another one came.
    #[test]
    fn workers_have_the_same_mix(
        weights in prop::collection::vec(1..10_u32, 1..8),
        workers in 2..12_u8,
        laps in 1..40_u32,
        n in 1..50_u32,
    ) {
        let class = |(index, &weight)| ClassShare {
            name: format!("{index}"),
            population: Population::Weight(f64::from(weight)),
        };
        let classes: Vec<_> = weights.iter().enumerate().map(class).collect();
        let mut dispatcher = Dispatcher::new(&classes);
        (0..workers).for_each(|worker| dispatcher.add_worker(&name(worker), None, 1));
        dispatcher.set_target(laps * u32::from(workers), None);
        while !dispatcher.step(n) {}
        prop_assert!(uneven(&dispatcher) <= 2, "off by {}", uneven(&dispatcher));
        dispatcher.remove_worker(&name(0));
        prop_assert!(uneven(&dispatcher) <= 3, "after a loss off by {}", uneven(&dispatcher));
        dispatcher.add_worker("new", None, 1);
        prop_assert!(uneven(&dispatcher) <= 3, "after a join off by {}", uneven(&dispatcher));
    }

    /// Unequal workers have their parts of the users and of every class, also after one of them has
    /// gone and come back.
    #[test]
    fn workers_keep_to_their_weights(
        weights in prop::collection::vec(1..20_u32, 2..10),
        users in 1..2_000_u32,
        n in 1..500_u32,
    ) {
        let class = |name: &str, weight| ClassShare {
            name: name.to_owned(),
            population: Population::Weight(weight),
        };
        let mut dispatcher = Dispatcher::new(&[class("a", 3.0), class("b", 1.0)]);
        for (worker, &weight) in (0..).zip(&weights) {
            dispatcher.add_worker(&name(worker), None, weight);
        }
        dispatcher.set_target(users, None);
        while !dispatcher.step(n) {}
        let all_of_a = f64::from(dispatcher.users_by_class()[0]);
        prop_assert!((all_of_a - f64::from(users) * 0.75).abs() <= 1.0, "{} of class a", all_of_a);
        dispatcher.remove_worker(&name(1));
        dispatcher.add_worker(&name(1), None, weights[1]);
        let all = f64::from(weights.iter().sum::<u32>());
        for (worker, &weight) in (0..).zip(&weights) {
            let part = f64::from(users) * f64::from(weight) / all;
            let placement = dispatcher.placement(&name(worker));
            let has = placement.iter().map(|class| class.ids.len()).sum::<u64>() as f64;
            prop_assert!((has - part).abs() < weights.len() as f64 / 2.0, "{} of {}", has, part);
            let of_a = placement.first().map_or(0, |class| class.ids.len()) as f64;
            prop_assert!((of_a - has * 0.75).abs() <= 8.0, "{} of {} are of class a", of_a, has);
        }
    }
}

/// By how many users of a class do two workers differ at most?
fn uneven(dispatcher: &Dispatcher) -> u32 {
    let mut mixes = Vec::new();
    for (worker, _) in dispatcher.workers() {
        let mut mix = vec![0; dispatcher.users_by_class().len()];
        for class in dispatcher.placement(worker) {
            mix[class.class as usize] = u32::try_from(class.ids.len()).unwrap();
        }
        mixes.push(mix);
    }
    let classes = 0..mixes[0].len();
    let spread = |class: usize| {
        let users = || mixes.iter().map(|mix| mix[class]);
        users().max().unwrap() - users().min().unwrap()
    };
    classes.map(spread).max().unwrap()
}
