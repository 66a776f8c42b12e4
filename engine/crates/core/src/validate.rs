//! Is a scenario one that can run? And the part of it that tags select.
//!
//! # Layout
//! - [`validate`]: refuses a scenario that cannot run, with the place and the way out.
//! - `tags`: [`select`], the part that `--tags` and `--exclude-tags` leave.

mod error;
mod tags;

use std::collections::BTreeSet;

pub use error::{Place, PlanError};
pub use tags::{select, unknown_tags};

use crate::plan::{Action, Order, Population, Scenario, Sharing, Task, TaskSet, UserClass, Wait};

/// Most classes of a scenario.
pub const CLASSES_MAX: usize = 1000;

/// Most task sets of a class.
pub const SETS_MAX: usize = 1000;

/// Most tasks of a class, over all its sets.
pub const TASKS_MAX: usize = 10_000;

/// Most tasks of a set with a Markov matrix, which grows with the square.
pub const MARKOV_TASKS_MAX: usize = 1000;

/// Most tags of a task.
pub const TAGS_MAX: usize = 100;

/// Longest name of a class, set, task or tag, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// Lowest [`Wait::Throughput`], in tasks a second and user: a pace of 11 days.
pub const THROUGHPUT_MIN: f64 = 1e-6;

/// Highest [`Wait::Throughput`], in tasks a second and user: a pace of 1 µs.
pub const THROUGHPUT_MAX: f64 = 1e6;

/// Checks that a scenario can run.
///
/// # Errors
/// The first thing that is wrong, with its place and the way out.
pub fn validate(scenario: &Scenario) -> Result<(), PlanError> {
    let classes = &scenario.classes;
    if classes.is_empty() {
        return Err(PlanError::NoClass);
    }
    if classes.len() > CLASSES_MAX {
        return Err(PlanError::TooManyClasses { count: classes.len() });
    }
    if scenario.sharing == Sharing::Shared(0) {
        return Err(PlanError::NobodyShares);
    }
    let mut names = BTreeSet::new();
    for (index, class) in classes.iter().enumerate() {
        validate_class(index, class)?;
        if !names.insert(class.name.as_str()) {
            return Err(PlanError::SameClassName { at: Place::class(index, class) });
        }
    }
    let somebody = |class: &UserClass| class.population.is_somebody();
    if classes.iter().any(somebody) { Ok(()) } else { Err(PlanError::NoUsers) }
}

/// Refuses what only the runtimes of scripting languages may have: waits that the guest decides.
///
/// # Errors
/// A class has such a wait.
pub fn refuse_custom_waits(scenario: &Scenario) -> Result<(), PlanError> {
    let is_custom = |(_, class): &(usize, &UserClass)| class.wait == Wait::Custom;
    match scenario.classes.iter().enumerate().find(is_custom) {
        Some((index, class)) => Err(PlanError::CustomWait { at: Place::class(index, class) }),
        None => Ok(()),
    }
}

/// Checks one class. `index` is its place in the scenario, for the message.
pub(crate) fn validate_class(index: usize, class: &UserClass) -> Result<(), PlanError> {
    let at = || Place::class(index, class);
    if class.name.is_empty() {
        return Err(PlanError::EmptyClassName { index });
    }
    check_name(&class.name, at)?;
    if let Population::Weight(weight) = class.population {
        check_weight(weight, at)?;
    }
    validate_wait(class, at)?;
    if class.sets.is_empty() {
        return Err(PlanError::NoSet { at: at() });
    }
    if class.sets.len() > SETS_MAX {
        return Err(PlanError::TooManySets { at: at(), count: class.sets.len() });
    }
    let tasks = class.sets.iter().map(|set| set.tasks.len()).sum();
    if tasks > TASKS_MAX {
        return Err(PlanError::TooManyTasks { at: at(), count: tasks });
    }
    let mut ids = BTreeSet::new();
    for (number, set) in class.sets.iter().enumerate() {
        let at = || Place::class(index, class).set(number, set);
        check_name(&set.name, at)?;
        for task in &set.tasks {
            let at = || at().task(task);
            validate_task(task, class.sets.len(), at)?;
            if task.action == Action::Run && !ids.insert(task.id) {
                return Err(PlanError::SameTaskId { at: at(), id: task.id });
            }
        }
        validate_set(set, at)?;
    }
    match endless_set(&class.sets) {
        Some(set) => Err(PlanError::NoTaskReached { at: at().set(set, &class.sets[set]) }),
        None => Ok(()),
    }
}

fn validate_wait(class: &UserClass, at: impl Fn() -> Place) -> Result<(), PlanError> {
    match class.wait {
        Wait::Between { min_ms, max_ms } if min_ms > max_ms => {
            Err(PlanError::WaitBackwards { at: at(), min_ms, max_ms })
        }
        Wait::Throughput(rate) if !(THROUGHPUT_MIN..=THROUGHPUT_MAX).contains(&rate) => {
            Err(PlanError::Throughput { at: at(), rate })
        }
        Wait::None
        | Wait::Custom
        | Wait::Constant(_)
        | Wait::Between { .. }
        | Wait::Pacing(_)
        | Wait::Throughput(_)
        | Wait::Exponential(_) => Ok(()),
    }
}

fn validate_task(task: &Task, sets: usize, at: impl Fn() -> Place) -> Result<(), PlanError> {
    check_name(&task.name, &at)?;
    check_weight(task.weight, &at)?;
    if task.tags.len() > TAGS_MAX {
        return Err(PlanError::TooManyTags { at: at(), count: task.tags.len() });
    }
    task.tags.iter().try_for_each(|tag| check_name(tag, &at))?;
    match task.action {
        Action::Enter(set) if set as usize >= sets => {
            Err(PlanError::NoSuchSet { at: at(), set, sets })
        }
        Action::Enter(_) | Action::Run => Ok(()),
    }
}

/// Checks a set whose tasks are checked already.
fn validate_set(set: &TaskSet, at: impl Fn() -> Place) -> Result<(), PlanError> {
    let tasks = &set.tasks;
    if tasks.is_empty() {
        return Err(PlanError::NoTask { at: at() });
    }
    match &set.order {
        Order::Sequential => Ok(()),
        Order::Weighted => {
            let sum: f64 = tasks.iter().map(|task| task.weight).sum();
            if sum == 0.0 {
                return Err(PlanError::NoWeight { at: at() });
            }
            if sum == f64::INFINITY {
                return Err(PlanError::WeightsTooLarge { at: at() });
            }
            Ok(())
        }
        Order::Markov(rows) => validate_matrix(rows, tasks, at),
    }
}

fn validate_matrix(
    rows: &[Vec<f64>],
    tasks: &[Task],
    at: impl Fn() -> Place,
) -> Result<(), PlanError> {
    if tasks.len() > MARKOV_TASKS_MAX {
        return Err(PlanError::MatrixTooLarge { at: at(), count: tasks.len() });
    }
    if rows.len() != tasks.len() {
        return Err(PlanError::MatrixRows { at: at(), rows: rows.len(), tasks: tasks.len() });
    }
    for (task, row) in tasks.iter().zip(rows) {
        let at = || at().task(task);
        if row.len() != tasks.len() {
            return Err(PlanError::RowLength { at: at(), len: row.len(), tasks: tasks.len() });
        }
        row.iter().try_for_each(|&weight| check_weight(weight, at))?;
        let sum: f64 = row.iter().sum();
        if sum == 0.0 {
            return Err(PlanError::NoSuccessor { at: at() });
        }
        if sum == f64::INFINITY {
            return Err(PlanError::WeightsTooLarge { at: at() });
        }
    }
    Ok(())
}

fn check_name(name: &str, at: impl Fn() -> Place) -> Result<(), PlanError> {
    if name.len() > NAME_BYTES_MAX {
        return Err(PlanError::LongName { at: at(), bytes: name.len() });
    }
    Ok(())
}

fn check_weight(weight: f64, at: impl Fn() -> Place) -> Result<(), PlanError> {
    if !weight.is_finite() || weight < 0.0 {
        return Err(PlanError::Weight { at: at(), weight });
    }
    Ok(())
}

/// A set that, once entered, only leads to further sets and never to a task that runs.
///
/// A set with weights gets out by any of its tasks, in the end; a sequence and a Markov chain
/// begin with their first task, so that one must.
fn endless_set(sets: &[TaskSet]) -> Option<usize> {
    let mut runs = vec![false; sets.len()];
    loop {
        let mut changed = false;
        for (index, set) in sets.iter().enumerate() {
            let leads = |task: &Task| match task.action {
                Action::Run => true,
                Action::Enter(set) => runs[set as usize],
            };
            let good = match set.order {
                Order::Weighted => set.tasks.iter().any(|task| task.weight > 0.0 && leads(task)),
                Order::Sequential | Order::Markov(_) => set.tasks.first().is_some_and(leads),
            };
            if good && !runs[index] {
                runs[index] = true;
                changed = true;
            }
        }
        if !changed {
            return runs.iter().position(|&runs| !runs);
        }
    }
}
