//! What a scenario consists of: the WIT `plan` interface as plain Rust data.

use serde::Serialize;

/// How long a virtual user rests between two tasks. Times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Not at all.
    None,
    /// Always this long.
    Constant(u32),
    /// Uniform in `[min_ms, max_ms]`.
    Between {
        /// Shortest rest.
        min_ms: u32,
        /// Longest rest.
        max_ms: u32,
    },
    /// From start to start of two tasks; late tasks follow at once.
    Pacing(u32),
    /// Tasks a second and user: pacing of `1000 / n` milliseconds.
    Throughput(f64),
    /// Exponentially distributed with this mean.
    Exponential(u32),
    /// Decided by the guest, which only the runtimes of scripting languages do; see
    /// [`crate::validate::refuse_custom_waits`].
    Custom,
}

/// What a user does after a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Rest, then the next task of the set.
    Rest,
    /// The next task at once.
    Hurry,
    /// Leave the nested set, back to its parent.
    Leave,
    /// This user is done; it is not replaced.
    Finish,
}

/// Which task of a set comes next.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// At random by weight.
    Weighted,
    /// In the order of the list, again and again.
    Sequential,
    /// Row `i` holds the weights of the tasks that may follow task `i`.
    Markov(Vec<Vec<f64>>),
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Calls the guest's `run` with the task's id.
    Run,
    /// Enters another set of the class, by index in [`UserClass::sets`].
    Enter(u32),
}

/// One task of a set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Task {
    /// What the guest's `run` gets. Unique in the class.
    pub id: u32,
    /// For people.
    pub name: String,
    /// Relative frequency among its set's tasks.
    pub weight: f64,
    /// For `--tags` and `--exclude-tags`.
    pub tags: Vec<String>,
    /// What happens when it is chosen.
    pub action: Action,
}

/// Tasks with an order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskSet {
    /// For people.
    pub name: String,
    /// Which task comes next.
    pub order: Order,
    /// Not empty.
    pub tasks: Vec<Task>,
}

/// How many of the users belong to a class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// A share of the users that no fixed class takes.
    Weight(f64),
    /// Exactly this many, spawned before the weighted classes.
    Fixed(u32),
}

impl Population {
    /// May the class have a user at all?
    #[must_use]
    pub fn is_somebody(self) -> bool {
        match self {
            Self::Weight(weight) => weight > 0.0,
            Self::Fixed(users) => users > 0,
        }
    }
}

/// One kind of virtual user.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UserClass {
    /// Unique in the scenario.
    pub name: String,
    /// How many of the users are of this class.
    pub population: Population,
    /// The class's own host in place of the test's.
    pub host: Option<String>,
    /// Rest between two tasks.
    pub wait: Wait,
    /// Task sets; the first is the root.
    pub sets: Vec<TaskSet>,
}

/// May one guest instance carry several users?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// An instance for each user.
    PerUser,
    /// Up to this many users take turns in one instance.
    Shared(u32),
}

/// What a scenario consists of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scenario {
    /// The user classes; users refer to them by index.
    pub classes: Vec<UserClass>,
    /// May users share an instance?
    pub sharing: Sharing,
    /// A class's host is a default: the one that is given to the test goes first.
    pub default_hosts: bool,
}
