//! Join tokens: who has the master's may join, nobody else does anything.

use swarm_tests::{PATIENCE, Swarm, wait_until};

use super::{TOKEN, Wire, ends, master, nothing_has_happened, path, runs_users, say_again};
use super::{worker, worker_with};
use crate::verdict::{REFUSED, SETTINGS, refused, refused_as};

#[test]
fn who_has_the_token_joins() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let file = swarm.file("token", format!("{TOKEN}\n").as_bytes());
    let master = master(&swarm, &target, &["--token-file", path(&file)]);
    let mut first = worker(&swarm, &master, &["--token-file", path(&file)]);
    runs_users(&master, &target);
    assert_eq!(first.leave(PATIENCE).code(), Some(0));
    // A container has it in its environment.
    let _second = worker_with(&swarm, &master, ("SWARM_TOKEN", TOKEN), &[]);
    runs_users(&master, &target);
}

#[test]
fn without_the_token_nothing_happens() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let file = swarm.file("token", TOKEN.as_bytes());
    let mut master = master(&swarm, &target, &["--token-file", path(&file)]);
    let said = ends(worker(&swarm, &master, &[]), REFUSED, &["refused", "this one has none"]);
    assert!(said.contains("--token-file") && said.contains("SWARM_TOKEN"), "{said}");
    let other = worker_with(&swarm, &master, ("SWARM_TOKEN", "another token, as long"), &[]);
    ends(other, REFUSED, &["is not the master's", "--token-file", "SWARM_TOKEN"]);
    // Who watches the master learns of both.
    for part in ["this one has none", "is not the master's"] {
        wait_until(part, PATIENCE, || master.process.err.find(part).is_some());
    }
    nothing_has_happened(&mut master, &target);
}

/// It would run whatever anybody wants.
#[test]
fn a_worker_with_a_token_takes_no_master_without() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let mut master = master(&swarm, &target, &[]);
    let trusting = worker_with(&swarm, &master, ("SWARM_TOKEN", TOKEN), &[]);
    ends(trusting, REFUSED, &["does not take that master", "it has no join token", "--token-file"]);
    nothing_has_happened(&mut master, &target);
}

#[test]
fn guessing_is_slowed_down() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let file = swarm.file("token", TOKEN.as_bytes());
    let mut master = master(&swarm, &target, &["--token-file", path(&file)]);
    for _ in 0..swarm_core::attempts::FAILURES_MAX {
        let wrong = worker_with(&swarm, &master, ("SWARM_TOKEN", "a guess of some length"), &[]);
        ends(wrong, REFUSED, &["is not the master's"]);
    }
    let blocked = "nobody from there is let in for a minute";
    wait_until(blocked, PATIENCE, || master.process.err.find(blocked).is_some());
    // Not even looked at, but not told to give up either: others may be at fault.
    let mut kept_out = worker(&swarm, &master, &["--token-file", path(&file)]);
    kept_out.process.wait_for_value("is not there: ");
    nothing_has_happened(&mut master, &target);
}

/// The bytes of a join that went well let nobody in a second time.
#[test]
fn a_recorded_join_is_refused() {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let file = swarm.file("token", TOKEN.as_bytes());
    let token = ["--token-file", path(&file)];
    let master = master(&swarm, &target, &token);
    let wire = Wire::to(master.address());
    let mut joined = wire.worker(&swarm, &[&token[..], &["--id", "recorded"]].concat());
    runs_users(&master, &target);
    assert_eq!(joined.leave(PATIENCE).code(), Some(0));
    assert!(!wire.heard.holds(TOKEN.as_bytes()), "the token itself never crosses the wire");
    assert!(wire.heard.holds(b"recorded"), "this is the conversation");
    let before = target.counts().total;
    let joins = |log: &str| log.matches("has joined").count();
    assert_eq!(joins(&master.process.err.text()), 1);
    say_again(master.address(), &wire.heard.to_master());
    let refusal = "is not the master's";
    wait_until(refusal, PATIENCE, || master.process.err.find(refusal).is_some());
    assert_eq!(joins(&master.process.err.text()), 1, "nobody has joined");
    master.page().wait_for_workers(0);
    assert_eq!(target.counts().total, before);
}

#[test]
fn files_that_hold_no_token() {
    let swarm = Swarm::new();
    crate::guests::Guest::visiting(&["/"]).write(&swarm, "sound");
    swarm.file("short", b"secret\n");
    swarm.file("empty", b"\n");
    let bad = [("missing", "No such file"), ("short", "16 to 4096"), ("empty", "16 to 4096")];
    for (file, part) in bad {
        let master = ["master", "sound.wasm", "--token-file", file];
        refused(&swarm, &master, SETTINGS, &["--token-file", file, part]);
        refused(&swarm, &["worker", "--token-file", file], SETTINGS, &["--token-file", file, part]);
        let page = ["run", "sound.wasm", "--web-token-file", file];
        refused(&swarm, &page, SETTINGS, &["--web-token-file", file, part]);
    }
    let file = swarm.file("token", TOKEN.as_bytes());
    let arguments = ["worker", "--token-file", path(&file)];
    let mut command = swarm.command(&arguments);
    command.env("SWARM_TOKEN", TOKEN);
    let mut process = swarm_tests::Process::spawn("worker", command);
    let code = process.wait(PATIENCE).code();
    refused_as(&process, code, &arguments, SETTINGS, &["--token-file", "SWARM_TOKEN", "which"]);
}
