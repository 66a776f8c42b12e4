//! The plan as constants: what the macros write down and `describe` hands to the host.
//!
//! Every constructor is a `const fn` that panics on nonsense, so a mistake is an error of the
//! author's build, at the place of the mistake, and never one of the running test.

use crate::bindings::swarm::scenario::plan as wit;

/// Longest wait in seconds: 24 hours, far below what `u32` milliseconds hold.
const WAIT_MAX_S: f64 = 86_400.0;

/// How long a user rests between two tasks. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wait {
    /// Not at all.
    None,
    /// Always this long.
    Constant(u32),
    /// Uniform between two bounds.
    Between(u32, u32),
    /// From start to start of two tasks.
    Pacing(u32),
    /// Tasks a second.
    Throughput(f64),
    /// Exponential with this mean.
    Exponential(u32),
}

/// The waits as they are written in `#[user(wait = ...)]`. Times in seconds, as `f64`.
pub mod wait {
    use super::{WAIT_MAX_S, Wait};

    /// No rest at all.
    #[must_use]
    pub const fn none() -> Wait {
        Wait::None
    }

    /// Always `seconds`.
    #[must_use]
    #[track_caller]
    pub const fn constant(seconds: f64) -> Wait {
        Wait::Constant(milliseconds(seconds))
    }

    /// Uniform between `min` and `max` seconds.
    #[must_use]
    #[track_caller]
    pub const fn between(min: f64, max: f64) -> Wait {
        assert!(min <= max, "`between(min, max)`: the first bound is above the second; swap them");
        Wait::Between(milliseconds(min), milliseconds(max))
    }

    /// `seconds` from the start of a task to the start of the next one.
    #[must_use]
    #[track_caller]
    pub const fn pacing(seconds: f64) -> Wait {
        assert!(seconds > 0.0, "`pacing(seconds)` must be above 0; for no rest write `none`");
        Wait::Pacing(milliseconds(seconds))
    }

    /// `n` tasks a second and user.
    #[must_use]
    #[track_caller]
    pub const fn throughput(n: f64) -> Wait {
        assert!(n > 0.0 && n.is_finite(), "`throughput(n)`: n tasks a second must be above 0");
        Wait::Throughput(n)
    }

    /// Exponentially distributed with a mean of `seconds`.
    #[must_use]
    #[track_caller]
    pub const fn exponential(seconds: f64) -> Wait {
        assert!(seconds > 0.0, "`exponential(mean)`: the mean must be above 0 seconds");
        Wait::Exponential(milliseconds(seconds))
    }

    #[track_caller]
    const fn milliseconds(seconds: f64) -> u32 {
        assert!(seconds >= 0.0, "a wait can't be negative: it is a number of seconds");
        assert!(seconds <= WAIT_MAX_S, "a wait is in seconds and at most a day (86400)");
        let rounded = (seconds * 1000.0).round();
        assert!(rounded > 0.0 || seconds == 0.0, "a wait below a millisecond; for none write 0");
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        let ms = rounded as u32;
        ms
    }
}

/// How many of the users belong to a class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Population {
    /// A share of the users that no fixed class takes.
    Weight(f64),
    /// Exactly this many.
    Fixed(u32),
}

impl Population {
    /// `#[user(weight = ...)]`.
    #[must_use]
    #[track_caller]
    pub const fn weight(weight: f64) -> Self {
        Self::Weight(checked_weight(weight))
    }

    /// `#[user(fixed = ...)]`.
    #[must_use]
    #[track_caller]
    pub const fn fixed(users: u32) -> Self {
        assert!(
            users > 0,
            "`fixed` must be above 0; to leave a class out, drop it from `scenario!`"
        );
        Self::Fixed(users)
    }
}

/// A weight that a task or class may have.
#[must_use]
#[track_caller]
pub const fn checked_weight(weight: f64) -> f64 {
    assert!(weight > 0.0 && weight.is_finite(), "a weight must be above 0");
    weight
}

/// What `#[user]` says of a class.
#[derive(Debug, Clone, Copy)]
pub struct ClassPlan {
    /// The type's name.
    pub name: &'static str,
    /// `weight` or `fixed`.
    pub population: Population,
    /// The class's own host.
    pub host: Option<&'static str>,
    /// Rest between two tasks.
    pub wait: Wait,
}

/// Which task of a set comes next.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// At random by weight.
    Weighted,
    /// In the order of the source, again and again.
    Sequential,
}

/// What a task does.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Runs its method.
    Run,
    /// Enters the set of this index.
    Enter(u32),
}

/// One method marked `#[task]`, or the way into a nested set.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    /// What `run` gets.
    pub id: u32,
    /// The method's name or the given one.
    pub name: &'static str,
    /// Relative frequency in its set.
    pub weight: f64,
    /// For `--tags`.
    pub tags: &'static [&'static str],
    /// Run or enter.
    pub action: Action,
}

/// Tasks with an order.
#[derive(Debug, Clone, Copy)]
pub struct TaskSet {
    /// For people.
    pub name: &'static str,
    /// Which task comes next.
    pub order: Order,
    /// The tasks.
    pub tasks: &'static [Task],
}

impl ClassPlan {
    pub(crate) fn to_wit(self, sets: &[TaskSet]) -> wit::UserClass {
        wit::UserClass {
            name: self.name.into(),
            population: match self.population {
                Population::Weight(weight) => wit::Population::Weight(weight),
                Population::Fixed(users) => wit::Population::Fixed(users),
            },
            host: self.host.map(Into::into),
            wait: self.wait.to_wit(),
            sets: sets.iter().map(|set| set.to_wit()).collect(),
        }
    }
}

impl Wait {
    fn to_wit(self) -> wit::Wait {
        match self {
            Self::None => wit::Wait::None,
            Self::Constant(ms) => wit::Wait::Constant(ms),
            Self::Between(min, max) => wit::Wait::Between(wit::Range { min, max }),
            Self::Pacing(ms) => wit::Wait::Pacing(ms),
            Self::Throughput(n) => wit::Wait::Throughput(n),
            Self::Exponential(ms) => wit::Wait::Exponential(ms),
        }
    }
}

impl TaskSet {
    fn to_wit(self) -> wit::TaskSet {
        wit::TaskSet {
            name: self.name.into(),
            order: match self.order {
                Order::Weighted => wit::Order::Weighted,
                Order::Sequential => wit::Order::Sequential,
            },
            tasks: self.tasks.iter().map(|task| task.to_wit()).collect(),
        }
    }
}

impl Task {
    fn to_wit(self) -> wit::Task {
        wit::Task {
            id: self.id,
            name: self.name.into(),
            weight: self.weight,
            tags: self.tags.iter().map(|&tag| tag.into()).collect(),
            action: match self.action {
                Action::Run => wit::Action::Run,
                Action::Enter(set) => wit::Action::Enter(set),
            },
        }
    }
}
