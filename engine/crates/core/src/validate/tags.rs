//! The part of a scenario that tags select.

use std::collections::BTreeSet;

use super::{Place, PlanError, validate};
use crate::plan::{Action, Order, Scenario, Task, TaskSet, UserClass};

/// The scenario without the tasks that the tags leave out: a task runs if it has one of `tags`
/// (or `tags` is empty) and none of `exclude`.
///
/// A task that enters a set passes its tags on to everything inside; it stays as long as something
/// in there does, and sets without tasks go. A task of weight 0 in a set by weight never runs, so
/// it keeps no set alive. Markov matrices lose the rows and columns of the tasks that go. Classes
/// keep their indexes, tasks their ids; sets are renumbered.
///
/// # Errors
/// The scenario is not valid, before or after; no task of a class is left; or a task of a Markov
/// set is left without a successor.
pub fn select(
    scenario: &Scenario,
    tags: &[String],
    exclude: &[String],
) -> Result<Scenario, PlanError> {
    validate(scenario)?;
    if tags.is_empty() && exclude.is_empty() {
        return Ok(scenario.clone());
    }
    let selection = Selection { tags, exclude };
    let classes = scenario.classes.iter().enumerate();
    let classes = classes.map(|(index, class)| selection.class(index, class));
    let selected = Scenario { classes: classes.collect::<Result<_, _>>()?, ..*scenario };
    validate(&selected)?;
    Ok(selected)
}

/// Those of `tags` that no task has: they select nothing, and leave nothing out.
pub fn unknown_tags<'a>(
    scenario: &Scenario,
    tags: impl Iterator<Item = &'a String>,
) -> Vec<&'a String> {
    let sets = scenario.classes.iter().flat_map(|class| &class.sets);
    let known: BTreeSet<&String> =
        sets.flat_map(|set| &set.tasks).flat_map(|task| &task.tags).collect();
    tags.filter(|tag| !known.contains(tag)).collect()
}

struct Selection<'a> {
    tags: &'a [String],
    exclude: &'a [String],
}

impl Selection<'_> {
    fn class(&self, index: usize, class: &UserClass) -> Result<UserClass, PlanError> {
        let inherited = inherited_tags(&class.sets);
        let runs = |set: usize, task: &Task| {
            let has =
                |tag: &String| task.tags.contains(tag) || inherited[set].contains(tag.as_str());
            (self.tags.is_empty() || self.tags.iter().any(has)) && !self.exclude.iter().any(has)
        };
        let numbers = numbers_of_kept_sets(&class.sets, runs);
        let at = || Place::class(index, class);
        if numbers[0].is_none() {
            return Err(PlanError::NoTaskLeft { at: at(), selection: self.said() });
        }
        let mut sets = Vec::new();
        for (number, set) in class.sets.iter().enumerate() {
            if numbers[number].is_some() {
                let kept = |task: &Task| match task.action {
                    Action::Run => runs(number, task).then_some(Action::Run),
                    Action::Enter(set) => numbers[set as usize].map(Action::Enter),
                };
                sets.push(self.set(set, kept, || at().set(number, set))?);
            }
        }
        Ok(UserClass { sets, ..class.clone() })
    }

    /// The set with the tasks for which `kept` says what they do from now on.
    fn set(
        &self,
        set: &TaskSet,
        kept: impl Fn(&Task) -> Option<Action>,
        at: impl Fn() -> Place,
    ) -> Result<TaskSet, PlanError> {
        let actions: Vec<Option<Action>> = set.tasks.iter().map(kept).collect();
        let tasks = set
            .tasks
            .iter()
            .zip(&actions)
            .filter_map(|(task, action)| action.map(|action| Task { action, ..task.clone() }));
        let order = match &set.order {
            Order::Weighted => Order::Weighted,
            Order::Sequential => Order::Sequential,
            Order::Markov(rows) => {
                let mut cut = Vec::new();
                for (index, row) in rows.iter().enumerate() {
                    if actions[index].is_some() {
                        let row: Vec<f64> = of_kept(row, &actions).collect();
                        if row.iter().all(|&weight| weight == 0.0) {
                            let at = at().task(&set.tasks[index]);
                            let selection = self.said();
                            return Err(PlanError::NoSuccessorLeft { at, selection });
                        }
                        cut.push(row);
                    }
                }
                Order::Markov(cut)
            }
        };
        Ok(TaskSet { name: set.name.clone(), order, tasks: tasks.collect() })
    }

    /// As on the command line.
    fn said(&self) -> String {
        let mut said = Vec::new();
        if !self.tags.is_empty() {
            said.push(format!("--tags {}", self.tags.join(" ")));
        }
        if !self.exclude.is_empty() {
            said.push(format!("--exclude-tags {}", self.exclude.join(" ")));
        }
        said.join(" ")
    }
}

fn of_kept(row: &[f64], kept: &[Option<Action>]) -> impl Iterator<Item = f64> {
    row.iter().zip(kept).filter(|(_, kept)| kept.is_some()).map(|(&weight, _)| weight)
}

/// By set: the tags of the tasks that enter it, and of those that enter what these are in.
fn inherited_tags(sets: &[TaskSet]) -> Vec<BTreeSet<&str>> {
    let mut inherited: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); sets.len()];
    loop {
        let mut changed = false;
        for (index, set) in sets.iter().enumerate() {
            for task in &set.tasks {
                if let Action::Enter(inner) = task.action {
                    let mut tags = inherited[index].clone();
                    tags.extend(task.tags.iter().map(String::as_str));
                    let inner = &mut inherited[inner as usize];
                    let before = inner.len();
                    inner.append(&mut tags);
                    changed |= inner.len() > before;
                }
            }
        }
        if !changed {
            return inherited;
        }
    }
}

/// By set: its new index if a task is left in it or in a set that it enters.
fn numbers_of_kept_sets(sets: &[TaskSet], runs: impl Fn(usize, &Task) -> bool) -> Vec<Option<u32>> {
    let mut kept = vec![false; sets.len()];
    loop {
        let mut changed = false;
        for (index, set) in sets.iter().enumerate() {
            let stays = |task: &Task| {
                let chosen = task.weight > 0.0 || !matches!(set.order, Order::Weighted);
                chosen
                    && match task.action {
                        Action::Run => runs(index, task),
                        Action::Enter(inner) => kept[inner as usize],
                    }
            };
            if !kept[index] && set.tasks.iter().any(stays) {
                kept[index] = true;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let mut next = 0..;
    kept.into_iter().map(|kept| if kept { next.next() } else { None }).collect()
}
