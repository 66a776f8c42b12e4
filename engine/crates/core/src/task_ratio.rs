//! How often the tasks of a class run, as its plan says: what people read as the task ratio.

use std::collections::BTreeMap;

use crate::choice::DEPTH_MAX;
use crate::plan::{Action, Order, TaskSet, UserClass};

/// Most tasks that are told of a class, those of entered sets at each place where they are entered.
pub const RATIOS_MAX: usize = 10_000;

/// Most and fewest steps in which the long run of a Markov chain is looked for, and how many
/// multiplications these may take.
const STEPS_MAX: usize = 2_000;
const STEPS_MIN: usize = 20;
const PRODUCTS_MAX: usize = 2_000_000;

/// A task of a set, and how often it is chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRatio {
    /// Unique in its set: tasks with the same name are one.
    pub name: String,
    /// Its part of all choices that are made in its set, from 0 to 1.
    pub ratio: f64,
    /// The tasks of the set that it enters; empty for a task that calls the guest.
    pub tasks: Vec<TaskRatio>,
}

/// The tasks of a class, from its root. The class must be one that
/// [`crate::validate::validate`] accepts.
///
/// Of a Markov chain it is the long run. A set that is entered from inside itself is told once, and
/// beyond [`RATIOS_MAX`] tasks no further set is.
#[must_use]
pub fn task_ratios(class: &UserClass) -> Vec<TaskRatio> {
    let mut teller = Teller { sets: &class.sets, path: Vec::new(), told: 0 };
    teller.set(0)
}

struct Teller<'a> {
    sets: &'a [TaskSet],
    /// The sets that lead to this one.
    path: Vec<usize>,
    told: usize,
}

impl Teller<'_> {
    fn set(&mut self, number: usize) -> Vec<TaskRatio> {
        let Some(set) = self.sets.get(number) else { return Vec::new() };
        self.told += set.tasks.len();
        self.path.push(number);
        let mut ratios: Vec<TaskRatio> = Vec::with_capacity(set.tasks.len());
        let mut places = BTreeMap::new();
        for (task, ratio) in set.tasks.iter().zip(shares(set)) {
            let (name, entered) = match task.action {
                Action::Run => (named(&task.name, "task", task.id), None),
                Action::Enter(inner) => (named(&task.name, "set", inner), Some(inner as usize)),
            };
            if let Some(&place) = places.get(&name) {
                let known: &mut TaskRatio = &mut ratios[place];
                known.ratio += ratio;
                continue;
            }
            let entered = entered.filter(|inner| self.may_enter(*inner));
            let tasks = entered.map(|inner| self.set(inner)).unwrap_or_default();
            places.insert(name.clone(), ratios.len());
            ratios.push(TaskRatio { name, ratio, tasks });
        }
        self.path.pop();
        ratios
    }

    fn may_enter(&self, set: usize) -> bool {
        self.path.len() < DEPTH_MAX && !self.path.contains(&set) && self.told < RATIOS_MAX
    }
}

/// What people call it; a task without a name is told by its number.
fn named(name: &str, kind: &str, number: u32) -> String {
    if name.is_empty() { format!("{kind} {number}") } else { name.to_owned() }
}

/// The part of each task in the choices of a set.
#[expect(clippy::cast_precision_loss, reason = "a set has at most 10,000 tasks")]
fn shares(set: &TaskSet) -> Vec<f64> {
    match &set.order {
        Order::Sequential => vec![1.0 / set.tasks.len() as f64; set.tasks.len()],
        Order::Weighted => scaled(set.tasks.iter().map(|task| task.weight).collect()),
        Order::Markov(rows) => long_run(rows),
    }
}

/// Scaled to a sum of 1.
fn scaled(weights: Vec<f64>) -> Vec<f64> {
    // First by the largest: a sum could be infinite.
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let sum: f64 = weights.iter().map(|weight| weight / largest).sum();
    weights.into_iter().map(|weight| weight / largest / sum).collect()
}

/// Where a chain that begins with its first task is in the long run. Every other step it stays
/// where it is, which changes nothing of that and keeps a chain that goes round from never
/// settling.
fn long_run(rows: &[Vec<f64>]) -> Vec<f64> {
    let rows: Vec<Vec<f64>> = rows.iter().map(|row| scaled(row.clone())).collect();
    let mut at = vec![0.0; rows.len()];
    if let Some(first) = at.first_mut() {
        *first = 1.0;
    }
    let products = rows.len().saturating_mul(rows.len()).max(1);
    for _ in 0..(PRODUCTS_MAX / products).clamp(STEPS_MIN, STEPS_MAX) {
        let mut next: Vec<f64> = at.iter().map(|share| share / 2.0).collect();
        for (share, row) in at.iter().zip(&rows).filter(|(share, _)| **share > 0.0) {
            next.iter_mut().zip(row).for_each(|(next, weight)| *next += share * weight / 2.0);
        }
        at = next;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Population, Task, Wait};

    fn task(id: u32, name: &str, weight: f64, action: Action) -> Task {
        Task { id, name: name.to_owned(), weight, tags: Vec::new(), action }
    }

    fn set(order: Order, tasks: Vec<Task>) -> TaskSet {
        TaskSet { name: String::new(), order, tasks }
    }

    fn told(sets: Vec<TaskSet>) -> Vec<TaskRatio> {
        let class = UserClass {
            name: "Shopper".to_owned(),
            population: Population::Weight(1.0),
            host: None,
            wait: Wait::None,
            sets,
        };
        crate::validate::validate_class(0, &class).expect("a sound class");
        task_ratios(&class)
    }

    fn pairs(ratios: &[TaskRatio]) -> Vec<(&str, f64)> {
        let rounded = |ratio: f64| (ratio * 1e6).round() / 1e6;
        ratios.iter().map(|task| (task.name.as_str(), rounded(task.ratio))).collect()
    }

    #[test]
    fn weights_are_scaled_and_sequences_are_even() {
        let run = Action::Run;
        let weighted = vec![task(1, "a", 3.0, run), task(2, "", 1.0, run), task(3, "a", 4.0, run)];
        let ratios = told(vec![set(Order::Weighted, weighted.clone())]);
        assert_eq!(pairs(&ratios), [("a", 0.875), ("task 2", 0.125)]);
        let ratios = told(vec![set(Order::Sequential, weighted)]);
        assert_eq!(pairs(&ratios), [("a", 0.666_667), ("task 2", 0.333_333)]);
        let huge = vec![task(1, "a", 8e307, run), task(2, "b", 8e307, run)];
        assert_eq!(pairs(&told(vec![set(Order::Weighted, huge)])), [("a", 0.5), ("b", 0.5)]);
    }

    #[test]
    fn entered_sets_are_told_below_their_task() {
        let inner = set(Order::Weighted, vec![task(7, "pay", 1.0, Action::Run)]);
        let enter = task(2, "checkout", 1.0, Action::Enter(1));
        let root = set(Order::Weighted, vec![task(1, "look", 3.0, Action::Run), enter]);
        let ratios = told(vec![root, inner]);
        assert_eq!(pairs(&ratios), [("look", 0.75), ("checkout", 0.25)]);
        assert_eq!(pairs(&ratios[1].tasks), [("pay", 1.0)]);
    }

    #[test]
    fn sets_that_enter_each_other_come_to_an_end() {
        let both = |other| vec![task(1, "x", 1.0, Action::Run), task(9, "", 1.0, other)];
        let sets: Vec<_> = [Action::Enter(1), Action::Enter(0)]
            .into_iter()
            .zip([1, 2])
            .map(|(other, id)| {
                let mut tasks = both(other);
                tasks[0].id = id;
                set(Order::Weighted, tasks)
            })
            .collect();
        let ratios = told(sets);
        assert_eq!(pairs(&ratios), [("x", 0.5), ("set 1", 0.5)]);
        let inner = &ratios[1].tasks;
        assert_eq!((inner.len(), inner[1].tasks.len()), (2, 0));

        // Each of 30 sets enters all others: without a bound that would be more than 10^30 tasks.
        let enter =
            |from: u32| (0..30).map(move |to| task(0, "", 1.0, Action::Enter((from + to) % 30)));
        let tasks = |from: u32| enter(from).chain([task(from, "x", 1.0, Action::Run)]).collect();
        let sets = (0..30).map(|from| set(Order::Weighted, tasks(from))).collect();
        fn size(ratios: &[TaskRatio]) -> usize {
            ratios.iter().map(|task| 1 + size(&task.tasks)).sum()
        }
        assert!(size(&told(sets)) <= RATIOS_MAX + 31 * DEPTH_MAX);
    }

    #[test]
    fn a_chain_is_told_by_its_long_run() {
        let tasks =
            || ["a", "b", "c"].iter().zip(1..).map(|(name, id)| task(id, name, 1.0, Action::Run));
        let rows = vec![vec![1.0, 1.0, 0.0], vec![1.0, 0.0, 0.0], vec![1.0, 0.0, 0.0]];
        let ratios = told(vec![set(Order::Markov(rows), tasks().collect())]);
        assert_eq!(pairs(&ratios), [("a", 0.666_667), ("b", 0.333_333), ("c", 0.0)]);
        // One that goes round.
        let rows = vec![vec![0.0, 2.0, 0.0], vec![0.0, 0.0, 5.0], vec![1.0, 0.0, 0.0]];
        let ratios = told(vec![set(Order::Markov(rows), tasks().collect())]);
        assert_eq!(pairs(&ratios), [("a", 0.333_333), ("b", 0.333_333), ("c", 0.333_333)]);
    }
}
