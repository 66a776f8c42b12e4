//! Users that take turns: a call ends before the next one begins.

use super::{Scenario, Script, Seat, report_panics, wit};
use crate::Then;
use crate::bindings::Client;
use std::cell::RefCell;

impl Scenario {
    /// A new user begins.
    ///
    /// # Errors
    /// The text of what `#[on_start]` failed with, or of a mistake of the host.
    pub fn start(&self, user: wit::User, client: Client) -> Result<(), String> {
        report_panics();
        let seat = Seat::new(&user, client);
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

#[cfg(test)]
mod tests {
    use super::Users;
    use crate::Error;
    use crate::prelude::*;
    use crate::runtime::{Class, Scenario, Seat, User};

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
        Seat { user: User { id, seed: 1 }, client: None }
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
