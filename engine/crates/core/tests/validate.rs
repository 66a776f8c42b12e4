//! Scenarios that cannot run are refused with the place and the way out; tags select a part.

use swarm_core::plan::{
    Action, Order, Population, Scenario, Sharing, Task, TaskSet, UserClass, Wait,
};
use swarm_core::validate::{
    CLASSES_MAX, MARKOV_TASKS_MAX, NAME_BYTES_MAX, SETS_MAX, TAGS_MAX, TASKS_MAX,
    refuse_custom_waits, select, unknown_tags, validate,
};

fn task(id: u32, tags: &[&str]) -> Task {
    let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
    Task { id, name: format!("t{id}"), weight: 1.0, tags, action: Action::Run }
}

fn enter(set: u32, tags: &[&str]) -> Task {
    Task { name: format!("to {set}"), action: Action::Enter(set), ..task(900, tags) }
}

fn set(name: &str, order: Order, tasks: Vec<Task>) -> TaskSet {
    TaskSet { name: name.to_owned(), order, tasks }
}

fn class(name: &str, sets: Vec<TaskSet>) -> UserClass {
    let population = Population::Weight(1.0);
    UserClass { name: name.to_owned(), population, host: None, wait: Wait::None, sets }
}

/// Two classes; the second has a nested set and a Markov set.
fn shop() -> Scenario {
    let root = set("root", Order::Weighted, vec![task(1, &["read"]), task(2, &[]), enter(1, &[])]);
    let rows = vec![vec![0.0, 1.0, 1.0], vec![1.0, 0.0, 0.0], vec![0.5, 0.5, 0.0]];
    let chain = set(
        "chain",
        Order::Markov(rows),
        vec![task(3, &["buy"]), task(4, &["buy", "slow"]), task(5, &["read"])],
    );
    let reader = set("", Order::Sequential, vec![task(1, &["read"]), task(2, &["read", "slow"])]);
    Scenario {
        classes: vec![class("Reader", vec![reader]), class("Buyer", vec![root, chain])],
        sharing: Sharing::PerUser,
        default_hosts: false,
    }
}

fn of_class(class: UserClass) -> Scenario {
    Scenario { classes: vec![class], sharing: Sharing::PerUser, default_hosts: false }
}

/// What makes a good one bad.
type Change<'a, T> = &'a dyn Fn(&mut T);

fn refused(change: impl FnOnce(&mut Scenario)) -> String {
    let mut scenario = shop();
    change(&mut scenario);
    validate(&scenario).expect_err("it cannot run").to_string()
}

#[test]
fn a_good_scenario_passes() {
    assert_eq!(validate(&shop()), Ok(()));
    let mut scenario = shop();
    scenario.sharing = Sharing::Shared(1);
    scenario.classes[0].population = Population::Weight(0.0);
    scenario.classes[1].population = Population::Fixed(1);
    scenario.classes[1].wait = Wait::Between { min_ms: 5, max_ms: 5 };
    // Entering the root again is possible where tasks run on the way.
    scenario.classes[1].sets[1].tasks[2].action = Action::Enter(0);
    // The weights of a sequence do not matter.
    scenario.classes[0].sets[0].tasks.iter_mut().for_each(|task| task.weight = 0.0);
    assert_eq!(validate(&scenario), Ok(()));
}

#[test]
fn classes_are_checked() {
    assert_eq!(
        refused(|scenario| scenario.classes.clear()),
        "the scenario has no user class: describe at least one"
    );
    let many = refused(|scenario| {
        let class = scenario.classes[0].clone();
        scenario.classes = vec![class; CLASSES_MAX + 1];
    });
    assert!(many.contains("1001 classes: at most 1000"), "{many}");
    assert!(refused(|scenario| scenario.sharing = Sharing::Shared(0)).contains("shared by 0"));
    assert_eq!(
        refused(|scenario| scenario.classes[1].name.clear()),
        "class 1 has an empty name: give it one"
    );
    assert_eq!(
        refused(|scenario| scenario.classes[1].name = "Reader".to_owned()),
        "class \"Reader\": a class before it has the same name: rename one of them"
    );
    let long = refused(|scenario| scenario.classes[1].name = "é".repeat(NAME_BYTES_MAX / 2 + 1));
    assert!(long.contains("of 258 bytes: shorten it to 256") && long.len() < 300, "{long}");
    for nobody in [Population::Weight(0.0), Population::Fixed(0)] {
        let message = refused(|scenario| {
            scenario.classes.iter_mut().for_each(|class| class.population = nobody);
        });
        assert!(message.contains("give one of them a weight above 0"), "{message}");
    }
    for weight in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let population = Population::Weight(weight);
        let message = refused(|scenario| scenario.classes[1].population = population);
        assert!(message.starts_with("class \"Buyer\": weight "), "{message}");
    }
}

#[test]
fn waits_are_checked() {
    let refused = |wait| refused(|scenario| scenario.classes[1].wait = wait);
    assert_eq!(
        refused(Wait::Between { min_ms: 6, max_ms: 5 }),
        "class \"Buyer\": wait between 6 and 5 ms: the first must not be above the second"
    );
    for rate in [0.0, -0.0, -1.0, 1e-12, 1e12, f64::NAN, f64::INFINITY] {
        let message = refused(Wait::Throughput(rate));
        assert!(message.contains("tasks a second: use 0.000001 to 1000000"), "{message}");
    }
    let mut scenario = shop();
    assert_eq!(refuse_custom_waits(&scenario), Ok(()));
    scenario.classes[1].wait = Wait::Custom;
    assert_eq!(validate(&scenario), Ok(()), "some worlds have it");
    let custom = refuse_custom_waits(&scenario).expect_err("others do not").to_string();
    assert!(custom.contains("needs hooks, which this version does not run"), "{custom}");
}

#[test]
fn sets_and_tasks_are_checked() {
    let refused = |change: &dyn Fn(&mut UserClass)| refused(|shop| change(&mut shop.classes[1]));
    let cases: [(Change<UserClass>, &str); 12] = [
        (&|class| class.sets.clear(), "class \"Buyer\": has no task set"),
        (&|class| class.sets[1].tasks.clear(), "class \"Buyer\", set 1 \"chain\": has no task"),
        (&|class| class.sets = vec![class.sets[0].clone(); SETS_MAX + 1], "has 1001 task sets"),
        (
            &|class| class.sets[0].tasks = (0..).map(|id| task(id, &[])).take(TASKS_MAX).collect(),
            "has 10003 tasks: at most 10000",
        ),
        (
            &|class| class.sets[1].tasks[0].id = 2,
            "task \"t2\": another task of the class has the id 2",
        ),
        (&|class| class.sets[0].tasks[1].weight = -0.5, "set 0 \"root\", task \"t2\": weight -0.5"),
        (&|class| class.sets[0].tasks[1].weight = f64::NAN, "task \"t2\": weight NaN"),
        (
            &|class| class.sets[0].tasks.iter_mut().for_each(|task| task.weight = 0.0),
            "set 0 \"root\": all weights are 0",
        ),
        (
            &|class| class.sets[0].tasks.iter_mut().for_each(|task| task.weight = 1e308),
            "the sum of the weights is infinite",
        ),
        (
            &|class| class.sets[0].tasks[2].action = Action::Enter(2),
            "enters set 2, but the class has 2",
        ),
        (&|class| class.sets[0].tasks[1].name = "x".repeat(300), "a name or tag of 300 bytes"),
        (
            &|class| class.sets[0].tasks[1].tags = vec!["x".to_owned(); TAGS_MAX + 1],
            "has 101 tags: at most 100",
        ),
    ];
    for (change, expected) in cases {
        let message = refused(change);
        // The message of a doubled id names the second task.
        let expected = expected.replace("task \"t2\": another", "task \"t3\": another");
        assert!(message.contains(&expected), "{message:?} should say {expected:?}");
    }
}

#[test]
fn matrices_are_checked() {
    let refused = |change: &dyn Fn(&mut Vec<Vec<f64>>)| {
        refused(|shop| match &mut shop.classes[1].sets[1].order {
            Order::Markov(rows) => change(rows),
            Order::Weighted | Order::Sequential => unreachable!("the set is a chain"),
        })
    };
    let at = "class \"Buyer\", set 1 \"chain\"";
    let cases: [(Change<Vec<Vec<f64>>>, &str); 6] = [
        (&|rows| drop(rows.pop()), ": the Markov matrix has 2 rows for 3 tasks"),
        (&|rows| rows[1].push(1.0), ", task \"t4\": its Markov row has 4 weights for 3 tasks"),
        (&|rows| rows[1][0] = -1.0, ", task \"t4\": weight -1"),
        (&|rows| rows[1][0] = f64::INFINITY, ", task \"t4\": weight inf"),
        (&|rows| rows[1][0] = 0.0, ", task \"t4\": its Markov row has only weights of 0"),
        (&|rows| rows[1] = vec![1e308; 3], ", task \"t4\": the sum of the weights is infinite"),
    ];
    for (change, expected) in cases {
        let message = refused(change);
        assert!(message.starts_with(&format!("{at}{expected}")), "{message:?}: {expected:?}");
    }
    let mut large = shop();
    large.classes[1].sets[1].tasks =
        (10..).map(|id| task(id, &[])).take(MARKOV_TASKS_MAX + 1).collect();
    let message = validate(&large).unwrap_err().to_string();
    assert!(message.contains("a Markov set of 1001 tasks"), "{message}");
}

#[test]
fn who_enters_must_get_to_a_task() {
    let endless = |sets| {
        let scenario = of_class(class("A", sets));
        validate(&scenario).expect_err("no task is reached").to_string()
    };
    let sequence = |name: &str, tasks| set(name, Order::Sequential, tasks);
    // Itself, in a circle, and in a sequence that has a task, but not first.
    let message = endless(vec![sequence("root", vec![enter(0, &[])])]);
    assert!(message.starts_with("class \"A\", set 0 \"root\": who enters it"), "{message}");
    endless(vec![sequence("a", vec![enter(1, &[])]), sequence("b", vec![enter(0, &[])])]);
    endless(vec![sequence("a", vec![enter(0, &[]), task(1, &[])])]);
    let rows = vec![vec![0.0, 1.0], vec![1.0, 0.0]];
    endless(vec![set("a", Order::Markov(rows), vec![enter(0, &[]), task(1, &[])])]);
    let idle = Task { weight: 0.0, ..task(1, &[]) };
    endless(vec![set("a", Order::Weighted, vec![enter(0, &[]), idle])]);
    // Only the set that one cannot get out of is named.
    let root = set("root", Order::Weighted, vec![task(1, &[]), enter(1, &[])]);
    let message = endless(vec![root, sequence("trap", vec![enter(1, &[])])]);
    assert!(message.contains("set 1 \"trap\""), "{message}");
}

#[test]
fn tags_that_no_task_has_are_found() {
    let tasks = vec![task(1, &["buy", "fast"]), task(2, &[])];
    let classes = vec![class("A", vec![set("root", Order::Weighted, tasks)])];
    let scenario = Scenario { classes, sharing: Sharing::PerUser, default_hosts: false };
    let given = ["buy", "nothing", "Buy"].map(ToOwned::to_owned);
    assert_eq!(unknown_tags(&scenario, given.iter()), ["nothing", "Buy"]);
}

fn selected(tags: &[&str], exclude: &[&str]) -> Result<Scenario, String> {
    let owned = |tags: &[&str]| tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<_>>();
    select(&shop(), &owned(tags), &owned(exclude)).map_err(|error| error.to_string())
}

/// By class and set: names of the tasks.
fn names(scenario: &Scenario) -> Vec<Vec<Vec<String>>> {
    let set = |set: &TaskSet| set.tasks.iter().map(|task| task.name.clone()).collect();
    scenario.classes.iter().map(|class| class.sets.iter().map(set).collect()).collect()
}

#[test]
fn no_tags_is_everything() {
    assert_eq!(selected(&[], &[]), Ok(shop()));
}

#[test]
fn tags_keep_and_exclude() {
    let scenario = selected(&["read"], &[]).unwrap_err();
    assert_eq!(
        scenario,
        "class \"Buyer\", set 1 \"chain\", task \"t5\": none of the tasks that may follow it is \
         left with --tags read: keep one of those or drop this one, too"
    );
    let scenario = selected(&[], &["slow"]).unwrap();
    assert_eq!(
        names(&scenario),
        [vec![vec!["t1"]], vec![vec!["t1", "t2", "to 1"], vec!["t3", "t5"]]]
    );
    let rows = vec![vec![0.0, 1.0], vec![0.5, 0.0]];
    assert_eq!(scenario.classes[1].sets[1].order, Order::Markov(rows));
}

#[test]
fn a_class_without_tasks_is_an_error() {
    assert_eq!(
        selected(&["buy", "sell"], &["x"]).unwrap_err(),
        "class \"Reader\": no task is left with --tags buy sell --exclude-tags x: \
         loosen the tags or drop the class"
    );
}

#[test]
fn nested_sets_inherit_tags_and_go_when_they_are_empty() {
    let sets = vec![
        set("root", Order::Weighted, vec![task(1, &["a"]), enter(1, &[]), enter(2, &["a"])]),
        set("first", Order::Weighted, vec![task(2, &["b"]), enter(1, &[])]),
        set("second", Order::Sequential, vec![enter(3, &[]), task(3, &[])]),
        set("third", Order::Weighted, vec![task(4, &["c"]), enter(0, &[])]),
    ];
    let scenario = of_class(class("A", sets));
    let select = |tags: &str, exclude: &str| {
        let split = |tags: &str| tags.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        select(&scenario, &split(tags), &split(exclude)).unwrap()
    };
    // The tag of what enters the second set counts inside, and inside of what that enters; the
    // third set enters the root, so it comes back to the root and to the first set.
    assert_eq!(select("a", ""), scenario);
    let kept = select("c", "");
    assert_eq!(names(&kept), [[vec!["to 2"], vec!["to 3"], vec!["t4", "to 0"]]]);
    let enters: Vec<Action> = kept.classes[0].sets.iter().map(|set| set.tasks[0].action).collect();
    assert_eq!(enters, [Action::Enter(1), Action::Enter(2), Action::Run]);
    // What is excluded goes; the third set still enters the root.
    assert_eq!(select("", "c").classes[0].sets[3].tasks, [enter(0, &[])]);
}

#[test]
fn a_task_without_weight_keeps_no_set_alive() {
    let root = set("root", Order::Weighted, vec![task(1, &["a"]), enter(1, &["a"])]);
    let idle = Task { weight: 0.0, ..task(2, &["a"]) };
    let inner = set("inner", Order::Weighted, vec![idle, task(3, &["b"])]);
    let scenario = of_class(class("A", vec![root, inner]));
    let kept = select(&scenario, &[], &["b".to_owned()]).unwrap();
    assert_eq!(names(&kept), [[vec!["t1"]]]);
}
