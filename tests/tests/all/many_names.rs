//! More names and failures than are kept apart.

use swarm_core::plan::Wait;
use swarm_target::Counts;
use swarm_tests::Swarm;

use crate::guests::Guest;
use crate::verdict::run_until;

/// More names and failures than are kept apart are counted, and the reader is told.
#[test]
fn limits_that_were_passed_are_told_once() {
    let swarm = Swarm::new();
    let target = swarm.target(&["--threads", "1"]);
    let mut guest = Guest::visiting_many(2_600);
    guest.class(0).wait = Wait::Constant(1);
    let scenario = guest.write(&swarm, "many");
    // Twice round, so that the limits are passed in more than one report.
    let enough = |counts: &Counts| counts.total >= 5_400;
    let ended = run_until(&swarm, &target, &scenario, &["-u", "1", "--threads", "1"], enough);
    assert_eq!(ended.summary.total.num_requests, ended.counts.total);
    let told = |part: &str| ended.summary.notices.iter().filter(|n| n.contains(part)).count();
    assert_eq!(told("more than 2000 names"), 1, "{:?}", ended.summary.notices);
    assert_eq!(told("more than 1000 different failures"), 1, "{:?}", ended.summary.notices);
    assert!(ended.summary.names_overflowed > 0);
    assert!(ended.requests("(other)") > 0);
}
