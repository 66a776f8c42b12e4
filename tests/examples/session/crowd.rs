//! What holds of very many users, isolated or not.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use swarm_target::Counts;
use swarm_tests::Swarm;

use crate::cluster::{requests_by_path, result};
use crate::plateau::lateness;
use crate::report::{Report, mebibytes};

/// From the start to all users running.
const START_MAX: Duration = Duration::from_secs(60);
/// How long anything else may take with so many users.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// All users run, for the first time since the test began.
pub(crate) fn started(users: u32, begun: Instant, report: &mut Report) {
    let time = begun.elapsed();
    report.bar(
        format!("{users} users started"),
        format!("{:.1} s", time.as_secs_f64()),
        format!("at most {} s", START_MAX.as_secs()),
        time <= START_MAX,
    );
}

/// Memory in bytes of all that generates load.
pub(crate) fn memory(rss: u64, most: u64, report: &mut Report) {
    let wanted = format!("at most {}", mebibytes(most));
    report.bar("memory of the generator", mebibytes(rss), wanted, rss <= most);
}

/// The test is over: what its result says beside what the target has counted.
pub(crate) fn ended(
    users: u32,
    status: ExitStatus,
    swarm: &Swarm,
    counts: &Counts,
    report: &mut Report,
) {
    let code = status.code();
    report.bar("exit code", format!("{code:?}"), "Some(0)", code == Some(0));
    let result = result(swarm);
    let reported = requests_by_path(&result["entries"]);
    report.bar(
        "requests by path",
        format!("{reported:?}"),
        format!("{:?}", counts.paths),
        reported == counts.paths && counts.total >= u64::from(users) * 2,
    );
    report.bar("failures", &result["errors"], "[]", result["errors"] == serde_json::json!([]));
    report.table(&["lateness"], &[vec![lateness(&result)]]);
}
