//! Known cases of placement: users by class and by worker.
//!
//! Where equally loaded workers differ in who has the odd user, or in the mix, only the loads as
//! such are compared: the mix decides there, and the order only among equals.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use swarm_core::dispatch::{ClassShare, Dispatcher};
use swarm_core::plan::Population::{self, Fixed, Weight};

fn dispatcher(workers: &[&str], populations: &[Population]) -> Dispatcher {
    let class = |(index, &population)| ClassShare { name: format!("{index:04}"), population };
    let classes: Vec<_> = populations.iter().enumerate().map(class).collect();
    let mut dispatcher = Dispatcher::new(&classes);
    for worker in workers {
        dispatcher.add_worker(worker, None, 1);
    }
    dispatcher
}

fn equal(classes: usize) -> Vec<Population> {
    vec![Weight(1.0); classes]
}

fn loads(dispatcher: &Dispatcher) -> Vec<u32> {
    dispatcher.workers().map(|(_, users)| users).collect()
}

fn loads_sorted(dispatcher: &Dispatcher) -> Vec<u32> {
    let mut loads = loads(dispatcher);
    loads.sort_unstable_by(|a, b| b.cmp(a));
    loads
}

fn load(dispatcher: &Dispatcher, id: &str) -> u32 {
    dispatcher.workers().find(|(worker, _)| *worker == id).unwrap().1
}

/// The worker's users by class.
fn mix(dispatcher: &Dispatcher, worker: &str) -> Vec<u32> {
    let mut mix = vec![0; dispatcher.users_by_class().len()];
    for class in dispatcher.placement(worker) {
        mix[class.class as usize] = u32::try_from(class.ids.len()).unwrap();
    }
    mix
}

/// Goes to the target in steps of `n`. After each: users by class.
fn ramp(dispatcher: &mut Dispatcher, target: u32, n: u32) -> Vec<Vec<u32>> {
    dispatcher.set_target(target, None);
    let mut steps = Vec::new();
    loop {
        let done = dispatcher.step(n);
        steps.push(dispatcher.users_by_class());
        let loads = loads_sorted(dispatcher);
        assert!(loads[0] - loads[loads.len() - 1] <= 1, "{loads:?}");
        assert!(steps.len() < 10_000, "the ramp does not end");
        if done {
            return steps;
        }
    }
}

fn reach(dispatcher: &mut Dispatcher, target: u32) -> Vec<u32> {
    ramp(dispatcher, target, 7).pop().unwrap()
}

#[test]
fn case_1_even_ramp_without_resonance() {
    for step in [1, 3, 9] {
        let mut dispatcher = dispatcher(&["1", "2", "3"], &equal(3));
        let steps = ramp(&mut dispatcher, 9, step);
        if step == 3 {
            assert_eq!(steps, [[1, 1, 1], [2, 2, 2], [3, 3, 3]]);
        }
        for worker in ["1", "2", "3"] {
            assert_eq!(mix(&dispatcher, worker), [1, 1, 1], "{worker}, step {step}");
        }
    }
}

#[test]
fn case_2_steps_that_do_not_fit_the_workers() {
    let mut dispatcher = dispatcher(&["1", "2", "3"], &equal(3));
    let steps = ramp(&mut dispatcher, 9, 2);
    let users: Vec<u32> = steps.iter().map(|classes| classes.iter().sum()).collect();
    assert_eq!(users, [2, 4, 6, 8, 9]);
    assert_eq!((&steps[2], &steps[4]), (&vec![2, 2, 2], &vec![3, 3, 3]));
    assert_eq!(loads(&dispatcher), [3, 3, 3]);
}

#[test]
fn case_3_more_workers_than_classes() {
    let mut dispatcher = dispatcher(&["1", "2", "3", "4"], &equal(3));
    let steps = ramp(&mut dispatcher, 9, 1);
    assert_eq!((&steps[3], &steps[8]), (&vec![2, 1, 1], &vec![3, 3, 3]));
    assert_eq!(loads(&dispatcher), [3, 2, 2, 2]);
}

#[test]
fn case_4_hosts_first() {
    let mut dispatcher = dispatcher(&["h1_w1", "h1_w2", "h2_w1", "h2_w2"], &equal(3));
    let order: Vec<_> = dispatcher.workers().map(|(id, _)| id.to_owned()).collect();
    assert_eq!(order, ["h1_w1", "h2_w1", "h1_w2", "h2_w2"]);
    dispatcher.set_target(6, None);
    let mut steps = Vec::new();
    for _ in 0..3 {
        dispatcher.step(2);
        steps.push(loads(&dispatcher));
    }
    assert_eq!(steps, [[1, 1, 0, 0], [1, 1, 1, 1], [2, 2, 1, 1]]);
    assert_eq!(dispatcher.users_by_class(), [2, 2, 2]);
}

#[test]
fn case_5_whole_and_broken_weights() {
    assert_eq!(reach(&mut dispatcher(&["1"], &[Weight(4.0), Weight(5.0)]), 9), [4, 5]);
    assert_eq!(reach(&mut dispatcher(&["1"], &[Weight(0.8), Weight(1.0)]), 18), [8, 10]);
}

#[test]
fn case_6_weights_over_workers_at_any_scale() {
    for scale in [1.0, 10.0, 2.5, 0.3, 1.0 / 23.0, std::f64::consts::E, std::f64::consts::PI] {
        let weights = [Weight(scale), Weight(2.0 * scale)];
        let mut dispatcher = dispatcher(&["1", "2", "3", "4"], &weights);
        let steps = ramp(&mut dispatcher, 75, 5);
        let users: Vec<u32> = steps.iter().map(|classes| classes.iter().sum()).collect();
        assert_eq!(users, (1..=15).map(|step| step * 5).collect::<Vec<_>>());
        assert_eq!(steps[14], [25, 50], "scale {scale}");
        assert_eq!(loads(&dispatcher), [19, 19, 19, 18], "scale {scale}");
    }
}

#[test]
fn case_7_weighted_trace() {
    let mut dispatcher = dispatcher(&["1", "2", "3"], &[Weight(1.0), Weight(2.0), Weight(3.0)]);
    let mut before = vec![0; 3];
    let mut classes = Vec::new();
    for after in ramp(&mut dispatcher, 9, 1) {
        classes.push(1 + (0..3).position(|class| after[class] > before[class]).unwrap());
        before = after;
    }
    assert_eq!(classes, [3, 2, 1, 3, 2, 3, 3, 2, 1]);
    assert_eq!(loads(&dispatcher), [3, 3, 3]);
}

#[test]
fn case_8_ramp_down() {
    let mut dispatcher = dispatcher(&["1", "2", "3"], &equal(3));
    ramp(&mut dispatcher, 9, 3);
    dispatcher.set_target(0, None);
    let mut steps = Vec::new();
    while !dispatcher.step(2) {
        steps.push((dispatcher.users_by_class(), loads_sorted(&dispatcher)));
    }
    let expected = [[3, 2, 2], [2, 2, 1], [1, 1, 1], [1, 0, 0]];
    assert_eq!(steps, expected.map(|users| (users.to_vec(), users.to_vec())));
    assert_eq!(dispatcher.users(), 0);
}

#[test]
fn case_8_one_by_one_keeps_the_classes_exact() {
    let mut dispatcher = dispatcher(&["1", "2", "3"], &equal(3));
    let mut up = ramp(&mut dispatcher, 9, 1);
    let mut down = ramp(&mut dispatcher, 0, 1);
    up.insert(0, vec![0; 3]);
    up.pop();
    down.reverse();
    assert_eq!(up, down);
}

#[test]
fn case_9_fixed_counts() {
    let (f, w) = (Fixed, Weight);
    let cases: [(Vec<Population>, u32, Vec<u32>); 9] = [
        (vec![f(1), w(1.0), w(1.0)], 3, vec![1, 1, 1]),
        (vec![f(8), w(1.0), w(1.0)], 10, vec![8, 1, 1]),
        (vec![f(100), w(1.0), w(1.0)], 1000, vec![100, 450, 450]),
        (vec![f(100), w(1.0), w(1.0)], 100, vec![100, 0, 0]),
        (vec![f(9), f(1), w(5.0), w(3.0), w(2.0)], 20, vec![9, 1, 5, 3, 2]),
        (vec![f(500), w(2.0), w(1.0), w(1.0), w(1.0)], 1000, vec![500, 200, 100, 100, 100]),
        (vec![f(1), f(1), f(1), f(1), w(100.0)], 1000, vec![1, 1, 1, 1, 996]),
        (vec![f(10); 5], 100, vec![10; 5]),
        (vec![f(50), f(50)], 30, vec![15, 15]),
    ];
    for (populations, users, expected) in cases {
        let mut dispatcher = dispatcher(&["1"], &populations);
        assert_eq!(reach(&mut dispatcher, users), expected, "{populations:?}");
        assert_eq!(dispatcher.reachable(), expected.iter().sum::<u32>());
    }
}

#[test]
fn case_9_fixed_counts_down_and_up() {
    let mut dispatcher = dispatcher(&["1"], &[Fixed(50), Fixed(50)]);
    assert_eq!(reach(&mut dispatcher, 30), [15, 15]);
    assert_eq!(reach(&mut dispatcher, 20), [10, 10]);
    assert_eq!(reach(&mut dispatcher, 100), [50, 50]);
}

/// The end is that of a straight ramp to 7: which of two equal classes has the odd user does not
/// depend on what was before.
#[test]
fn case_10_a_fixed_class_stays_whole() {
    let mut dispatcher = dispatcher(&["1"], &[Fixed(2), Weight(1.0), Weight(1.0)]);
    assert_eq!(reach(&mut dispatcher, 5), [2, 2, 1]);
    assert_eq!(reach(&mut dispatcher, 2), [2, 0, 0]);
    assert_eq!(reach(&mut dispatcher, 7), [2, 3, 2]);
}

#[test]
fn case_11_worker_lost_in_a_ramp() {
    let with_fixed = [Fixed(2), Weight(1.0), Weight(1.0)];
    for (populations, end) in [(&equal(3)[..], [3, 3, 3]), (&with_fixed, [2, 4, 3])] {
        let mut dispatcher = dispatcher(&["1", "2", "3"], populations);
        dispatcher.set_target(9, None);
        dispatcher.step(3);
        dispatcher.step(3);
        dispatcher.remove_worker("2");
        assert_eq!(dispatcher.users_by_class(), [2, 2, 2]);
        assert_eq!((load(&dispatcher, "1"), load(&dispatcher, "3")), (3, 3));
        assert!(dispatcher.step(3));
        assert_eq!(dispatcher.users_by_class(), end);
        assert_eq!(loads_sorted(&dispatcher), [5, 4]);
    }
}

#[test]
fn case_12_worker_added_in_a_ramp() {
    let mut dispatcher = dispatcher(&["h1_w1", "h2_w1"], &equal(3));
    dispatcher.set_target(11, None);
    dispatcher.step(3);
    dispatcher.step(3);
    assert_eq!(loads(&dispatcher), [3, 3]);
    dispatcher.add_worker("h1_w2", None, 1);
    assert_eq!((loads(&dispatcher), dispatcher.users_by_class()), (vec![2, 2, 2], vec![2, 2, 2]));
    assert!(!dispatcher.step(3));
    assert_eq!(loads(&dispatcher), [3, 3, 3]);
    assert!(dispatcher.step(3));
    assert_eq!((loads(&dispatcher), dispatcher.users_by_class()), (vec![4, 4, 3], vec![4, 4, 3]));
}

#[test]
fn case_13_two_ramps_with_a_loss_between() {
    let mut dispatcher = dispatcher(&["1", "2", "3"], &equal(3));
    ramp(&mut dispatcher, 9, 3);
    dispatcher.remove_worker("2");
    assert_eq!((loads(&dispatcher), dispatcher.users_by_class()), (vec![5, 4], vec![3, 3, 3]));
    assert_eq!(ramp(&mut dispatcher, 18, 3), [[4, 4, 4], [5, 5, 5], [6, 6, 6]]);
    assert_eq!(loads(&dispatcher), [9, 9]);
    assert_eq!(mix(&dispatcher, "1"), [3, 3, 3]);
}

#[test]
fn case_14_classes_by_order() {
    let mut dispatcher = dispatcher(&["1", "2", "3"], &equal(3));
    ramp(&mut dispatcher, 9, 3);
    for (target, only, expected) in [(12, 2, [3, 3, 6]), (15, 1, [3, 6, 6]), (18, 0, [6, 6, 6])] {
        dispatcher.set_target(target, Some(&[only]));
        assert!(dispatcher.step(3));
        assert_eq!(dispatcher.users_by_class(), expected);
        assert_eq!(loads(&dispatcher), [target / 3; 3]);
    }
}

#[test]
fn case_14_a_bent_ratio_is_mended_on_the_way_down() {
    let mut dispatcher = dispatcher(&["1", "2", "3"], &equal(3));
    ramp(&mut dispatcher, 9, 3);
    dispatcher.set_target(15, Some(&[2]));
    assert!(dispatcher.step(100));
    assert_eq!(dispatcher.users_by_class(), [3, 3, 9]);
    assert_eq!(reach(&mut dispatcher, 9), [3, 3, 3]);
    // A class that does not exist, or that takes no more, gains nobody.
    dispatcher.set_target(15, Some(&[7]));
    assert!(dispatcher.step(100));
    assert_eq!((dispatcher.users(), dispatcher.reachable()), (9, 9));
}

#[test]
fn case_15_no_change() {
    let mut dispatcher = dispatcher(&["1", "2", "3"], &equal(3));
    ramp(&mut dispatcher, 9, 3);
    let before: Vec<_> = ["1", "2", "3"].map(|worker| dispatcher.placement(worker)).into();
    dispatcher.set_target(9, None);
    assert!(dispatcher.at_target() && dispatcher.step(1) && dispatcher.step(100));
    let after: Vec<_> = ["1", "2", "3"].map(|worker| dispatcher.placement(worker)).into();
    assert_eq!(before, after);
}

#[test]
fn case_16_steps_above_the_target() {
    let mut dispatcher = dispatcher(&["1"], &equal(1));
    for target in [1, 11, 10, 0] {
        assert_eq!(ramp(&mut dispatcher, target, 100), [[target]]);
    }
}

/// Weights from 2 to 97, as fixed classes, and half of each.
#[test]
fn case_17_at_scale() {
    let number = |class: u32| 2 + class * 95 / 49;
    let weight = |class| Weight(f64::from(number(class)));
    let fixed = |class| Fixed(number(class) * 45);
    let mixed = |class| if class % 2 == 0 { weight(class) } else { fixed(class) };
    let kinds: [&dyn Fn(u32) -> Population; 3] = [&weight, &fixed, &mixed];
    for kind in kinds {
        let populations: Vec<_> = (0..50).map(kind).collect();
        let names: Vec<String> =
            (0..1000).map(|worker| format!("h{}_{worker}", worker % 250)).collect();
        let workers: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut dispatcher = dispatcher(&workers, &populations);
        let steps = ramp(&mut dispatcher, 100_000, 5000);
        let users: u32 = steps[steps.len() - 1].iter().sum();
        assert_eq!(users, dispatcher.reachable());
        assert_eq!(steps.len(), users.div_ceil(5000) as usize);
        if populations.iter().all(|population| matches!(population, Weight(_))) {
            let sum: u32 = (0..50).map(number).sum();
            for (step, classes) in (1..).zip(&steps) {
                let excess = if step == 20 { 1.005 } else { 1.15 };
                for (class, &users) in (0..).zip(classes) {
                    let share = f64::from(step * 5000 * number(class)) / f64::from(sum);
                    assert!(f64::from(users) <= share * excess, "{users} of {share}");
                }
            }
        }
        assert_eq!(ramp(&mut dispatcher, 0, 5000).len(), steps.len());
    }
}

#[test]
fn down_and_up_does_not_drift() {
    for classes in [1, 3] {
        let mut dispatcher = dispatcher(&["1", "2", "3"], &equal(classes));
        for _ in 0..10 {
            reach(&mut dispatcher, 9);
            assert_eq!(loads(&dispatcher), [3, 3, 3]);
            assert!(dispatcher.users_by_class().iter().all(|&users| users as usize == 9 / classes));
            reach(&mut dispatcher, 8);
        }
        reach(&mut dispatcher, 10);
        assert_eq!(loads_sorted(&dispatcher), [4, 3, 3]);
    }
}

#[test]
fn without_workers_users_wait_under_their_ids() {
    let mut dispatcher = dispatcher(&["a", "b"], &equal(2));
    assert_eq!(reach(&mut dispatcher, 6), [3, 3]);
    dispatcher.remove_worker("a");
    dispatcher.remove_worker("b");
    dispatcher.remove_worker("b");
    assert_eq!((dispatcher.users(), dispatcher.unplaced()), (0, 6));
    assert!(dispatcher.at_target());
    // Two of them are not wanted any more, and nobody is added without a worker.
    dispatcher.set_target(4, None);
    assert!(dispatcher.step(10));
    dispatcher.set_target(8, None);
    assert!(dispatcher.step(10), "the target is out of reach");
    assert_eq!((dispatcher.unplaced(), dispatcher.reachable()), (4, 4));
    dispatcher.add_worker("c", Some(3), 1);
    assert_eq!((dispatcher.users(), dispatcher.unplaced(), dispatcher.reachable()), (3, 1, 4));
    dispatcher.add_worker("d", None, 1);
    assert_eq!((loads(&dispatcher), dispatcher.unplaced()), (vec![2, 2], 0));
    assert!(!dispatcher.at_target() && dispatcher.step(4));
    assert_eq!(loads(&dispatcher), [3, 5]);
    assert_eq!(dispatcher.users_by_class(), [4, 4]);
}

#[test]
fn a_lower_limit_sends_users_away() {
    let mut dispatcher = dispatcher(&["a", "b"], &equal(2));
    reach(&mut dispatcher, 10);
    dispatcher.add_worker("a", Some(2), 1);
    assert_eq!(loads(&dispatcher), [2, 8]);
    assert_eq!(mix(&dispatcher, "a"), [1, 1]);
    dispatcher.add_worker("a", None, 1);
    assert_eq!((loads(&dispatcher), dispatcher.users_by_class()), (vec![5, 5], vec![5, 5]));
}

#[test]
fn who_waits_for_room_takes_that_of_finished_users() {
    let mut dispatcher = dispatcher(&["a", "b"], &equal(1));
    reach(&mut dispatcher, 6);
    dispatcher.add_worker("a", Some(3), 1);
    dispatcher.remove_worker("b");
    assert_eq!((dispatcher.users(), dispatcher.unplaced()), (3, 3));
    dispatcher.place_waiting();
    assert_eq!((dispatcher.users(), dispatcher.unplaced()), (3, 3));
    let first = dispatcher.placement("a")[0].ids.iter().next().expect("it has users");
    dispatcher.retire(first);
    dispatcher.place_waiting();
    assert_eq!((dispatcher.users(), dispatcher.unplaced()), (3, 2));
    // Nobody is added for it.
    assert!(dispatcher.step(5));
    assert_eq!((dispatcher.users(), dispatcher.unplaced()), (3, 2));
    assert!(!dispatcher.placement("a")[0].ids.contains(first));
}

#[test]
fn finished_users_are_not_replaced() {
    let mut dispatcher = dispatcher(&["a", "b"], &equal(2));
    reach(&mut dispatcher, 6);
    let ids = |dispatcher: &Dispatcher, worker| -> Vec<u32> {
        dispatcher.placement(worker).iter().flat_map(|class| class.ids.iter()).collect()
    };
    assert!(!dispatcher.all_retired());
    let first = ids(&dispatcher, "a")[0];
    dispatcher.retire(first);
    dispatcher.retire(first);
    dispatcher.retire(4_000_000_000);
    assert_eq!((dispatcher.users(), dispatcher.at_target()), (5, true));
    assert!(dispatcher.step(5) && dispatcher.users() == 5);
    // Up again: a new user under a new id. Down: the finished one is the first that goes.
    dispatcher.set_target(7, None);
    assert!(dispatcher.step(5));
    assert_eq!(dispatcher.users(), 6);
    assert!(!ids(&dispatcher, "a").contains(&first) && !ids(&dispatcher, "b").contains(&first));
    dispatcher.set_target(6, None);
    assert!(dispatcher.step(5) && dispatcher.users() == 6);
    // Users keep being found after workers came and went.
    dispatcher.add_worker("0", None, 1);
    dispatcher.remove_worker("a");
    for worker in ["0", "b"] {
        ids(&dispatcher, worker).into_iter().for_each(|id| dispatcher.retire(id));
    }
    assert!(dispatcher.all_retired() && dispatcher.users() == 0);
}
