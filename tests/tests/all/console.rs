//! What a person sees: on a terminal, in a pipe, while a scenario is compiled, while nobody comes.

use std::fs;
use std::process::Command;

use swarm_tests::{PATIENCE, Process, Signal, Swarm, Target, Terminal, get, scenario, wait_until};

use crate::guests::Guest;
use crate::verdict::{SCENARIO, refused, summary};

const RUN: [&str; 10] =
    ["run", "sound.wasm", "--headless", "-u", "3", "-r", "100", "-s", "60", "-H"];

/// Names that do not fit.
const LONG: &str = "/a/name/that/is/longer/than/half/of/any/terminal/that/there/is/and/then/some";

fn swarm_with_scenario() -> (Swarm, Target) {
    let swarm = Swarm::new();
    Guest::visiting(&["/", "/about", LONG]).write(&swarm, "sound");
    let target = swarm.target(&[]);
    (swarm, target)
}

/// A run on a terminal, until it has shown some of its statistics, and to its end.
fn on_a_terminal(terminal: &Terminal, change: impl Fn(&mut Command)) {
    let (swarm, target) = swarm_with_scenario();
    let mut command = swarm.command(&[&RUN[..], &[&target.url()]].concat());
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    change(&mut command);
    let mut run = Process::spawn_onto("run", command, terminal.streams());
    wait_until("the statistics are shown", PATIENCE, || {
        let screen = terminal.screen();
        screen.contains("/about") && screen.contains(" running: 3 users")
    });
    // Further ones take their place.
    let requests = |screen: &str| {
        let line = screen.lines().rfind(|line| line.contains("running:"))?;
        line.split(' ').nth(4)?.parse::<u64>().ok()
    };
    let before = requests(&terminal.screen());
    wait_until("they go on", PATIENCE, || requests(&terminal.screen()) > before);
    let screen = terminal.screen();
    assert_eq!(screen.matches("# reqs").count(), 1, "{screen}");
    assert_eq!(screen.matches("running:").count(), 1, "{screen}");
    run.signal(Signal::INT);
    // Its names do not exist at the target.
    assert_eq!(run.wait(PATIENCE).code(), Some(1));
    wait_until("the report is shown", PATIENCE, || terminal.screen().contains("Error report"));
}

#[test]
fn a_terminal_shows_statistics_in_place_and_a_report_that_fits() {
    let terminal = Terminal::new(90, 50);
    on_a_terminal(&terminal, |_| {});
    let (screen, text) = (terminal.screen(), terminal.text());
    for part in ["Response time percentiles (ms)", "404", "Aggregated", "the test has ended"] {
        assert!(screen.contains(part), "{part} is not in:\n{screen}");
    }
    // A line that does not fit would be broken by the terminal: into one of rules alone.
    assert!(!screen.lines().any(|line| line == "-"), "{screen}");
    assert!(screen.contains('…') && !screen.contains(LONG), "{screen}");
    assert!(text.contains("\u{1b}[1mAggregated"), "totals are bold: {text:?}");
    assert!(text.contains("\u{1b}[31m"), "failures are red: {text:?}");
    // Live lines are gone, and the log is short.
    assert!(!screen.contains("running: 3 users, 0"), "{screen}");
    let logged = screen.lines().find(|line| line.contains("a test begins")).expect("it is logged");
    assert_eq!(logged.find("INFO"), Some("12:34:56  ".len()), "{logged}");
}

#[test]
fn no_color_is_obeyed_and_narrow_terminals_are_filled() {
    let terminal = Terminal::new(60, 60);
    on_a_terminal(&terminal, |command| {
        command.env("NO_COLOR", "1");
    });
    let text = terminal.text();
    assert!(!text.contains("\u{1b}[1m") && !text.contains("\u{1b}[3"), "{text:?}");
    assert!(text.contains("\u{1b}[J"), "live lines are replaced all the same");
    let screen = terminal.screen();
    let rules = screen.lines().filter(|line| line.starts_with("---"));
    assert!(rules.clone().count() > 3, "{screen}");
    assert!(rules.clone().all(|rule| rule.len() > 5), "{screen}");
}

#[test]
fn a_pipe_gets_statistics_by_name_in_full() {
    let (swarm, target) = swarm_with_scenario();
    let run = |flags: &[&str]| {
        let command = swarm.command(&[&RUN[..], &[&target.url()], flags].concat());
        let run = Process::spawn("run", command);
        target.wait_for_requests(target.counts().total + 20);
        run
    };
    let mut full = run(&[]);
    wait_until("names are printed", PATIENCE, || full.out.text().matches(LONG).count() > 1);
    full.signal(Signal::INT);
    full.wait(PATIENCE);
    let said = full.out.text() + &full.err.text();
    assert!(!said.contains('\u{1b}') && !said.contains('…'), "{said}");
    assert!(said.contains(" running: 3 users, "), "{said}");

    let mut short = run(&["--only-summary", "-t", "5"]);
    short.wait(PATIENCE);
    let said = short.out.text();
    // In the report: statistics, percentiles, errors.
    assert_eq!(said.matches(LONG).count(), 3, "{said}");
}

#[test]
fn the_log_of_one_process_speaks_to_its_user() {
    let (swarm, target) = swarm_with_scenario();
    let command = swarm.command(&[&RUN[..], &[&target.url(), "-t", "1"]].concat());
    let mut run = Process::spawn("run", command);
    run.wait(PATIENCE);
    let log = run.err.text();
    let messages: Vec<_> =
        log.lines().map(|line| line.split_once(" INFO ").map_or(line, |(_, text)| text)).collect();
    assert!(messages[0].starts_with("a test begins (--seed "), "{log}");
    assert_eq!(messages[1..], ["the test has ended"], "{log}");
    // 2026-11-30T14:05:06.789+00:00
    let time = log.split(' ').next().unwrap_or_default();
    assert_eq!((time.len(), time.matches('T').count()), (29, 1), "{time}");

    // Who asks for more gets it.
    let url = target.url();
    let arguments = [&RUN[..], &[&url, "-t", "1", "-L", "debug"]].concat();
    let mut run = Process::spawn("run", swarm.command(&arguments));
    run.wait(PATIENCE);
    assert!(run.err.find("joined the master").is_some(), "{}", run.err.text());
}

#[test]
fn a_headless_master_says_what_it_waits_for() {
    let (swarm, target) = swarm_with_scenario();
    let url = target.url();
    let arguments = ["--headless", "-H", &url, "--expect-workers", "2", "-t", "1"];
    let mut master = swarm.master("sound.wasm".as_ref(), &arguments);
    let said = |part: &str| {
        wait_until(part, PATIENCE, || master.process.err.text().matches(part).count() > 0);
    };
    said("waiting for workers: 0 of 2 ready (--expect-workers)");
    let port = master.address().port();
    said(&format!("such as `swarm worker --master-host 127.0.0.1 --master-port {port}`"));
    let _first = swarm.worker(&master, &["--threads", "1"]);
    said("waiting for workers: 1 of 2 ready");
    let _second = swarm.worker(&master, &["--threads", "1"]);
    assert_eq!(master.process.wait(PATIENCE).code(), Some(1), "{}", master.process.err.text());
}

#[test]
fn a_large_scenario_is_compiled_once_and_the_page_answers_meanwhile() {
    let swarm = Swarm::new();
    let large = scenario("website-go");
    let large = large.to_str().expect("the path is plain");
    let start = || {
        let run = ["run", large, "--web-port", "0", "-H", "http://127.0.0.1:1"];
        Process::spawn("run", swarm.command(&run))
    };
    let mut run = start();
    run.wait_for_value("compiling ");
    assert!(run.err.find(" MB), once for this machine").is_some(), "{}", run.err.text());
    let url = run.wait_for_value("the page opens at ");
    let waiting = get(&format!("{url}/stats/requests"));
    // It may have been compiled by now, on a fast machine.
    if run.err.find("web interface on").is_none() {
        assert_eq!(waiting.status, 503, "{}", waiting.head);
        assert!(waiting.body.contains("is being compiled"), "{}", waiting.body);
        assert!(waiting.head.to_lowercase().contains("retry-after: 1"), "{}", waiting.head);
    }
    assert_eq!(run.wait_for_value("web interface on "), url);
    assert_eq!(get(&format!("{url}/stats/requests")).json()["state"], "ready");
    run.signal(Signal::INT);
    assert_eq!(run.wait(PATIENCE).code(), Some(0), "{}", run.err.text());

    let mut again = start();
    again.wait_for_value("web interface on ");
    assert!(again.err.find("compiling").is_none(), "{}", again.err.text());
    again.signal(Signal::INT);
    assert_eq!(again.wait(PATIENCE).code(), Some(0), "{}", again.err.text());

    // What can be known before is said before a port is opened.
    let bytes = fs::read(large).expect("it was built");
    swarm.file("cut.wasm", &bytes[..bytes.len() - 1_000]);
    let arguments = ["run", "cut.wasm", "-P", "0", "-H", "http://127.0.0.1:1"];
    refused(&swarm, &arguments, SCENARIO, &["cut.wasm", "not a valid component"]);
}

#[test]
fn an_interrupt_ends_compiling() {
    let swarm = Swarm::new();
    let large = scenario("website-go");
    let run = ["run", large.to_str().expect("the path is plain"), "-P", "0"];
    let mut run = Process::spawn("run", swarm.command(&run));
    run.wait_for_value("the page opens at ");
    run.signal(Signal::INT);
    let code = run.wait(PATIENCE).code();
    // It may have been compiled by now.
    let ready = run.err.find("web interface on").is_some();
    assert_eq!(code, Some(if ready { 0 } else { 130 }), "{}", run.err.text());
}

#[test]
fn users_that_take_turns_are_warned_of() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    Guest::visiting(&["/delay/20"]).shared(100).write(&swarm, "turns");
    let arguments = ["run", "turns.wasm", "--headless", "-u", "100", "-r", "100", "-s", "60"];
    let settings = ["-H", &target.url(), "--json-file", "result.json"];
    let command = swarm.command(&[&arguments[..], &settings].concat());
    let mut run = Process::spawn("run", command);
    run.wait_for_value("the generator is late: half of the tasks started");
    let told = run.err.text();
    assert!(told.contains("the load is limited by the generator"), "{told}");
    run.signal(Signal::INT);
    run.wait(PATIENCE);
    let summary = summary(&swarm);
    assert!(summary.late);
    let about = |notice: &&String| notice.contains("up to 100 users of this scenario take turns");
    assert_eq!(summary.notices.iter().filter(about).count(), 1, "{:?}", summary.notices);
}

#[test]
fn a_generator_that_is_late_says_so() {
    let swarm = Swarm::new();
    Guest::thinking().write(&swarm, "busy");
    let arguments =
        ["--threads", "1", "-H", "http://127.0.0.1:1", "--json-file", "result.json", "-s", "60"];
    let mut run = swarm.run("busy.wasm".as_ref(), &arguments);
    let view = |run: &swarm_tests::Run| run.page().get("/api/v1/view").json();
    assert_eq!(view(&run)["stats"]["late"], false);
    run.page().start(50, 100.0);
    run.process.wait_for_value("the generator is late: half of the tasks started");
    assert_eq!(view(&run)["stats"]["late"], true);
    wait_until("the page shows it", PATIENCE, || {
        view(&run)["notices"].to_string().contains("the generator is late")
    });
    run.process.signal(Signal::INT);
    run.process.wait(PATIENCE);
    let summary = summary(&swarm);
    assert!(summary.late);
    let about = summary.notices.iter().filter(|notice| notice.starts_with("the generator "));
    let about: Vec<_> = about.collect();
    assert_eq!(about.len(), 1, "{about:?}");
    assert!(about[0].starts_with("the generator was late: "), "{about:?}");
    let said = run.process.out.text();
    assert!(said.contains("\nwarning: lateness of the generator: median "), "{said}");
}
