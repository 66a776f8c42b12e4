//! The users of this instance and the calls that the host makes to them.
//!
//! Usually one user lives here, at most as many as the scenario's `sharing` says. The host takes
//! turns between them: a call ends before the next one begins.

use crate::bindings::swarm::scenario::plan as wit;
use crate::bindings::{self};
use crate::plan::{ClassPlan, TaskSet};
use crate::{Http, TaskError, Then};
use std::cell::RefCell;

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
    pub(crate) http: Option<Http>,
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
    fn start(&mut self) -> Result<(), String>;
    /// Calls the task of this id.
    fn run(&mut self, task: u32) -> Result<Then, String>;
    /// Calls `#[on_stop]`.
    fn stop(&mut self) -> Result<(), TaskError>;
}

/// A user of whatever class.
trait Script {
    fn start(&mut self) -> Result<(), String>;
    fn run(&mut self, task: u32) -> Result<Then, String>;
    fn stop(&mut self) -> Result<(), TaskError>;
}

impl<T: Tasks> Script for T {
    fn start(&mut self) -> Result<(), String> {
        Tasks::start(self)
    }

    fn run(&mut self, task: u32) -> Result<Then, String> {
        Tasks::run(self, task)
    }

    fn stop(&mut self) -> Result<(), TaskError> {
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

    /// A new user begins.
    ///
    /// # Errors
    /// The text of what `#[on_start]` failed with, or of a mistake of the host.
    pub fn start(&self, user: bindings::User, client: bindings::Client) -> Result<(), String> {
        report_panics();
        let seat =
            Seat { user: User { id: user.id, seed: user.seed }, http: Some(Http::new(client)) };
        USERS.with_borrow_mut(|users| users.start(self, user.class, &seat))
    }

    /// A user runs a task.
    ///
    /// # Errors
    /// The text of the task's exception, or of a mistake of the host.
    pub fn run(&self, user: u32, task: u32) -> Result<Then, String> {
        USERS.with_borrow_mut(|users| users.run(user, task))
    }

    /// A user ends.
    pub fn stop(&self, user: u32) {
        if let Some(exception) = USERS.with_borrow_mut(|users| users.stop(user)) {
            crate::log::error(&exception);
        }
    }
}

thread_local! {
    static USERS: RefCell<Users> = const { RefCell::new(Users { by_id: Vec::new() }) };
}

/// The users of an instance in the order of their ids: no hashing, one comparison for one user.
struct Users {
    by_id: Vec<(u32, Box<dyn Script>)>,
}

impl Users {
    fn start(&mut self, scenario: &Scenario, class: u32, seat: &Seat) -> Result<(), String> {
        let Some(class) = scenario.classes.get(class as usize) else {
            return Err("the scenario has no class of this index".into());
        };
        let Err(place) = self.place(seat.user.id) else {
            return Err("a user of this id is here already".into());
        };
        let mut script = (class.create)(seat);
        script.start()?;
        self.by_id.insert(place, (seat.user.id, script));
        Ok(())
    }

    fn run(&mut self, user: u32, task: u32) -> Result<Then, String> {
        match self.place(user) {
            Ok(place) => self.by_id[place].1.run(task),
            Err(_) => Err("no user of this id is here".into()),
        }
    }

    /// The exception of `#[on_stop]`, if there was one.
    fn stop(&mut self, user: u32) -> Option<String> {
        let place = self.place(user).ok()?;
        let (_, mut script) = self.by_id.remove(place);
        script.stop().err()?.into_exception()
    }

    fn place(&self, user: u32) -> Result<usize, usize> {
        self.by_id.binary_search_by_key(&user, |&(id, _)| id)
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

#[cfg(test)]
mod tests {
    use super::{Class, Scenario, Seat, User, Users};
    use crate::prelude::*;

    /// Counts in a field and answers by the count.
    #[user]
    struct Counter {
        user: User,
        runs: u32,
        log: Vec<&'static str>,
    }

    #[tasks]
    impl Counter {
        #[on_start]
        fn begin(&mut self) -> Result<(), String> {
            self.log.push("begin");
            if self.user.id == 13 { Err("out of luck".into()) } else { Ok(()) }
        }

        #[task]
        fn nothing(&mut self) {
            self.runs += 1;
        }

        #[task]
        fn then(&mut self) -> Then {
            if self.runs < 2 { Then::Hurry } else { Then::Finish }
        }

        #[task]
        fn exception(&mut self) -> TaskResult {
            let number: u32 = "x1".parse()?;
            self.runs = number;
            Ok(())
        }

        #[task]
        fn text(&mut self) -> TaskResult<Then> {
            Err(format!("run {} of user {}", self.runs, self.user.id))?
        }

        #[task]
        fn request(&mut self) -> TaskResult {
            Err(Error::rejected("status 500".into()))?
        }

        #[task]
        fn bare_request(&mut self) -> Result<(), Error> {
            Err(Error::rejected("status 500".into()))
        }

        #[on_stop]
        fn end(&mut self) -> TaskResult {
            if self.user.id == 7 { Err("7 does not want to go")? } else { Ok(()) }
        }
    }

    #[user]
    struct Eager;

    #[tasks]
    impl Eager {
        #[on_start]
        fn begin(&mut self) -> TaskResult {
            Err(Error::rejected("status 401".into()))?
        }

        #[task]
        fn never(&mut self) {}
    }

    const CLASSES: &[Class] = &[Class::of::<Counter>(), Class::of::<Eager>()];
    const SCENARIO: Scenario = Scenario::new(CLASSES, None);

    fn users(ids: &[u32]) -> Users {
        let mut users = Users { by_id: Vec::new() };
        for &id in ids {
            users.start(&SCENARIO, 0, &seat(id)).unwrap();
        }
        users
    }

    fn seat(id: u32) -> Seat {
        Seat { user: User { id, seed: 1 }, http: None }
    }

    fn error<T>(result: Result<T, String>) -> String {
        result.err().unwrap()
    }

    #[test]
    fn what_a_task_returns_is_what_the_host_gets() {
        let mut users = users(&[0]);
        assert_eq!(users.run(0, 0), Ok(Then::Rest));
        assert_eq!(users.run(0, 1), Ok(Then::Hurry));
        assert_eq!(users.run(0, 0), Ok(Then::Rest));
        assert_eq!(users.run(0, 1), Ok(Then::Finish));
        assert_eq!(error(users.run(0, 2)), "invalid digit found in string");
        assert_eq!(error(users.run(0, 3)), "run 2 of user 0");
        assert_eq!(error(users.run(0, 99)), "the class has no task of this id");
    }

    #[test]
    fn a_failed_request_is_not_counted_again_as_an_exception() {
        let mut users = users(&[0]);
        assert_eq!(users.run(0, 4), Ok(Then::Rest));
        assert_eq!(users.run(0, 5), Ok(Then::Rest));
    }

    #[test]
    fn users_of_one_instance_have_their_own_state() {
        let mut users = users(&[7, 3, 9]);
        assert_eq!(users.run(3, 0), Ok(Then::Rest));
        assert_eq!(error(users.run(3, 3)), "run 1 of user 3");
        assert_eq!(error(users.run(7, 3)), "run 0 of user 7");
        assert_eq!(users.stop(3), None);
        assert_eq!(users.stop(3), None);
        assert_eq!(error(users.run(3, 0)), "no user of this id is here");
        assert_eq!(error(users.run(9, 3)), "run 0 of user 9");
        assert_eq!(users.stop(7).as_deref(), Some("7 does not want to go"));
    }

    #[test]
    fn a_user_that_cannot_start_says_why_and_is_not_there() {
        let mut users = users(&[1]);
        let refused = users.start(&SCENARIO, 0, &seat(13));
        assert_eq!(error(refused), "begin: out of luck");
        assert_eq!(error(users.run(13, 0)), "no user of this id is here");
        // Without its login a user would load something else than what was meant.
        let refused = users.start(&SCENARIO, 1, &seat(2));
        assert_eq!(error(refused), "begin: status 401");
        let refused = users.start(&SCENARIO, 0, &seat(1));
        assert_eq!(error(refused), "a user of this id is here already");
        let refused = users.start(&SCENARIO, 2, &seat(4));
        assert_eq!(error(refused), "the scenario has no class of this index");
    }
}
