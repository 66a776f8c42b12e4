//! Whether the generator itself is late, and saying so while there is time to do something about
//! it.

use swarm_stats::snapshot::Snapshot;

/// It is told when it has lasted for so long: a burst at the start passes.
const LASTING_MS: u64 = 5_000;

/// What all texts about it begin with.
const BEGIN: &str = "the generator ";

/// Looks at the statistics while a test runs. Time is passed in.
#[derive(Debug, Default)]
pub(super) struct LateWatch {
    since_ms: Option<u64>,
    told: bool,
}

impl LateWatch {
    /// How it is now. Gives what is to be told, once.
    pub(super) fn look(&mut self, now_ms: u64, statistics: &Snapshot) -> Option<String> {
        if !statistics.late {
            self.since_ms = None;
            return None;
        }
        let since_ms = *self.since_ms.get_or_insert(now_ms);
        if self.told || now_ms.saturating_sub(since_ms) < LASTING_MS {
            return None;
        }
        self.told = true;
        text(statistics, "is")
    }
}

/// That the generator is, or was, late; `None` when it is not.
pub(super) fn text(statistics: &Snapshot, is: &str) -> Option<String> {
    let (p50, p99, _) = statistics.lateness_ms.filter(|_| statistics.late)?;
    Some(format!(
        "{BEGIN}{is} late: half of the tasks started {p50:.0} ms or more after they were due, 1 % \
         {p99:.0} ms. The response times are right, but this is not the load that was asked for: \
         give it more workers or more CPU, or let fewer users share an instance"
    ))
}

/// Is a notice about this?
pub(super) fn is_about(notice: &str) -> bool {
    notice.starts_with(BEGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics(late: bool) -> Snapshot {
        Snapshot { late, lateness_ms: Some((20.0, 7_504.0, 9_000.0)), ..Snapshot::default() }
    }

    #[test]
    fn lateness_that_lasts_is_told_once() {
        let mut watch = LateWatch::default();
        assert_eq!(watch.look(0, &statistics(true)), None);
        assert_eq!(watch.look(4_999, &statistics(true)), None);
        assert_eq!(watch.look(5_000, &statistics(false)), None, "it has passed");
        assert_eq!(watch.look(6_000, &statistics(true)), None);
        let told = watch.look(11_000, &statistics(true)).unwrap();
        assert!(told.starts_with("the generator is late: half of the tasks"), "{told}");
        assert!(told.contains("1 % 7504 ms"), "{told}");
        assert!(is_about(&told));
        assert_eq!(watch.look(20_000, &statistics(true)), None);
    }
}
