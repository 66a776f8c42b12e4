//! Every way to end writes the results, and none takes for ever.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use rustix::process::{Pid, kill_process};
use swarm_tests::{PATIENCE, Process, Signal, Swarm, Terminal, in_shell, wait_for, wait_until};

use crate::guests::Guest;
use crate::outputs::results_are_whole;
use crate::verdict::{NOTHING_ANSWERED, SCENARIO, summary};

const RUN: [&str; 8] = ["run", "sound.wasm", "--headless", "-u", "3", "-r", "100", "-H"];
const RESULTS: [&str; 4] = ["--json-file", "result.json", "--csv", "result"];

/// `sysexits.h` calls it a fault of the software.
const INTERNAL: i32 = 70;
const INTERRUPTED: i32 = 130;

fn swarm_with_scenario() -> Swarm {
    let swarm = Swarm::new();
    Guest::visiting(&["/", "/about"]).write(&swarm, "sound");
    swarm
}

#[test]
fn signals_that_end_a_process_end_the_test_in_order() {
    for signal in [
        Signal::INT,
        Signal::TERM,
        // The terminal is closed.
        Signal::HUP,
        Signal::QUIT,
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        // What may be computed is used up.
        Signal::XCPU,
    ] {
        let swarm = swarm_with_scenario();
        let target = swarm.target(&[]);
        let url = target.url();
        let arguments = [&RUN[..], &[&url, "-s", "60"], &RESULTS].concat();
        let mut run = Process::spawn("run", swarm.command(&arguments));
        target.wait_for_requests(20);
        run.signal(signal);
        assert_eq!(run.wait(PATIENCE).code(), Some(0), "{signal:?}: {}", run.err.text());
        results_are_whole(&swarm, &target);
    }
}

#[test]
fn nohup_is_obeyed() {
    let swarm = swarm_with_scenario();
    let target = swarm.target(&[]);
    let url = target.url();
    let arguments = [&RUN[..], &[&url, "-s", "60"], &RESULTS].concat();
    let command = in_shell(r#"trap "" HUP; exec "$@""#, &swarm.command(&arguments));
    let mut run = Process::spawn("run", command);
    target.wait_for_requests(20);
    run.signal(Signal::HUP);
    let before = target.counts().total;
    target.wait_for_requests(before + 40);
    run.signal(Signal::INT);
    assert_eq!(run.wait(PATIENCE).code(), Some(0), "{}", run.err.text());
    assert_eq!(run.err.text().matches("stopping the test").count(), 1);
    results_are_whole(&swarm, &target);
}

#[test]
fn a_terminal_that_is_closed_ends_the_test_in_order() {
    let swarm = swarm_with_scenario();
    let target = swarm.target(&[]);
    let url = target.url();
    let arguments = [&RUN[..], &[&url, "-s", "60"], &RESULTS].concat();
    let mut terminal = Terminal::new(100, 30);
    let mut run = Process::spawn_onto("run", swarm.command(&arguments), terminal.streams());
    target.wait_for_requests(20);
    terminal.hang_up();
    // As from the kernel, and again from the shell.
    run.signal(Signal::HUP);
    run.signal(Signal::HUP);
    assert_eq!(run.wait(PATIENCE).code(), Some(0));
    results_are_whole(&swarm, &target);
}

#[test]
fn a_second_interrupt_ends_at_once_with_what_there_is() {
    // Users wait for answers that never come, and have all the time of the world to finish.
    let silent = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let url = format!("http://{}", silent.local_addr().expect("it is bound"));
    for page in [&["--headless"][..], &["--autostart", "--web-port", "0"]] {
        let swarm = swarm_with_scenario();
        let run = ["run", "sound.wasm", "-u", "3", "-r", "100", "-s", "100000", "-H", &url];
        let arguments = [&run[..], page, &RESULTS].concat();
        let mut run = Process::spawn("run", swarm.command(&arguments));
        run.wait_for_value("a test begins");
        run.signal(Signal::INT);
        run.wait_for_value("interrupt again to end at once");
        // Not at the same moment, which would be one.
        wait_until("the second is a second", PATIENCE, || !run.signal_if_running(Signal::INT));
        assert_eq!(run.wait(PATIENCE).code(), Some(INTERRUPTED), "{}", run.err.text());
        // Nothing but this process has ended.
        assert!(run.err.find("was lost").is_none(), "{}", run.err.text());
        let notices = summary(&swarm).notices.join("; ");
        assert!(notices.contains("the master ended before the test had stopped"), "{notices}");
    }
}

#[test]
fn a_master_that_is_told_to_end_while_it_waits_ends() {
    let swarm = swarm_with_scenario();
    let arguments = ["--headless", "-H", "http://127.0.0.1:1", "--json-file", "result.json"];
    let mut master = swarm.master("sound.wasm".as_ref(), &arguments);
    master.process.wait_for_value("waiting for workers: 0 of 1 ready");
    master.process.signal(Signal::HUP);
    let code = master.process.wait(PATIENCE).code();
    assert_eq!(code, Some(NOTHING_ANSWERED), "{}", master.process.err.text());
    assert!(master.process.err.find("no user was started: told to end before").is_some());
    assert!(!swarm.folder().join("result.json").exists(), "there was no test");
}

#[test]
fn a_worker_whose_terminal_is_closed_hands_over() {
    let swarm = swarm_with_scenario();
    let target = swarm.target(&[]);
    let url = target.url();
    let arguments = [&["-H", &url, "-s", "60"][..], &RESULTS].concat();
    let mut master = swarm.master("sound.wasm".as_ref(), &arguments);
    let mut leaving = swarm.worker(&master, &["--threads", "1"]);
    let _staying = swarm.worker(&master, &["--threads", "1"]);
    master.page().wait_for_workers(2);
    master.page().start(4, 100.0);
    target.wait_for_requests(40);
    leaving.process.signal(Signal::HUP);
    assert_eq!(leaving.process.wait(PATIENCE).code(), Some(0));
    let before = target.counts().total;
    target.wait_for_requests(before + 40);
    master.process.signal(Signal::TERM);
    assert_eq!(master.process.wait(PATIENCE).code(), Some(0), "{}", master.process.err.text());
    results_are_whole(&swarm, &target);
}

#[test]
fn without_threads_there_is_an_error_and_no_panic() {
    let swarm = swarm_with_scenario();
    let target = swarm.target(&[]);
    let url = target.url();
    // Root has no such limit: somebody else runs it then, from where he can.
    let binary = swarm.folder().join("swarm");
    fs::copy(swarm_tests::binary(), &binary).expect("there is room");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(swarm.folder(), open).expect("it is ours");
    let run = [&RUN[..], &[&url, "-t", "1"], &RESULTS].concat();
    let worker = ["worker", "--master-max-wait", "1", "--master-port", "1"];
    let target = ["target", "--port", "0"];
    let mut codes = Vec::new();
    for (arguments, most) in [(&run[..], 16), (&worker[..], 12), (&target[..], 8)] {
        for limit in 1..=most {
            let script = format!("ulimit -u {limit} 2>/dev/null || ulimit -p {limit}; exec \"$@\"");
            let mut command = swarm.command(arguments);
            command.env("SWARM_CACHE_DIR", swarm.folder().join(format!("cache-{limit}")));
            let mut command = in_shell(&script, &as_program(&binary, &command));
            if rustix::process::geteuid().is_root() {
                std::os::unix::process::CommandExt::uid(&mut command, 54_321);
            }
            let mut process = Process::spawn(arguments[0], command);
            if arguments[0] == "target" {
                wait_until("it listens or ends", PATIENCE, || {
                    process.out.find("listening").is_some() || !process.is_running()
                });
                process.signal_if_running(Signal::INT);
            }
            let code = process.wait(PATIENCE).code();
            let said = process.err.text();
            assert!(!said.contains("panicked"), "{limit} threads: {said}");
            assert!(matches!(code, Some(0 | 6 | INTERNAL)), "{limit} threads: {code:?}: {said}");
            if code == Some(INTERNAL) {
                assert!(said.contains("error: ") && said.contains("unavailable"), "{said}");
            }
            codes.push((arguments[0], limit, code));
        }
    }
    assert!(codes.contains(&("run", 1, Some(INTERNAL))), "{codes:?}");
}

/// The same command of a copy of the program.
fn as_program(binary: &Path, command: &std::process::Command) -> std::process::Command {
    let mut copy = std::process::Command::new(binary);
    copy.args(command.get_args())
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    copy.current_dir(command.get_current_dir().expect("a test's folder"));
    copy
}

#[test]
fn no_folder_for_compiled_scenarios_is_a_warning() {
    let swarm = swarm_with_scenario();
    let target = swarm.target(&[]);
    let temporary = swarm.folder().join("tmp");
    fs::create_dir(&temporary).expect("it is new");
    let without_cache = |arguments: &[&str], home: Option<&str>| {
        let mut command = swarm.command(arguments);
        command.env_remove("SWARM_CACHE_DIR").env_remove("XDG_CACHE_HOME").env_remove("HOME");
        command.env("TMPDIR", &temporary);
        home.map(|home| command.env("HOME", home));
        command
    };
    let file = swarm.file("file", b"");
    let file = file.to_str().expect("temporary folders have plain names");
    for (home, part) in [
        (None, "there is no HOME"),
        (Some("/proc"), "/proc/.cache"),
        (Some(file), "Not a directory"),
    ] {
        let url = target.url();
        let arguments = [&RUN[..], &[&url, "-t", "1"], &RESULTS].concat();
        let mut run = Process::spawn("run", without_cache(&arguments, home));
        assert_eq!(run.wait(PATIENCE).code(), Some(0), "{}", run.err.text());
        let said = run.err.find("no folder for compiled scenarios").expect("it is told");
        assert!(said.contains(" WARN ") && said.contains(part), "{said}");
        assert_eq!(summary(&swarm).total.num_failures, 0);

        let master = swarm.master("sound.wasm".as_ref(), &["-H", &target.url()]);
        let port = master.address().port().to_string();
        let worker = ["worker", "--master-port", &port, "--threads", "1"];
        let mut worker = Process::spawn("worker", without_cache(&worker, home));
        master.page().wait_for_state("ready");
        wait_until("it is ready", PATIENCE, || {
            master.page().stats()["workers"][0]["state"] == "ready"
        });
        worker.signal(Signal::INT);
        assert_eq!(worker.wait(PATIENCE).code(), Some(0), "{}", worker.err.text());
        let left = fs::read_dir(&temporary).expect("it is there").count();
        assert_eq!(left, 0, "private folders are removed");
    }
}

#[test]
fn a_folder_for_compiled_scenarios_may_be_given_relative_to_this_one() {
    let swarm = swarm_with_scenario();
    let target = swarm.target(&[]);
    let url = target.url();
    for variable in ["SWARM_CACHE_DIR", "XDG_CACHE_HOME"] {
        let mut command = swarm.command(&[&RUN[..], &[&url, "-t", "1"]].concat());
        command.env_remove("SWARM_CACHE_DIR").env("HOME", swarm.folder()).env(variable, "cache");
        let mut run = Process::spawn("run", command);
        assert_eq!(run.wait(PATIENCE).code(), Some(0), "{}", run.err.text());
        assert_eq!(run.err.find("no folder"), None);
    }
    // The specification has it that a relative XDG_CACHE_HOME is ignored.
    for folder in ["cache/compiled", ".cache/swarm/compiled"] {
        assert!(swarm.folder().join(folder).is_dir(), "{folder}");
    }
}

#[test]
fn what_the_machine_does_not_give_is_no_fault_of_the_scenario() {
    let swarm = swarm_with_scenario();
    let arguments = [&RUN[..], &["http://127.0.0.1:1", "-t", "1"]].concat();
    for (limit, part) in [
        ("-v 3000000", "there is no memory for it"),
        ("-n 7", "watch for signals"),
        ("-n 8", "remedy: "),
        ("-n 10", "remedy: "),
    ] {
        let script = format!("ulimit {limit}; exec \"$@\"");
        let mut run = Process::spawn("run", in_shell(&script, &swarm.command(&arguments)));
        let code = run.wait(PATIENCE).code();
        let said = run.err.text();
        assert!(matches!(code, Some(INTERNAL | SCENARIO)), "{limit}: {code:?}: {said}");
        assert!(!said.contains("panicked"), "{limit}: {said}");
        assert!(said.contains(part) && said.contains("`ulimit "), "{limit}: {said}");
    }
}

#[test]
fn several_processes_share_a_private_folder() {
    let swarm = swarm_with_scenario();
    let temporary = swarm.folder().join("tmp");
    fs::create_dir(&temporary).expect("it is new");
    let master = swarm.master("sound.wasm".as_ref(), &["-H", "http://127.0.0.1:1"]);
    let port = master.address().port().to_string();
    let mut command =
        swarm.command(&["worker", "--master-port", &port, "--processes", "2", "--threads", "1"]);
    command.env("SWARM_CACHE_DIR", "/proc/swarm").env_remove("XDG_CACHE_HOME").env_remove("HOME");
    command.env("TMPDIR", &temporary);
    let mut workers = Process::spawn("worker", command);
    master.page().wait_for_workers(2);
    let folders = || fs::read_dir(&temporary).expect("it is there").count();
    assert_eq!(folders(), 1);
    workers.signal(Signal::INT);
    assert_eq!(workers.wait(PATIENCE).code(), Some(0), "{}", workers.err.text());
    assert_eq!(folders(), 0);
    assert_eq!(workers.err.text().matches("no folder for compiled").count(), 1);
}

#[test]
fn what_hangs_does_not_outlive_a_second_interrupt() {
    // Frozen, the process can do nothing; gone on, it is told twice and has hung in between.
    let swarm = swarm_with_scenario();
    let target = swarm.target(&[]);
    let url = target.url();
    let arguments = [&RUN[..], &[&url, "-s", "60", "--json-file", "fifo"]].concat();
    let fifo = swarm.folder().join("fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0).expect("the folder takes one");
    let mut run = Process::spawn("run", swarm.command(&arguments));
    target.wait_for_requests(20);
    run.signal(Signal::INT);
    wait_for("the test has ended", PATIENCE, || run.err.find("the test has ended"));
    // Nobody reads the result: it is waited for, until told not to.
    let id = i32::try_from(run.id()).ok().and_then(Pid::from_raw).expect("it is positive");
    wait_until("it ends", PATIENCE, || {
        // It may have ended just now.
        let _ = kill_process(id, Signal::INT);
        !run.is_running()
    });
    assert_eq!(run.wait(PATIENCE).code(), Some(INTERRUPTED), "{}", run.err.text());
}
