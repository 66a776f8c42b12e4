//! Settings that make no sense, whoever gives them: flags, the environment, the page.

use std::net::TcpListener;

use swarm_core::plan::Order;
use swarm_tests::{PATIENCE, Process, Swarm};

use crate::guests::{Guest, class, fixed, task};
use crate::verdict::{BIND, OUTPUT, SETTINGS, USAGE, refused, refused_as};

/// A run of a sound scenario with these flags beside what it needs.
#[track_caller]
fn run_is_refused(swarm: &Swarm, flags: &[&str], exit: i32, parts: &[&str]) {
    let run = ["run", "sound.wasm", "--headless"];
    refused(swarm, &[&run, flags].concat(), exit, parts);
}

fn swarm_with_scenario() -> Swarm {
    let swarm = Swarm::new();
    Guest::visiting(&["/"]).write(&swarm, "sound");
    swarm
}

#[test]
fn numbers_and_times() {
    let swarm = swarm_with_scenario();
    let bad: [(&str, &[&str], &str); 9] = [
        ("--users", &["0", "-1", "1.5", "ten", "10000001", "99999999999999999999", ""], "10000000"),
        ("--spawn-rate", &["0", "-1", "fast", "NaN", "inf", "1e9", ""], "above 0"),
        (
            "--run-time",
            &["0", "-5", "soon", "1x", "5 10", "99999999999999999999", ""],
            "--run-time",
        ),
        ("--stop-timeout", &["-5", "later", "NaN", "1e300", ""], "--stop-timeout"),
        ("--request-timeout", &["0", "-1", "never"], "--request-timeout"),
        ("--threads", &["0", "-1", "257", "all"], "256"),
        ("--task-cpu-limit", &["0", "0.001", "-1", "little"], "--task-cpu-limit"),
        ("--web-port", &["65536", "-1", "http"], "--web-port"),
        ("--exit-code-on-error", &["256", "-1", "yes"], "--exit-code-on-error"),
    ];
    for weight in ["0", "1001", "-1", "much"] {
        let given = format!("--weight={weight}");
        refused(&swarm, &["worker", &given], USAGE, &["--weight", "from 1 to 1000"]);
    }
    for (flag, values, part) in bad {
        for value in values {
            let given = format!("{flag}={value}");
            run_is_refused(&swarm, &["-H", "http://127.0.0.1:1", &given], USAGE, &[flag, part]);
        }
    }
}

#[test]
fn the_environment_is_checked_like_flags() {
    let swarm = swarm_with_scenario();
    let bad = [
        ("SWARM_USERS", "0", "--users"),
        ("SWARM_USERS", "-3", "--users"),
        ("SWARM_USERS", "many", "--users"),
        ("SWARM_SPAWN_RATE", "0", "--spawn-rate"),
        ("SWARM_RUN_TIME", "soon", "--run-time"),
        ("SWARM_TASK_CPU_LIMIT", "0", "--task-cpu-limit"),
    ];
    for (name, value, flag) in bad {
        let arguments = ["run", "sound.wasm", "--headless", "-H", "http://127.0.0.1:1"];
        let mut command = swarm.command(&arguments);
        command.env(name, value);
        let mut process = Process::spawn("run", command);
        let code = process.wait(PATIENCE).code();
        refused_as(&process, code, &[name, value], USAGE, &[flag, value]);
    }
}

#[test]
fn flags_that_do_not_exist() {
    let swarm = swarm_with_scenario();
    run_is_refused(&swarm, &["--user", "5"], USAGE, &["--user", "--users"]);
    run_is_refused(&swarm, &["--frobnicate"], USAGE, &["--frobnicate"]);
    run_is_refused(&swarm, &["second.wasm"], USAGE, &["second.wasm"]);
    run_is_refused(&swarm, &["--autostart"], USAGE, &["--autostart", "--headless"]);
    run_is_refused(&swarm, &["--arg", "nameless"], USAGE, &["NAME=VALUE"]);
    refused(&swarm, &["walk"], USAGE, &["walk"]);
    refused(&swarm, &["master"], USAGE, &["SCENARIO", "`swarm run` has a scenario of its own"]);
}

#[test]
fn flags_of_other_tools() {
    let swarm = swarm_with_scenario();
    let cases: [(&[&str], &str); 5] = [
        (&["--html", "report.html"], "--json-file FILE"),
        (&["--locustfile", "locustfile.py"], "swarm run SCENARIO.wasm"),
        (&["--config", "locust.conf"], "environment variable"),
        (&["--vus", "10"], "--users N"),
        (&["--expect-workers", "2"], "`swarm master`"),
    ];
    for (flags, part) in cases {
        run_is_refused(&swarm, flags, USAGE, &[flags[0], part]);
    }
    run_is_refused(&swarm, &["-u", "-5"], USAGE, &["'-5'", "--users", "from 1 to 10000000"]);
}

#[test]
fn ids_that_no_worker_can_have() {
    let swarm = Swarm::new();
    let long = "x".repeat(257);
    for (id, part) in [
        ("", "empty"),
        (" ", "space"),
        ("a ", "space"),
        ("a\nb", "control characters"),
        (&long, "at most 256 bytes"),
    ] {
        refused(&swarm, &["worker", "--id", id], USAGE, &["--id", part]);
    }
    let long = "x".repeat(255);
    refused(&swarm, &["worker", "--id", &long, "--processes", "2"], USAGE, &["--id", "256 bytes"]);
}

/// A master that can nowhere be is not looked for.
#[test]
fn masters_that_no_worker_can_reach() {
    let swarm = Swarm::new();
    let long = "x".repeat(64);
    for (host, part) in [
        ("", "name or the address of a machine"),
        ("a b", "name or the address of a machine"),
        (&long, "name or the address of a machine"),
        ("http://127.0.0.1", "without a scheme"),
        ("127.0.0.1:5557", "a flag of its own"),
    ] {
        let given = format!("--master-host={host}");
        refused(&swarm, &["worker", &given], USAGE, &["--master-host", part]);
    }
    let port = ["worker", "--master-port", "0"];
    refused(&swarm, &port, USAGE, &["--master-port", "from 1 to 65535"]);
}

/// What others need is said to be given by the environment, where nobody sees it.
#[test]
fn variables_that_need_others() {
    let swarm = swarm_with_scenario();
    let run = ["run", "sound.wasm", "--headless", "-H", "http://127.0.0.1:1"];
    let value = std::os::unix::ffi::OsStringExt::from_vec(b"5\xff".to_vec());
    let value: std::ffi::OsString = value;
    for (name, value, part) in [
        ("LOCUST_CSV_FULL_HISTORY", "1".into(), "--csv-full-history by LOCUST_CSV_FULL_HISTORY"),
        ("SWARM_TLS_CERT", "x".into(), "--tls-cert by SWARM_TLS_CERT"),
        ("SWARM_USERS", value, "SWARM_USERS is not UTF-8"),
    ] {
        let mut command = swarm.command(&run);
        command.env(name, value);
        let mut process = Process::spawn("run", command);
        let code = process.wait(PATIENCE).code();
        refused_as(&process, code, &[name], USAGE, &[part]);
    }
}

/// Settings that no order could carry to a worker.
#[test]
fn more_than_workers_can_be_told() {
    let swarm = swarm_with_scenario();
    let host = ["-H", "http://127.0.0.1:1"];
    let names: Vec<String> = (0..10_001).map(|n| format!("--arg=n{n}=")).collect();
    let names = names.iter().map(String::as_str);
    let flags: Vec<&str> = host.into_iter().chain(names).collect();
    run_is_refused(&swarm, &flags, SETTINGS, &["10001 arguments", "at most 10000"]);
    let twice = [&host[..], &["--arg", "a=1", "--arg", "a=2"]].concat();
    run_is_refused(&swarm, &twice, SETTINGS, &["argument `a` is given twice"]);
}

/// The longest argument that the system lets anybody give arrives at the users, in one process and
/// in a cluster.
#[test]
fn long_arguments_reach_the_users() {
    // A word of a command has at most 128 KiB.
    let long = format!("--arg=long={}", "x".repeat(128 * 1024 - 20));
    let swarm = swarm_with_scenario();
    let target = swarm.target(&[]);
    let flags = ["-H", &target.url(), "--arg", "short=a;b=c", &long];
    let run = swarm.run("sound.wasm".as_ref(), &flags);
    run.page().start(2, 10.0);
    target.wait_for_requests(4);
    drop(run);

    let master = swarm.master("sound.wasm".as_ref(), &flags);
    let _worker = swarm.worker(&master, &[]);
    master.page().wait_for_workers(1);
    target.take_counts();
    master.page().start(2, 10.0);
    target.wait_for_requests(4);
}

/// What the environment says that nobody reads, and what is read for want of anything else.
#[test]
fn variables_of_the_environment_are_told() {
    let swarm = swarm_with_scenario();
    let target = swarm.target(&[]);
    let mut command = swarm.command(&["run", "sound.wasm", "--web-port", "0"]);
    command.env("SWARM_USER", "5").env("SWARM_USERS", "").env("SWARM_HEADLESS", "yes");
    command.env("LOCUST_HOST", target.url()).env("LOCUST_USERS", "3").env("LOCUST_SPAWN_RATE", "9");
    command.env("LOCUST_RUN_TIME", "2s").env("LOCUST_LOCUSTFILE", "locustfile.py");
    let mut process = Process::spawn("run", command);
    let code = process.wait(PATIENCE).code();
    let said = process.err.text();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(target.counts().connections, 3 + 1, "a connection each, and the one that asks");
    let read = "LOCUST_HOST, LOCUST_RUN_TIME, LOCUST_SPAWN_RATE, LOCUST_USERS";
    for part in [read, "not understood: LOCUST_LOCUSTFILE", "is SWARM_USERS meant?"] {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
}

#[test]
fn hosts() {
    let swarm = swarm_with_scenario();
    let long = format!("http://{}.test", "x".repeat(64));
    let bad = [
        ("ftp://127.0.0.1", "only http and https"),
        ("127.0.0.1:8080", "has no scheme"),
        ("localhost", "write `http://localhost`"),
        ("http://", "names no host"),
        ("http:///a.test", "names no host"),
        ("http://a..test", "a name that nobody can have"),
        (&long, "a name that nobody can have"),
        ("http://a b", "not a URL"),
        ("http://127.0.0.1:99999", "not a URL"),
        ("http://127.0.0.1:0", "port 0"),
        ("http://user:secret@127.0.0.1", "user or password"),
        ("http://127.0.0.1/?q=1", "query or fragment"),
        ("", "has no scheme"),
    ];
    for (host, part) in bad {
        for mode in ["--headless", "--web-port=0"] {
            let run = ["run", "sound.wasm", mode, "-H", host];
            refused(&swarm, &run, SETTINGS, &["host", part]);
        }
    }
    run_is_refused(&swarm, &[], SETTINGS, &["Visitor", "no host", "--host"]);
    refused(&swarm, &["run", "sound.wasm", "--autostart"], SETTINGS, &["no host", "--host"]);
    let allow = ["-H", "http://127.0.0.1:1", "--allow-host", "http://a.test"];
    run_is_refused(&swarm, &allow, SETTINGS, &["http://a.test", "HOST:PORT"]);
}

#[test]
fn a_class_with_a_host_that_is_not_allowed() {
    let swarm = Swarm::new();
    let of = |host: &str| {
        let mut class = fixed("Elsewhere", 1, 0);
        class.host = Some(host.to_owned());
        Guest::new(vec![class])
    };
    of("http://other.test").write(&swarm, "sound");
    let host = ["-H", "http://127.0.0.1:1"];
    let parts = ["Elsewhere", "other.test:80", "--allow-host other.test:80"];
    run_is_refused(&swarm, &host, SETTINGS, &parts);
    refused(&swarm, &["run", "sound.wasm", "-P", "0"], SETTINGS, &parts);
    of("gopher://other.test").write(&swarm, "sound");
    run_is_refused(&swarm, &host, SETTINGS, &["Elsewhere", "gopher", "only http and https"]);
}

#[test]
fn tags_that_leave_no_task() {
    let swarm = Swarm::new();
    let mut buy = task(0, "buy");
    buy.tags = vec!["shop".to_owned()];
    Guest::new(vec![class("Buyer", Order::Weighted, vec![buy])]).write(&swarm, "sound");
    for flags in [["--tags", "nothing"], ["--exclude-tags", "shop"], ["-T", "Shop"]] {
        let flags = [&["-H", "http://127.0.0.1:1"], &flags[..]].concat();
        run_is_refused(&swarm, &flags, SETTINGS, &["Buyer", "no task is left", flags[3]]);
    }
    let many: Vec<String> = (0..1000).map(|number| format!("t{number}")).collect();
    let flags = ["-H", "http://127.0.0.1:1", "-T", &many.join(",")];
    let parts = ["no task has the tags `t0`, `t1`", "`t9` and 990 more (--tags"];
    run_is_refused(&swarm, &flags, SETTINGS, &parts);
}

#[test]
fn addresses_that_cannot_be_opened() {
    let swarm = swarm_with_scenario();
    let taken = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = taken.local_addr().expect("it is bound");
    let port = address.port().to_string();
    let in_use = [&*address.to_string(), "in use"];
    let web = ["run", "sound.wasm", "--web-port", &port];
    refused(&swarm, &web, BIND, &[&in_use[..], &["web page", "--web-port"]].concat());
    let master = ["master", "sound.wasm", "--web-port", "0", "--master-bind-port", &port];
    refused(&swarm, &master, BIND, &[&in_use[..], &["workers", "--master-bind-port"]].concat());
    let master = ["master", "sound.wasm", "--web-port", &port, "--master-bind-port", "0"];
    refused(&swarm, &master, BIND, &[&in_use[..], &["web page"]].concat());
    let web = ["run", "sound.wasm", "--web-host", "256.1.1.1"];
    refused(&swarm, &web, BIND, &["256.1.1.1"]);
}

#[test]
fn files_that_cannot_be_written() {
    let swarm = swarm_with_scenario();
    let host = ["-H", "http://127.0.0.1:1"];
    for (flag, path) in [("--json-file", "no/where.json"), ("--csv", "no/where")] {
        let flags = [&host[..], &[flag, path]].concat();
        run_is_refused(&swarm, &flags, OUTPUT, &[flag, path, "No such file"]);
    }
    for folder in [".", "new/"] {
        let folder = [&host[..], &["--json-file", folder]].concat();
        run_is_refused(&swarm, &folder, OUTPUT, &["--json-file", "directory"]);
    }
}

/// No result is written over another one, or over the scenario.
#[test]
fn files_that_are_the_same() {
    let swarm = swarm_with_scenario();
    let scenario = swarm.folder().join("sound.wasm");
    let before = std::fs::read(&scenario).expect("it is there");
    std::os::unix::fs::symlink("result_stats.csv", swarm.folder().join("link.json"))
        .expect("it is new");
    for (flags, parts) in [
        (&["--json-file", "sound.wasm"][..], ["the file of --json-file", "is the scenario"]),
        (&["--json-file", "./result_stats_history.csv"], ["a file of --csv", "--json-file"]),
        (&["--json-file", "link.json"], ["a file of --csv", "--json-file"]),
    ] {
        let flags = [&["-H", "http://127.0.0.1:1", "--csv", "result"], flags].concat();
        run_is_refused(&swarm, &flags, SETTINGS, &[&parts[..], &["another name"]].concat());
    }
    assert!(std::fs::read(&scenario).expect("it is there") == before);
}

#[test]
fn what_the_page_refuses_starts_nothing() {
    let swarm = swarm_with_scenario();
    let target = swarm.target(&[]);
    let run = swarm.run("sound.wasm".as_ref(), &["-H", &target.url()]);
    let page = run.page();
    let bad = [
        ("0", "1", "http://127.0.0.1:1", "", "number of users"),
        ("-1", "1", "", "", "number of users"),
        ("10000001", "1", "", "", "number of users"),
        ("ten", "1", "", "", "not `ten`"),
        ("5", "0", "", "", "spawn rate"),
        ("5", "-1", "", "", "spawn rate"),
        ("5", "NaN", "", "", "spawn rate"),
        ("5", "1e300", "", "", "spawn rate"),
        ("5", "fast", "", "", "not `fast`"),
        ("5", "1", "ftp://127.0.0.1", "", "host"),
        ("5", "1", "127.0.0.1:80", "", "host"),
        ("5", "1", "http://user:secret@127.0.0.1", "", "user or password"),
        ("5", "1", "", "soon", "run time"),
        ("5", "1", "", "-5", "run time"),
    ];
    for (users, rate, host, run_time, part) in bad {
        let form =
            [("user_count", users), ("spawn_rate", rate), ("host", host), ("run_time", run_time)];
        let answer = page.post("/swarm", &form);
        assert!((400..500).contains(&answer.status), "{form:?}: {}", answer.head);
        assert!(answer.body.contains(part), "{form:?}: {}", answer.body);
        assert!(answer.body.contains("\"success\":false"), "{form:?}: {}", answer.body);
    }
    assert_eq!(page.stats()["state"], "ready");
    assert_eq!(target.counts().total, 0);
    // And it still does what is right.
    page.start(1, 1.0);
    target.wait_for_requests(3);
}
