//! What a result says beside its figures.

use swarm_tests::Swarm;

use crate::guests::{Guest, fixed, visit};
use crate::verdict::run_until;

/// Runs a guest that asks for the argument `known`, with these arguments.
#[track_caller]
fn notices(given: &[&str]) -> (Vec<String>, String) {
    let swarm = Swarm::new();
    let target = swarm.target(&[]);
    let ask = "(call $args.get (global.get $known) (global.get $known_len) (i32.const 0x20))";
    let guest = Guest::new(vec![fixed("Reader", 2, 0)]).run(&format!("{ask} {}", visit("index")));
    let guest = guest.text("known", "known").text("index", "/").write(&swarm, "reader");
    let flags: Vec<_> = given.iter().flat_map(|given| ["--arg", given]).collect();
    let flags = [&["-u", "2"], &flags[..]].concat();
    let ended = run_until(&swarm, &target, &guest, &flags, |counts| counts.total >= 10);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    (ended.summary.notices, ended.log)
}

#[test]
fn arguments_that_nobody_reads_are_told() {
    let (told, log) = notices(&["knwon=1", "known=2", "extra=3"]);
    let text = "no user asked for what --arg gave: \"extra\", \"knwon\". Are the names right?";
    assert_eq!(told, [text]);
    assert!(log.contains(text), "{log}");
}

#[test]
fn arguments_that_are_read_are_not_told() {
    assert_eq!(notices(&["known=2"]).0, [""; 0]);
    assert_eq!(notices(&[]).0, [""; 0]);
}
