//! On whose behalf a guest is called: what is recorded as an exception names class and task.

use swarm_core::choice::ClassPlan;

/// On whose behalf a guest is called, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Index of the user's class.
    pub(crate) class: u32,
    pub(crate) call: GuestCall,
}

/// What a guest is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GuestCall {
    /// For no single call: the instance is made, or has ended.
    Instance,
    /// `start`.
    Start,
    /// `run` with the id of a task.
    Task(u32),
    /// `stop`.
    Stop,
}

impl GuestCall {
    /// The text of an exception, with class and task before it: `Shopper.pay: no money left`.
    pub(crate) fn describe(self, plan: &ClassPlan, message: &str) -> String {
        let class = plan.class();
        match self {
            Self::Instance => format!("{class}: {message}"),
            Self::Start => format!("{class}.start: {message}"),
            Self::Stop => format!("{class}.stop: {message}"),
            Self::Task(id) => match plan.task_name(id) {
                "" => format!("{class}.{id}: {message}"),
                task => format!("{class}.{task}: {message}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use swarm_core::plan::{Action, Order, Population, Task, TaskSet, UserClass, Wait};

    use super::*;

    #[test]
    fn exceptions_name_class_and_task() {
        let task = |id, name: &str| Task {
            id,
            name: name.to_owned(),
            weight: 1.0,
            tags: Vec::new(),
            action: Action::Run,
        };
        let set = TaskSet {
            name: String::new(),
            order: Order::Weighted,
            tasks: vec![task(7, "pay"), task(8, "")],
        };
        let class = UserClass {
            name: "Shopper".to_owned(),
            population: Population::Weight(1.0),
            host: None,
            wait: Wait::None,
            sets: vec![set],
        };
        let plan = ClassPlan::new(&class).expect("a sound class");
        let said = |call: GuestCall| call.describe(&plan, "no money");
        assert_eq!(said(GuestCall::Task(7)), "Shopper.pay: no money");
        assert_eq!(said(GuestCall::Task(8)), "Shopper.8: no money");
        assert_eq!(said(GuestCall::Start), "Shopper.start: no money");
        assert_eq!(said(GuestCall::Stop), "Shopper.stop: no money");
        assert_eq!(said(GuestCall::Instance), "Shopper: no money");
    }
}
