//! Users side by side: each may be in the middle of a call while others are called.

use super::{Scenario, Script, Seat, report_panics, wit};
use crate::Then;
use crate::bindings::Client;
use std::cell::RefCell;
use std::collections::BTreeMap;

impl Scenario {
    /// A new user begins. One of the same id that is there is forgotten.
    ///
    /// # Errors
    /// The text of what `#[on_start]` failed with, or of a mistake of the host.
    pub async fn start(&self, user: wit::User, client: Client) -> Result<(), String> {
        report_panics();
        let Some(class) = self.classes.get(user.class as usize) else {
            return Err("the scenario has no class of this index".into());
        };
        let mut script = (class.create)(&Seat::new(&user, client));
        script.start().await?;
        USERS.with_borrow_mut(|users| users.insert(user.id, Some(script)));
        Ok(())
    }

    /// A user runs a task.
    ///
    /// # Errors
    /// The text of the task's exception, or of a mistake of the host.
    pub async fn run(&self, user: u32, task: u32) -> Result<Then, String> {
        let taken = USERS.with_borrow_mut(|users| users.get_mut(&user).and_then(Option::take));
        let Some(mut script) = taken else {
            return Err("no user of this id is here and at rest".into());
        };
        let result = script.run(task).await;
        // One that was stopped or started anew meanwhile is not wanted back.
        USERS.with_borrow_mut(|users| {
            if let Some(place @ None) = users.get_mut(&user) {
                *place = Some(script);
            }
        });
        result
    }

    /// A user ends.
    pub async fn stop(&self, user: u32) {
        let Some(Some(mut script)) = USERS.with_borrow_mut(|users| users.remove(&user)) else {
            return;
        };
        if let Err(error) = script.stop().await
            && let Some(exception) = error.into_exception()
        {
            crate::log::error(&exception);
        }
    }
}

thread_local! {
    /// By id; `None` while a call has the user.
    static USERS: RefCell<BTreeMap<u32, Option<Box<dyn Script>>>> =
        const { RefCell::new(BTreeMap::new()) };
}
