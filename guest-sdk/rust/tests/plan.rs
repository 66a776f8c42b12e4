//! From the attributes to the plan that the host reads.

use swarm_sdk::__private::{Class, Plan, Scenario};
use swarm_sdk::bindings::swarm::scenario::plan::{
    Action, Order, Population, Range, Sharing, Task, Wait,
};
use swarm_sdk::prelude::*;

const FAST: f64 = 0.25;
const READ: &str = "read";

#[user(wait = between(1, 2.5), weight = 3, host = "http://localhost:8080")]
struct Reader {
    _http: Http,
}

#[tasks(set(cart, weight = 2, order = sequential, tags("buy")))]
impl Reader {
    #[task(weight = 3, tags(READ, "page"), name = "front page")]
    fn index(&mut self) {}

    #[task(0.5)]
    fn r#type(&self) -> Then {
        Then::Hurry
    }

    #[task(set = cart)]
    fn add(&mut self) -> TaskResult {
        Ok(())
    }

    #[cfg(false)]
    #[task]
    fn left_out(&mut self) {
        this_does_not_exist();
    }

    #[task(set = cart)]
    fn pay(&mut self) -> Result<Then, std::num::ParseIntError> {
        Ok(Then::Leave)
    }
}

#[user(fixed = 2, wait = pacing(FAST))]
struct Steps(#[expect(dead_code, reason = "a tuple struct will do")] u32);

#[tasks(order = sequential)]
impl Steps {
    #[task]
    fn first(&mut self) -> Result<(), String> {
        Ok(())
    }
}

#[user]
struct Plain;

#[tasks]
impl Plain {
    #[swarm_sdk::task]
    fn only(&mut self) {}
}

swarm_sdk::scenario!(Reader, Steps, Plain; sharing = 100);

fn plan() -> Plan {
    const CLASSES: &[Class] = &[Class::of::<Reader>(), Class::of::<Steps>(), Class::of::<Plain>()];
    Scenario::new(CLASSES, Some(100)).describe()
}

fn task(task: &Task) -> (u32, &str, f64, Vec<&str>, bool) {
    let tags = task.tags.iter().map(String::as_str).collect();
    (task.id, &task.name, task.weight, tags, matches!(task.action, Action::Run))
}

#[test]
fn options_of_a_class_reach_the_host() {
    let plan = plan();
    assert!(matches!(plan.sharing, Sharing::Shared(100)));
    let [reader, steps, plain] = &plan.classes[..] else { panic!("three classes") };

    assert_eq!(reader.name, "Reader");
    assert!(matches!(reader.population, Population::Weight(weight) if weight == 3.0));
    assert_eq!(reader.host.as_deref(), Some("http://localhost:8080"));
    assert!(matches!(reader.wait, Wait::Between(Range { min: 1000, max: 2500 })));

    assert!(matches!(steps.population, Population::Fixed(2)));
    assert!(matches!(steps.wait, Wait::Pacing(250)));
    assert!(matches!(steps.sets[0].order, Order::Sequential));

    assert!(matches!(plain.population, Population::Weight(weight) if weight == 1.0));
    assert!(matches!(plain.wait, Wait::None));
    assert_eq!(plain.host, None);
    assert_eq!(plain.sets.len(), 1);
}

#[test]
fn options_of_tasks_and_sets_reach_the_host() {
    let plan = plan();
    let [root, cart] = &plan.classes[0].sets[..] else { panic!("two sets") };
    assert_eq!(root.name, "Reader");
    assert!(matches!(root.order, Order::Weighted));
    let rows: Vec<_> = root.tasks.iter().map(task).collect();
    assert_eq!(
        rows,
        [
            (0, "front page", 3.0, vec!["read", "page"], true),
            (1, "type", 0.5, vec![], true),
            (5, "cart", 2.0, vec!["buy"], false),
        ]
    );
    assert!(matches!(root.tasks[2].action, Action::Enter(1)));

    assert_eq!(cart.name, "cart");
    assert!(matches!(cart.order, Order::Sequential));
    let rows: Vec<_> = cart.tasks.iter().map(task).collect();
    assert_eq!(rows, [(2, "add", 1.0, vec![], true), (4, "pay", 1.0, vec![], true)]);
}
