//! A virtual user's own decisions: which task comes next, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use thiserror::Error;

use crate::plan::{Action, Order, TaskSet, Then, UserClass, Wait};
use crate::validate::{PlanError, validate_class};

/// Task sets that a user may be inside of at once, the root included.
pub const DEPTH_MAX: usize = 32;

/// A class's tasks and waits, prepared for choosing. Made once and shared by the class's users.
#[derive(Debug, Clone)]
pub struct ClassPlan {
    class: String,
    rest: Rest,
    sets: Box<[Set]>,
    /// Names of the tasks that call the guest, by their ids.
    task_names: BTreeMap<u32, String>,
}

#[derive(Debug, Clone, Copy)]
enum Rest {
    None,
    Constant(Duration),
    Between(Duration, Duration),
    Paced(Duration),
    Exponential(Duration),
}

#[derive(Debug, Clone)]
struct Set {
    name: String,
    actions: Box<[Step]>,
    order: Choice,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Run(u32),
    Enter(u32),
}

#[derive(Debug, Clone)]
enum Choice {
    Weighted(Wheel),
    Sequential,
    /// For every task the wheel of its successors.
    Markov(Box<[Wheel]>),
}

/// Running sums of weights.
#[derive(Debug, Clone)]
struct Wheel {
    sums: Box<[f64]>,
    /// The last task with a weight, should rounding lead beyond it.
    last: usize,
}

/// A user was about to go deeper into task sets than [`DEPTH_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "class {class:?}: entering set {set:?} would be more than {DEPTH_MAX} task sets deep: \
     let its tasks leave the set"
)]
pub struct TooDeep {
    /// Name of the user's class.
    pub class: String,
    /// Name of the set that was not entered.
    pub set: String,
}

/// What a user does after a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Its next task is due then, which is later than now.
    RestUntil(Duration),
    /// Its next task is due now.
    Now,
    /// It is done for good.
    Finish,
}

impl Wheel {
    fn new<'a>(weights: impl Iterator<Item = &'a f64>) -> Self {
        let mut sum = 0.0;
        let mut last = 0;
        let add = |(index, &weight): (usize, &f64)| {
            sum += weight;
            if weight > 0.0 {
                last = index;
            }
            sum
        };
        let sums = weights.enumerate().map(add).collect();
        Self { sums, last }
    }

    fn turn(&self, rng: &mut Rng) -> usize {
        let sum = self.sums.last().copied().unwrap_or_default();
        let at = rng.f64() * sum;
        self.sums.partition_point(|&sum| sum <= at).min(self.last)
    }
}

impl ClassPlan {
    /// Prepares a class.
    ///
    /// # Errors
    /// The class is not one that [`crate::validate::validate`] accepts.
    pub fn new(class: &UserClass) -> Result<Self, PlanError> {
        validate_class(0, class)?;
        let rest = match class.wait {
            Wait::Constant(ms) => Rest::Constant(millis(ms)),
            Wait::Between { min_ms, max_ms } => Rest::Between(millis(min_ms), millis(max_ms)),
            Wait::Pacing(ms) => Rest::Paced(millis(ms)),
            Wait::Throughput(rate) => Rest::Paced(Duration::from_secs_f64(1.0 / rate)),
            Wait::Exponential(ms) => Rest::Exponential(millis(ms)),
            // Custom waits did not pass the validation.
            Wait::None | Wait::Custom => Rest::None,
        };
        let sets = class.sets.iter().map(Set::new).collect();
        let tasks = class.sets.iter().flat_map(|set| &set.tasks);
        let called = tasks.filter(|task| task.action == Action::Run);
        let task_names = called.map(|task| (task.id, task.name.clone())).collect();
        Ok(Self { class: class.name.clone(), rest, sets, task_names })
    }

    /// Name of the class.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.class
    }

    /// Name of the task with this id, as the scenario gives it; empty for a task that there is not.
    #[must_use]
    pub fn task_name(&self, id: u32) -> &str {
        self.task_names.get(&id).map_or("", String::as_str)
    }
}

impl Set {
    fn new(set: &TaskSet) -> Self {
        let step = |task: &crate::plan::Task| match task.action {
            Action::Run => Step::Run(task.id),
            Action::Enter(set) => Step::Enter(set),
        };
        let order = match &set.order {
            Order::Weighted => {
                Choice::Weighted(Wheel::new(set.tasks.iter().map(|task| &task.weight)))
            }
            Order::Sequential => Choice::Sequential,
            Order::Markov(rows) => {
                Choice::Markov(rows.iter().map(|row| Wheel::new(row.iter())).collect())
            }
        };
        Self { name: set.name.clone(), actions: set.tasks.iter().map(step).collect(), order }
    }
}

fn millis(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

/// The seed of a user's randomness: the same test seed and user id give the same value, and
/// neighbours have nothing in common.
#[must_use]
pub fn user_seed(test_seed: u64, user_id: u32) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    // The finaliser of SplitMix64, a bijection: users of one test never share a seed.
    let mix = |mut value: u64| {
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    };
    let test = mix(test_seed.wrapping_add(STEP));
    mix(test.wrapping_add(STEP.wrapping_mul(u64::from(user_id) + 1)))
}

/// The seed of what a worker draws that belongs to none of its users.
#[must_use]
pub fn worker_seed(test_seed: u64, worker_index: u32) -> u64 {
    user_seed(!test_seed, worker_index)
}

/// Where a user is in its class's plan. Small: a worker holds one for each of its users.
#[derive(Debug, Clone)]
pub struct Cursor {
    rng: Rng,
    here: Frame,
    /// The sets around, outermost first; allocated when the first is entered.
    around: Vec<Frame>,
    /// When the first of the tasks since the last rest was due; `None` right after a rest.
    since: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    set: u32,
    /// In a sequence the next task; in a Markov chain one more than the last task, 0 for none.
    at: u32,
}

impl Cursor {
    /// A user at the beginning of its root set. `seed` is its [`user_seed`].
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let (here, around) = (Frame::default(), Vec::new());
        Self { rng: Rng::with_seed(seed), here, around, since: None }
    }

    /// The id of the task that comes next. Sets that lie on the way are entered.
    ///
    /// # Errors
    /// The user would be deeper than [`DEPTH_MAX`] sets. It is back at the root then and can go
    /// on from there.
    ///
    /// # Panics
    /// `plan` is not the one that this cursor was used with before.
    pub fn next_task(&mut self, plan: &ClassPlan) -> Result<u32, TooDeep> {
        for _ in 0..DEPTH_MAX {
            match self.choose(plan) {
                Step::Run(task) => return Ok(task),
                Step::Enter(set) if self.around.len() + 1 < DEPTH_MAX => {
                    self.around.push(self.here);
                    self.here = Frame { set, at: 0 };
                }
                Step::Enter(set) => return Err(self.too_deep(plan, set)),
            }
        }
        // Every round but the last enters a set, and there is no room for that many.
        Err(self.too_deep(plan, self.here.set))
    }

    fn too_deep(&mut self, plan: &ClassPlan, set: u32) -> TooDeep {
        self.around.clear();
        self.here = Frame::default();
        TooDeep { class: plan.class.clone(), set: plan.sets[set as usize].name.clone() }
    }

    fn choose(&mut self, plan: &ClassPlan) -> Step {
        let set = &plan.sets[self.here.set as usize];
        let at = self.here.at as usize;
        let index = match &set.order {
            Choice::Weighted(wheel) => wheel.turn(&mut self.rng),
            Choice::Sequential => at,
            Choice::Markov(_) if at == 0 => 0,
            Choice::Markov(wheels) => wheels[at - 1].turn(&mut self.rng),
        };
        let next = match set.order {
            Choice::Weighted(_) => 0,
            Choice::Sequential => (index + 1) % set.actions.len(),
            Choice::Markov(_) => index + 1,
        };
        self.here.at = u32::try_from(next).expect("a class has few tasks");
        set.actions[index]
    }

    /// What comes after a task that was due at `due` and ended, now, with `then`.
    ///
    /// `due` is what the last [`After`] said (for `Now` the time it was said at), and for a user's
    /// first task the time the user was to start: taken that way, a pace does not drift by the
    /// time that a worker is late, and the caller's `started - due` is that lateness.
    ///
    /// - A pace counts from where the last rest ended to where this one ends, whatever tasks ran
    ///   between. If they took longer than that, the next task is due now and the pace counts
    ///   from there: nothing is caught up.
    /// - After `Leave` the set around goes on at once. At the root there is nothing to leave: it
    ///   is a rest there.
    pub fn after(&mut self, plan: &ClassPlan, then: Then, due: Duration, now: Duration) -> After {
        let since = self.since.take().unwrap_or(due);
        match then {
            Then::Finish => return After::Finish,
            Then::Hurry => {
                self.since = Some(since);
                return After::Now;
            }
            Then::Leave => {
                if let Some(around) = self.around.pop() {
                    self.here = around;
                    self.since = Some(since);
                    return After::Now;
                }
            }
            Then::Rest => {}
        }
        let until = match plan.rest {
            Rest::None => now,
            Rest::Constant(rest) => now.saturating_add(rest),
            Rest::Between(min, max) => {
                now.saturating_add(min + (max - min).mul_f64(self.rng.f64()))
            }
            Rest::Paced(period) => since.saturating_add(period),
            // 1 - x lies in (0, 1], so the logarithm is finite.
            Rest::Exponential(mean) => {
                now.saturating_add(mean.mul_f64(-(1.0 - self.rng.f64()).ln()))
            }
        };
        if until > now { After::RestUntil(until) } else { After::Now }
    }
}
