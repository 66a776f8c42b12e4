//! Whether the generator itself is late, and saying so while there is time to do something about
//! it.

use swarm_core::plan::Sharing;
use swarm_stats::snapshot::Snapshot;

/// It is told when it has lasted for so long: a burst at the start passes.
const LASTING_MS: u64 = 5_000;

/// What all texts about it begin with.
const BEGIN: &str = "the generator ";

/// Looks at the statistics while a test runs. Time is passed in.
#[derive(Debug)]
pub(super) struct LateWatch {
    sharing: Sharing,
    since_ms: Option<u64>,
    told: bool,
}

impl LateWatch {
    /// Of a scenario whose users share instances in this way.
    pub(super) fn new(sharing: Sharing) -> Self {
        Self { sharing, since_ms: None, told: false }
    }

    /// A test begins.
    pub(super) fn begin(&mut self) {
        *self = Self::new(self.sharing);
    }

    /// How it is now. Gives what is to be told, once.
    pub(super) fn look(&mut self, now_ms: u64, statistics: &Snapshot) -> Option<String> {
        if !statistics.late {
            self.since_ms = None;
            return None;
        }
        let since_ms = *self.since_ms.get_or_insert(now_ms);
        // Users that wait for the answers of others do not catch up.
        let lasting_ms = if self.users_taking_turns().is_some() { 0 } else { LASTING_MS };
        if self.told || now_ms.saturating_sub(since_ms) < lasting_ms {
            return None;
        }
        self.told = true;
        self.text(statistics, "is")
    }

    /// That the generator is, or was, late; `None` when it is not.
    pub(super) fn text(&self, statistics: &Snapshot, is: &str) -> Option<String> {
        let (p50, p99, _) = statistics.lateness_ms.filter(|_| statistics.late)?;
        let remedy = match self.users_taking_turns() {
            None => "give it more workers or more CPU".to_owned(),
            Some(users) => format!(
                "up to {users} users of this scenario take turns in one instance, and have none \
                 while another one waits for an answer. Let fewer users share an instance \
                 (`sharing` in what `describe` returns), or give it more CPU if it has too little"
            ),
        };
        Some(format!(
            "{BEGIN}{is} late: half of the tasks started {p50:.0} ms or more after they were due, \
             1 % {p99:.0} ms. The response times are right, but the load {is} limited by the \
             generator, and not what was asked for: {remedy}"
        ))
    }

    fn users_taking_turns(&self) -> Option<u32> {
        match self.sharing {
            Sharing::PerUser | Sharing::Shared(1) => None,
            Sharing::Shared(users) => Some(users),
        }
    }
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
        let mut watch = LateWatch::new(Sharing::PerUser);
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

    #[test]
    fn users_that_take_turns_are_told_at_once() {
        let mut watch = LateWatch::new(Sharing::Shared(100));
        let told = watch.look(0, &statistics(true)).unwrap();
        assert!(told.contains("up to 100 users of this scenario take turns"), "{told}");
        assert!(told.contains("the load is limited by the generator"), "{told}");
        assert_eq!(watch.look(20_000, &statistics(true)), None, "once a test");
        watch.begin();
        assert_eq!(watch.look(30_000, &statistics(true)), Some(told));
        // One to an instance takes no turns.
        assert_eq!(LateWatch::new(Sharing::Shared(1)).look(0, &statistics(true)), None);
    }
}
