//! What scripts get of the web interface, and the files that hold the same.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use swarm_core::plan::{Order, Population};
use swarm_tests::{PATIENCE, Page, Response, Signal, Swarm, wait_for, wait_until};

use crate::guests::{Guest, class, task, visit};
use crate::verdict::{USAGE, refused, run_until};

/// Three classes of which each visits a page of its own; the last has no users unless it is alone.
fn three_classes(swarm: &Swarm) -> std::path::PathBuf {
    let mut classes: Vec<_> = [("Looker", "look"), ("Buyer", "buy"), ("Nobody", "idle")]
        .into_iter()
        .zip(0..)
        .map(|((name, work), id)| class(name, Order::Weighted, vec![task(id, work)]))
        .collect();
    classes[2].population = Population::Weight(0.0);
    let mut guest = Guest::new(classes);
    let pages = [("looked", "/"), ("bought", "/about"), ("idled", "/items")];
    let run: String = (0..)
        .zip(pages)
        .map(|(id, (name, _))| {
            format!("(if (i32.eq (local.get $task) (i32.const {id})) (then {}))", visit(name))
        })
        .collect();
    for (name, url) in pages {
        guest = guest.text(name, url);
    }
    guest.run(&run).write(swarm, "classes")
}

fn start(page: &Page, more: &[(&str, &str)]) -> Response {
    let form = [("user_count", "4"), ("spawn_rate", "100")];
    page.post("/swarm", &[&form[..], more].concat())
}

#[test]
fn only_the_classes_that_were_asked_for_get_users() {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let run = swarm.run(&three_classes(&swarm), &["-H", &target.url(), "--threads", "1"]);
    let page = run.page();
    let answer = start(page, &[("user_classes", "Buyer")]).json();
    assert_eq!(answer["user_classes"], json!(["Buyer"]), "{answer}");
    page.wait_for_state("running");
    target.wait_for_requests(20);
    let counts = target.counts();
    assert_eq!(counts.paths.keys().collect::<Vec<_>>(), ["/about"], "{counts:?}");
    let tasks = page.get("/tasks").json();
    let shares = json!({ "Buyer": { "ratio": 1.0, "tasks": { "buy": { "ratio": 1.0 } } } });
    assert_eq!(tasks, json!({ "per_class": shares.clone(), "total": shares }));

    // An edit keeps the choice, and cannot change it.
    let answer = start(page, &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let refused = start(page, &[("user_classes", "Looker")]);
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("user classes cannot change during a test"), "{}", refused.body);
    page.stop();
    page.wait_for_state("stopped");

    let refused = start(page, &[("user_classes", "Nobody")]);
    assert!(refused.body.contains("the weight of Nobody is 0"), "{}", refused.body);
    // The next test has all classes again.
    target.take_counts();
    start(page, &[]).json();
    wait_until("both classes have users", PATIENCE, || {
        let paths = target.counts().paths;
        paths.contains_key("/") && paths.contains_key("/about")
    });
    assert!(!target.counts().paths.contains_key("/items"));
}

#[test]
fn what_would_have_no_effect_starts_nothing() {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let run = swarm.run(&three_classes(&swarm), &["-H", &target.url(), "--threads", "1"]);
    for (field, value, part) in [
        ("user_classes", "Seller", "it has Looker, Buyer, Nobody"),
        ("basket", "large", "there is no field `basket`"),
        ("shape_class", "Stairs", "there is no field `shape_class`"),
    ] {
        let refused = start(run.page(), &[(field, value)]);
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.body.contains(part), "{}", refused.body);
    }
    assert_eq!(run.page().stats()["state"], "ready");
    // What Locust's page sends when nobody has filled it in.
    start(run.page(), &[("profile", ""), ("shape_class", "Default")]).json();
}

/// The lines of a CSV file whose cells hold no comma, by column.
fn csv(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).expect("it was written");
    rows(&text)
}

fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut lines = text.lines();
    let columns = cells(lines.next().expect("a head"));
    lines.map(|line| columns.iter().cloned().zip(cells(line)).collect()).collect()
}

#[test]
fn the_history_ends_with_the_test_and_has_names_if_asked() {
    for full in [false, true] {
        let swarm = Swarm::new();
        let target = swarm.target(&["--threads", "1"]);
        let scenario = Guest::visiting(&["/", "/about"]).write(&swarm, "visitor");
        let flags: &[&str] = &["--csv", "run", "-u", "2", "--csv-full-history"];
        let flags = if full { flags } else { &flags[..4] };
        let ended = run_until(&swarm, &target, &scenario, flags, |counts| counts.total >= 150);
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        let history = csv(&swarm.folder().join("run_stats_history.csv"));
        let of = |name: &str| history.iter().filter(|row| row["Name"] == name).collect::<Vec<_>>();
        let total = of("Aggregated");
        let last = total.last().expect("a line");
        assert_eq!(last["Total Request Count"], ended.counts.total.to_string());
        assert_eq!(last["User Count"], "0");
        for name in ["/", "/about"] {
            let lines = of(name);
            // A name has lines from its first request on.
            assert_eq!(!lines.is_empty(), full, "{name}: {history:?}");
            if let Some(last) = lines.last() {
                assert_eq!(last["Total Request Count"], ended.requests(name).to_string());
                assert_eq!(last["Type"], "GET");
            }
        }
    }
}

#[test]
fn the_history_by_name_is_on_the_page_as_it_is_written() {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let scenario = Guest::visiting(&["/"]).write(&swarm, "visitor");
    let flags = ["-H", &target.url(), "--threads", "1", "--csv", "run", "--csv-full-history"];
    let earlier = swarm.file("run_stats_history.csv", b"of an earlier run\n");
    let mut run = swarm.run(&scenario, &flags);
    let before = run.page().get("/stats/requests_full_history/csv");
    assert_eq!((before.status, rows(&before.body).len()), (200, 0), "{}", before.body);
    assert!(before.body.starts_with("Timestamp,"), "{}", before.body);
    assert!(earlier.exists(), "it stays until there is another one");
    run.page().start(1, 1.0);
    let shown = wait_for("the history has a name", PATIENCE, || {
        let answer = run.page().get("/stats/requests_full_history/csv");
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.head.to_ascii_lowercase().contains("content-type: text/csv"));
        answer.body.contains(",GET,/,").then_some(answer.body)
    });
    assert!(rows(&shown).iter().any(|row| row["Name"] == "/" && row["User Count"] == "1"));
    run.process.signal(Signal::INT);
    assert_eq!(run.process.wait(PATIENCE).code(), Some(0));
    let written = std::fs::read_to_string(swarm.folder().join("run_stats_history.csv"));
    assert!(written.expect("it is there").starts_with(&shown));
}

/// The clock of a test stands still when the test is over, also after a reset.
#[test]
fn the_end_of_a_test_is_known() {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let scenario = Guest::visiting(&["/"]).write(&swarm, "visitor");
    let run = swarm.run(&scenario, &["-H", &target.url(), "--threads", "1"]);
    let page = run.page();
    let view = || page.get("/api/v1/view").json();
    assert_eq!(view()["test_end_ms"], Value::Null);
    page.start(1, 1.0);
    page.wait_for_state("running");
    assert_eq!(view()["test_end_ms"], Value::Null);
    page.stop();
    page.wait_for_state("stopped");
    let end = view()["test_end_ms"].as_u64().expect("it is known");
    assert!(end >= view()["test_start_ms"].as_u64().expect("it has begun"));
    page.post("/stats/reset", &[]);
    assert_eq!(view()["test_end_ms"], end);
    page.start(1, 1.0);
    assert_eq!(view()["test_end_ms"], Value::Null);
}

#[test]
fn a_full_history_needs_files() {
    let swarm = Swarm::new();
    Guest::visiting(&["/"]).write(&swarm, "sound");
    let run = ["run", "sound.wasm", "-H", "http://127.0.0.1:1", "--web-port", "0"];
    refused(&swarm, &[&run[..], &["--csv-full-history"]].concat(), USAGE, &["--csv <PREFIX>"]);
}
