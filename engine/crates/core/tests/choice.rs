//! A user's tasks and waits: the plan's orders, weights and times.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use swarm_core::choice::{After, ClassPlan, Cursor, DEPTH_MAX, user_seed};
use swarm_core::plan::{Action, Order, Population, Task, TaskSet, Then, UserClass, Wait};
use swarm_core::validate::PlanError;

fn run(id: u32, weight: f64) -> Task {
    let name = format!("task {id}");
    Task { id, name, weight, tags: Vec::new(), action: Action::Run }
}

fn enter(set: u32) -> Task {
    let name = format!("to {set}");
    Task { id: 0, name, weight: 1.0, tags: Vec::new(), action: Action::Enter(set) }
}

fn set(order: Order, tasks: Vec<Task>) -> TaskSet {
    TaskSet { name: "set".to_owned(), order, tasks }
}

fn class(wait: Wait, sets: Vec<TaskSet>) -> UserClass {
    let (name, population) = ("Shopper".to_owned(), Population::Weight(1.0));
    UserClass { name, population, host: None, wait, sets }
}

fn plan(wait: Wait, sets: Vec<TaskSet>) -> ClassPlan {
    ClassPlan::new(&class(wait, sets)).unwrap()
}

fn one_task(wait: Wait) -> ClassPlan {
    plan(wait, vec![set(Order::Weighted, vec![run(1, 1.0)])])
}

fn tasks(plan: &ClassPlan, cursor: &mut Cursor, count: usize) -> Vec<u32> {
    (0..count).map(|_| cursor.next_task(plan).unwrap()).collect()
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn a_cursor_is_small() {
    assert!(size_of::<Cursor>() <= 64, "{} bytes", size_of::<Cursor>());
}

#[test]
fn weights_are_respected() {
    let weights = [5.0, 0.0, 1.0, 0.5, 3.5, 0.0];
    let listed = (0..).zip(weights).map(|(id, weight)| run(id, weight)).collect();
    let plan = plan(Wait::None, vec![set(Order::Weighted, listed)]);
    let mut counts = [0_u32; 6];
    for user in 0..100 {
        let mut cursor = Cursor::new(user_seed(1, user));
        tasks(&plan, &mut cursor, 1000).into_iter().for_each(|task| counts[task as usize] += 1);
    }
    for (count, weight) in counts.into_iter().zip(weights) {
        let (share, got) = (weight / 10.0, f64::from(count) / 100_000.0);
        // Five standard deviations.
        let tolerance = 5.0 * (share * (1.0 - share) / 100_000.0_f64).sqrt();
        assert!((got - share).abs() <= tolerance, "{got} of {share}");
    }
}

#[test]
fn first_tasks_of_users_differ() {
    let listed = (0..10).map(|id| run(id, 1.0)).collect();
    let plan = plan(Wait::None, vec![set(Order::Weighted, listed)]);
    let mut counts = BTreeMap::new();
    for user in 0..10_000 {
        let task = Cursor::new(user_seed(7, user)).next_task(&plan).unwrap();
        *counts.entry(task).or_insert(0) += 1;
    }
    assert!(counts.values().all(|count| (850..1150).contains(count)), "{counts:?}");
}

#[test]
fn a_sequence_goes_round_whatever_the_weights() {
    let listed = vec![run(3, 0.0), run(1, 9.0), run(2, 0.0)];
    let plan = plan(Wait::None, vec![set(Order::Sequential, listed)]);
    assert_eq!(tasks(&plan, &mut Cursor::new(5), 7), [3, 1, 2, 3, 1, 2, 3]);
}

#[test]
fn a_markov_chain_begins_with_its_first_task_and_follows_the_rows() {
    let rows = vec![vec![0.0, 3.0, 1.0], vec![1.0, 0.0, 0.0], vec![0.0, 0.0, 2.0]];
    let listed = vec![run(10, 0.0), run(11, 0.0), run(12, 0.0)];
    let plan = plan(Wait::None, vec![set(Order::Markov(rows), listed)]);
    let mut steps = BTreeMap::new();
    for user in 0..4000 {
        let went = tasks(&plan, &mut Cursor::new(user_seed(3, user)), 4);
        assert_eq!(went[0], 10);
        went.windows(2).for_each(|pair| *steps.entry((pair[0], pair[1])).or_insert(0_u32) += 1);
    }
    let to_11 = f64::from(steps[&(10, 11)]);
    let share = to_11 / (to_11 + f64::from(steps[&(10, 12)]));
    assert!((share - 0.75).abs() < 0.03, "{share}");
    let seen: Vec<_> = steps.into_keys().collect();
    assert_eq!(seen, [(10, 11), (10, 12), (11, 10), (12, 12)]);
}

/// Root: 1, then the nested set, then 2. Nested: 7, 8, again and again until it is left.
fn nested() -> ClassPlan {
    let root = set(Order::Sequential, vec![run(1, 1.0), enter(1), run(2, 1.0)]);
    let inner = set(Order::Sequential, vec![run(7, 1.0), run(8, 1.0)]);
    plan(Wait::Constant(1000), vec![root, inner])
}

#[test]
fn a_nested_set_goes_on_until_it_is_left() {
    let plan = nested();
    let mut cursor = Cursor::new(1);
    assert_eq!(tasks(&plan, &mut cursor, 6), [1, 7, 8, 7, 8, 7]);
    let now = secs(5.0);
    // The set around goes on at once, after the task that entered, and the next visit is new.
    assert_eq!(cursor.after(&plan, Then::Leave, now, now), After::Now);
    assert_eq!(tasks(&plan, &mut cursor, 4), [2, 1, 7, 8]);
}

#[test]
fn leaving_the_root_is_a_rest() {
    let plan = nested();
    let mut cursor = Cursor::new(1);
    assert_eq!(cursor.next_task(&plan), Ok(1));
    let after = cursor.after(&plan, Then::Leave, secs(5.0), secs(6.0));
    assert_eq!(after, After::RestUntil(secs(7.0)));
    assert_eq!(cursor.next_task(&plan), Ok(7));
}

#[test]
fn who_never_leaves_is_brought_back_from_the_depth() {
    let root = set(Order::Sequential, vec![run(1, 1.0), enter(0)]);
    let plan = plan(Wait::None, vec![root]);
    let mut cursor = Cursor::new(1);
    assert_eq!(tasks(&plan, &mut cursor, DEPTH_MAX), vec![1; DEPTH_MAX]);
    let error = cursor.next_task(&plan).unwrap_err();
    let message = "class \"Shopper\": entering set \"set\" would be more than 32 task sets deep: \
                   let its tasks leave the set";
    assert_eq!(error.to_string(), message);
    assert_eq!(tasks(&plan, &mut cursor, DEPTH_MAX), vec![1; DEPTH_MAX]);
}

#[test]
fn same_seed_same_user() {
    let listed = (0..10).map(|id| run(id, 1.0)).collect();
    let plan = plan(Wait::Exponential(700), vec![set(Order::Weighted, listed)]);
    let story = |seed| -> Vec<(u32, After)> {
        let mut cursor = Cursor::new(seed);
        let step = |_| {
            let task = cursor.next_task(&plan).unwrap();
            (task, cursor.after(&plan, Then::Rest, secs(1.0), secs(2.0)))
        };
        (0..100).map(step).collect()
    };
    assert_eq!(story(user_seed(42, 7)), story(user_seed(42, 7)));
    assert_ne!(story(user_seed(42, 7)), story(user_seed(42, 8)));
    assert_ne!(story(user_seed(42, 7)), story(user_seed(43, 7)));
}

#[test]
fn seeds_are_distinct_and_well_mixed() {
    let mut seeds: Vec<u64> = (0..100_000).map(|user| user_seed(0, user)).collect();
    let flipped: u32 =
        seeds.windows(2).map(|pair| (pair[0] ^ pair[1]).count_ones()).sum::<u32>() / 99_999;
    assert!((31..=32).contains(&flipped), "neighbours differ in {flipped} bits");
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 100_000);
}

#[test]
fn rests_last_as_long_as_the_plan_says() {
    let now = secs(10.0);
    let rest = |wait| Cursor::new(1).after(&one_task(wait), Then::Rest, secs(9.0), now);
    assert_eq!(rest(Wait::None), After::Now);
    assert_eq!(rest(Wait::Constant(0)), After::Now);
    assert_eq!(rest(Wait::Constant(250)), After::RestUntil(secs(10.25)));
    assert_eq!(rest(Wait::Between { min_ms: 30, max_ms: 30 }), After::RestUntil(secs(10.03)));
    assert_eq!(rest(Wait::Pacing(3000)), After::RestUntil(secs(12.0)));
    assert_eq!(rest(Wait::Throughput(0.5)), After::RestUntil(secs(11.0)));
    assert_eq!(rest(Wait::Exponential(0)), After::Now);
}

#[test]
fn hurry_and_finish_do_not_rest() {
    let plan = one_task(Wait::Constant(1000));
    let mut cursor = Cursor::new(1);
    assert_eq!(cursor.after(&plan, Then::Hurry, secs(1.0), secs(2.0)), After::Now);
    assert_eq!(cursor.after(&plan, Then::Finish, secs(2.0), secs(3.0)), After::Finish);
}

fn rests(wait: Wait, count: u32) -> Vec<f64> {
    let plan = one_task(wait);
    let mut cursor = Cursor::new(user_seed(9, 9));
    let now = secs(100.0);
    let mut rest = || match cursor.after(&plan, Then::Rest, now, now) {
        After::RestUntil(until) => (until - now).as_secs_f64(),
        After::Now => 0.0,
        After::Finish => unreachable!("the user was told to rest"),
    };
    (0..count).map(|_| rest()).collect()
}

#[test]
fn between_is_uniform() {
    let rests = rests(Wait::Between { min_ms: 1000, max_ms: 3000 }, 100_000);
    assert!(rests.iter().all(|rest| (1.0..=3.0).contains(rest)));
    for tenth in 0..10 {
        let low = 1.0 + 0.2 * f64::from(tenth);
        let count = rests.iter().filter(|&&rest| (low..low + 0.2).contains(&rest)).count();
        assert!((9500..10_500).contains(&count), "{count} from {low}");
    }
}

#[test]
fn exponential_has_its_mean_and_shape() {
    let rests = rests(Wait::Exponential(2000), 100_000);
    let mean = rests.iter().sum::<f64>() / 100_000.0;
    assert!((mean - 2.0).abs() < 0.03, "{mean}");
    for (longer_than, share) in [(2.0, 0.3679), (4.0, 0.1353), (8.0, 0.0183)] {
        let count = rests.iter().filter(|&&rest| rest > longer_than).count();
        let got = count as f64 / 100_000.0;
        assert!((got - share).abs() < 0.01, "{got} of {share}");
    }
}

#[test]
fn a_pace_counts_from_due_to_due() {
    let plan = one_task(Wait::Pacing(1000));
    let mut cursor = Cursor::new(1);
    // Due at 5.0, run until 5.3.
    assert_eq!(cursor.after(&plan, Then::Rest, secs(5.0), secs(5.3)), After::RestUntil(secs(6.0)));
    // Exactly the period: at once, and still in time.
    assert_eq!(cursor.after(&plan, Then::Rest, secs(6.0), secs(7.0)), After::Now);
    // Overrun by 2.4 periods: one task at once, nothing caught up.
    assert_eq!(cursor.after(&plan, Then::Rest, secs(7.0), secs(10.4)), After::Now);
    let after = cursor.after(&plan, Then::Rest, secs(10.4), secs(10.5));
    assert_eq!(after, After::RestUntil(secs(11.4)));
}

#[test]
fn a_pace_spans_tasks_without_a_rest_between() {
    let root = set(Order::Sequential, vec![run(1, 1.0), enter(1)]);
    let inner = set(Order::Sequential, vec![run(7, 1.0)]);
    let plan = plan(Wait::Pacing(2000), vec![root, inner]);
    let mut cursor = Cursor::new(1);
    assert_eq!(tasks(&plan, &mut cursor, 2), [1, 7]);
    assert_eq!(cursor.after(&plan, Then::Hurry, secs(1.0), secs(1.5)), After::Now);
    assert_eq!(cursor.after(&plan, Then::Leave, secs(1.5), secs(1.7)), After::Now);
    assert_eq!(cursor.after(&plan, Then::Rest, secs(1.7), secs(2.0)), After::RestUntil(secs(3.0)));
    assert_eq!(cursor.after(&plan, Then::Rest, secs(3.0), secs(3.1)), After::RestUntil(secs(5.0)));
}

#[test]
fn a_class_that_cannot_run_has_no_plan() {
    let error = ClassPlan::new(&class(Wait::None, Vec::new())).unwrap_err();
    assert!(matches!(error, PlanError::NoSet { .. }));
}
