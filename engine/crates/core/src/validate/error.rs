//! What can be wrong with a scenario, and where.

use std::fmt;

use thiserror::Error;

use super::{
    CLASSES_MAX, MARKOV_TASKS_MAX, NAME_BYTES_MAX, SETS_MAX, TAGS_MAX, TASKS_MAX, THROUGHPUT_MAX,
    THROUGHPUT_MIN,
};
use crate::plan::{Task, TaskSet, UserClass};

/// A place in a scenario: a class, one of its sets, one of the set's tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    class: String,
    set: Option<String>,
    task: Option<String>,
}

impl Place {
    pub(super) fn class(index: usize, class: &UserClass) -> Self {
        let name = shortened(&class.name).unwrap_or_else(|| format!("{index}"));
        Self { class: name, set: None, task: None }
    }

    pub(super) fn set(self, index: usize, set: &TaskSet) -> Self {
        let name = shortened(&set.name).map_or_else(String::new, |name| format!(" {name}"));
        Self { set: Some(format!("{index}{name}")), ..self }
    }

    pub(super) fn task(self, task: &Task) -> Self {
        let name = shortened(&task.name).unwrap_or_else(|| format!("with id {}", task.id));
        Self { task: Some(name), ..self }
    }
}

/// A name as messages show it. `None` if it is empty.
fn shortened(name: &str) -> Option<String> {
    const SHOWN_CHARS_MAX: usize = 64;
    if name.is_empty() {
        return None;
    }
    match name.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => Some(format!("{:?}...", &name[..end])),
        None => Some(format!("{name:?}")),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "class {}", self.class)?;
        if let Some(set) = &self.set {
            write!(out, ", set {set}")?;
        }
        if let Some(task) = &self.task {
            write!(out, ", task {task}")?;
        }
        Ok(())
    }
}

/// Why a scenario cannot run.
#[derive(Debug, Clone, PartialEq, Error)]
#[expect(missing_docs, reason = "each variant's message says what it is")]
pub enum PlanError {
    #[error("the scenario has no user class: describe at least one")]
    NoClass,
    #[error("the scenario has {count} classes: at most {CLASSES_MAX} are possible, merge some")]
    TooManyClasses { count: usize },
    #[error("the scenario is shared by 0 users: let at least 1 share, or say per-user")]
    NobodyShares,
    #[error("all classes have weight 0 or 0 fixed users: give one of them a weight above 0")]
    NoUsers,
    #[error("class {index} has an empty name: give it one")]
    EmptyClassName { index: usize },
    #[error("{at}: a class before it has the same name: rename one of them")]
    SameClassName { at: Place },
    #[error("{at}: a name or tag of {bytes} bytes: shorten it to {NAME_BYTES_MAX}")]
    LongName { at: Place, bytes: usize },
    #[error("{at}: weight {weight}: use a finite number of at least 0")]
    Weight { at: Place, weight: f64 },
    #[error("{at}: wait between {min_ms} and {max_ms} ms: the first must not be above the second")]
    WaitBackwards { at: Place, min_ms: u32, max_ms: u32 },
    #[error("{at}: throughput of {rate} tasks a second: use {THROUGHPUT_MIN} to {THROUGHPUT_MAX}")]
    Throughput { at: Place, rate: f64 },
    #[error(
        "{at}: a custom wait needs hooks, which this version does not run: use one of the others"
    )]
    CustomWait { at: Place },
    #[error("{at}: has no task set: give it at least one")]
    NoSet { at: Place },
    #[error("{at}: has {count} task sets: at most {SETS_MAX} are possible, merge some")]
    TooManySets { at: Place, count: usize },
    #[error("{at}: has {count} tasks: at most {TASKS_MAX} are possible, split the class")]
    TooManyTasks { at: Place, count: usize },
    #[error("{at}: has {count} tags: at most {TAGS_MAX} are possible")]
    TooManyTags { at: Place, count: usize },
    #[error("{at}: has no task: give it at least one, or remove the set")]
    NoTask { at: Place },
    #[error("{at}: all weights are 0: give a task a weight above 0")]
    NoWeight { at: Place },
    #[error("{at}: the sum of the weights is infinite: scale them down")]
    WeightsTooLarge { at: Place },
    #[error("{at}: another task of the class has the id {id}, too: number them differently")]
    SameTaskId { at: Place, id: u32 },
    #[error("{at}: enters set {set}, but the class has {sets}, counted from 0: correct the index")]
    NoSuchSet { at: Place, set: u32, sets: usize },
    #[error(
        "{at}: who enters it only enters further sets and never runs a task: \
         let it begin with a task that runs"
    )]
    NoTaskReached { at: Place },
    #[error(
        "{at}: a Markov set of {count} tasks: at most {MARKOV_TASKS_MAX} are possible, \
         split it into nested sets"
    )]
    MatrixTooLarge { at: Place, count: usize },
    #[error("{at}: the Markov matrix has {rows} rows for {tasks} tasks: give each task one")]
    MatrixRows { at: Place, rows: usize, tasks: usize },
    #[error("{at}: its Markov row has {len} weights for {tasks} tasks: give each task one")]
    RowLength { at: Place, len: usize, tasks: usize },
    #[error("{at}: its Markov row has only weights of 0: say which task may follow")]
    NoSuccessor { at: Place },
    #[error("{at}: no task is left with {selection}: loosen the tags or drop the class")]
    NoTaskLeft { at: Place, selection: String },
    #[error(
        "{at}: none of the tasks that may follow it is left with {selection}: \
         keep one of those or drop this one, too"
    )]
    NoSuccessorLeft { at: Place, selection: String },
}
