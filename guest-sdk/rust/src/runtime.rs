//! The users of this instance and the calls that the host makes to them.
//!
//! # Layout
//! - `turns`: in the world `scenario` usually one user lives here, at most as many as the
//!   scenario's `sharing` says. The host takes turns between them: a call ends before the next
//!   one begins.
//! - `side_by_side`: in the world `scenario-async` all users of a load thread live here, and any
//!   number of them is in the middle of a call.

#[cfg(feature = "dense")]
mod side_by_side;
#[cfg(not(feature = "dense"))]
mod turns;

use crate::bindings::Client;
use crate::bindings::swarm::scenario::plan as wit;
use crate::plan::{ClassPlan, TaskSet};
use crate::work::Work;
use crate::{TaskError, Then};
use std::rc::Rc;

/// Who a user is. Declare a field of this type in the user class to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// Unique in the whole test, dense from 0.
    pub id: u32,
    /// Same test seed and id, same value.
    pub seed: u32,
}

/// What a new user is made from.
#[derive(Debug)]
pub struct Seat {
    pub(crate) user: User,
    /// None only in tests without a host.
    pub(crate) client: Option<Rc<Client>>,
}

impl Seat {
    fn new(user: &wit::User, client: Client) -> Self {
        Self { user: User { id: user.id, seed: user.seed }, client: Some(Rc::new(client)) }
    }

    pub(crate) fn client(&self) -> Rc<Client> {
        self.client.clone().expect("the host starts every user with a client")
    }
}

/// What a field of a user class may be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a field of a user class",
    label = "how does a new user get this?",
    note = "a field is `Http`, `User`, `Random`, or a type that implements `Default`; for a value \
            that comes later, wrap it in `Option` and set it in `#[on_start]`"
)]
pub trait FromSeat {
    /// The field's first value.
    fn from_seat(seat: &Seat) -> Self;
}

// The three others don't implement `Default`: the compiler keeps the cases apart.
impl<T: Default> FromSeat for T {
    fn from_seat(_: &Seat) -> Self {
        T::default()
    }
}

impl FromSeat for User {
    fn from_seat(seat: &Seat) -> Self {
        seat.user
    }
}

/// A type marked `#[user]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a user class",
    label = "not marked `#[user]`",
    note = "put `#[user(wait = between(1, 5))]` above `struct {Self}`"
)]
pub trait UserClass: 'static {
    /// What `#[user]` says.
    const PLAN: ClassPlan;
    /// A new user.
    fn create(seat: &Seat) -> Self;
}

/// A type with an impl marked `#[tasks]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no tasks",
    label = "no impl of it is marked `#[tasks]`",
    note = "write `#[tasks] impl {Self} {{ #[task] fn index(&mut self) {{ .. }} }}`"
)]
pub trait Tasks: 'static {
    /// The sets; the first is the root.
    const SETS: &'static [TaskSet];
    /// Calls `#[on_start]`.
    fn start(&mut self) -> Work!(Result<(), String>);
    /// Calls the task of this id.
    fn run(&mut self, task: u32) -> Work!(Result<Then, String>);
    /// Calls `#[on_stop]`.
    fn stop(&mut self) -> Work!(Result<(), TaskError>);
}

/// A user of whatever class.
trait Script {
    fn start(&mut self) -> Work!(Result<(), String>);
    fn run(&mut self, task: u32) -> Work!(Result<Then, String>);
    fn stop(&mut self) -> Work!(Result<(), TaskError>);
}

impl<T: Tasks> Script for T {
    fn start(&mut self) -> Work!(Result<(), String>) {
        Tasks::start(self)
    }

    fn run(&mut self, task: u32) -> Work!(Result<Then, String>) {
        Tasks::run(self, task)
    }

    fn stop(&mut self) -> Work!(Result<(), TaskError>) {
        Tasks::stop(self)
    }
}

/// A user class as a row of the scenario's table.
pub struct Class {
    plan: ClassPlan,
    sets: &'static [TaskSet],
    create: fn(&Seat) -> Box<dyn Script>,
}

impl Class {
    /// The row of a type.
    #[must_use]
    pub const fn of<T: UserClass + Tasks>() -> Self {
        Self { plan: T::PLAN, sets: T::SETS, create: |seat| Box::new(T::create(seat)) }
    }
}

/// The whole scenario: what `scenario!` writes down.
pub struct Scenario {
    classes: &'static [Class],
    sharing: Option<u32>,
}

impl Scenario {
    /// Checks what can be checked before the scenario runs.
    #[must_use]
    #[track_caller]
    pub const fn new(classes: &'static [Class], sharing: Option<u32>) -> Self {
        if let Some(users) = sharing {
            assert!(users > 0, "`sharing` is the number of users in one instance: 1 or more");
        }
        let mut at = 0;
        while at < classes.len() {
            let mut other = 0;
            while other < at {
                assert!(
                    !same(classes[at].plan.name, classes[other].plan.name),
                    "two classes in `scenario!` have the same name"
                );
                other += 1;
            }
            at += 1;
        }
        Self { classes, sharing }
    }

    /// The plan, as the host reads it.
    #[must_use]
    pub fn describe(&self) -> wit::Scenario {
        wit::Scenario {
            classes: self.classes.iter().map(|class| class.plan.to_wit(class.sets)).collect(),
            sharing: match self.sharing {
                None => wit::Sharing::PerUser,
                Some(users) => wit::Sharing::Shared(users),
            },
        }
    }
}

/// A panic ends the instance; without this its message would be lost.
fn report_panics() {
    #[cfg(target_family = "wasm")]
    std::panic::set_hook(Box::new(|panic| crate::log::error(&panic.to_string())));
}

/// Equality of texts where `==` can't be used yet.
const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The `#[on_start]` method of this name returned; a user that can't start must say why.
pub fn started(method: &str, result: Result<(), TaskError>) -> Result<(), String> {
    result.map_err(|error| {
        let mut text = String::from(method);
        text.push_str(": ");
        text.push_str(&error.into_message());
        text
    })
}

/// The host asked for a task that the plan does not have.
#[cold]
pub fn no_such_task() -> Result<Then, String> {
    Err("the class has no task of this id".into())
}
