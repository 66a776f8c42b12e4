//! When a worker tries again to join its master, when it gives up, and what its operator hears of
//! it. Pure: time is passed in.

use std::time::Duration;

use swarm_core::backoff::Backoff;

use super::WorkerEnd;
use super::dial::DialError;

/// A master that does not take this worker for now is asked again for this long. The process that
/// has this worker's id still hands its users over, which takes
/// [`LEAVE_MAX`](swarm_core::agent::LEAVE_MAX) at most, or the master has not missed it yet.
const REFUSED_MAX: Duration = Duration::from_secs(15);

/// A shorter attempt may fail where there is a master.
const ATTEMPT_MIN: Duration = Duration::from_secs(1);

/// What to do after an attempt that failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Try again after this pause.
    Try(Duration),
    /// Give up.
    End(WorkerEnd),
}

/// What stands between a worker and its master. The operator hears of each kind once an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    Absent,
    Stranger,
    Refusal,
}

/// The attempts of a worker to join.
#[derive(Debug)]
pub(super) struct Joining {
    /// Who the master is, for people.
    master: String,
    /// Gives up when the master is not there for this long; zero tries for ever.
    max_wait: Duration,
    backoff: Backoff,
    joined_before: bool,
    /// Since when there is no master.
    alone_since: Option<Duration>,
    /// Since when the master does not take this worker for now.
    refused_since: Option<Duration>,
    /// What the operator has heard of in this outage.
    told: Vec<Obstacle>,
}

impl Joining {
    /// Of a worker that has not tried yet. `seed` makes its pauses its own.
    pub(super) fn new(master: String, max_wait: Duration, seed: u64) -> Self {
        Self {
            master,
            max_wait,
            backoff: Backoff::new(seed),
            joined_before: false,
            alone_since: Some(Duration::ZERO),
            refused_since: None,
            told: Vec::new(),
        }
    }

    /// How long there has been no master.
    pub(super) fn alone(&self, now: Duration) -> Option<Duration> {
        self.alone_since.map(|since| now.saturating_sub(since))
    }

    /// How long an attempt that begins now may take, if there is a limit to all of them. It has
    /// [`ATTEMPT_MIN`] in any case.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        let waited = self.alone(now).unwrap_or_default();
        let left = self.max_wait.saturating_sub(waited).max(ATTEMPT_MIN);
        (!self.max_wait.is_zero()).then_some(left)
    }

    /// The worker has joined. How long it was without its master, if it had one before.
    pub(super) fn joined(&mut self, now: Duration) -> Option<Duration> {
        let alone = self.alone(now).filter(|_| self.joined_before);
        self.joined_before = true;
        self.alone_since = None;
        self.refused_since = None;
        self.told.clear();
        alone
    }

    /// The master has answered by the present connection: it is not only let in, it is heard. A
    /// master that is too busy to answer in time is not asked again ever more often.
    pub(super) fn answered(&mut self) {
        self.backoff.reset();
    }

    /// The connection has ended, and the operator has been told of it. The pause before the first
    /// attempt to join again.
    pub(super) fn lost(&mut self, now: Duration) -> Duration {
        self.alone_since = Some(now);
        self.told.push(Obstacle::Absent);
        self.backoff.pause()
    }

    /// An attempt has failed. What to do, and what to tell the operator if there is something new.
    pub(super) fn failed(&mut self, now: Duration, error: DialError) -> (Next, Option<String>) {
        match error {
            DialError::Refused(reason) => (Next::End(WorkerEnd::Refused(reason)), None),
            DialError::RefusedForNow(reason) => self.refused_for_now(now, &reason),
            // At first that is a mistake in the settings. Later somebody else may be in the
            // master's place for a while.
            DialError::Untrusted(reason) if !self.joined_before => {
                (Next::End(WorkerEnd::Untrusted(reason)), None)
            }
            DialError::Untrusted(reason) => {
                let reason = format!("whoever answers is another: {reason}");
                self.absent(now, Obstacle::Stranger, &reason)
            }
            DialError::NobodyListens(reason) | DialError::Failed(reason) => {
                self.absent(now, Obstacle::Absent, &reason)
            }
        }
    }

    fn refused_for_now(&mut self, now: Duration, reason: &str) -> (Next, Option<String>) {
        let since = *self.refused_since.get_or_insert(now);
        if now.saturating_sub(since) >= REFUSED_MAX {
            let seconds = REFUSED_MAX.as_secs();
            let reason = format!("{reason}; it was so for {seconds} s");
            return (Next::End(WorkerEnd::Refused(reason)), None);
        }
        let text = self.tell(Obstacle::Refusal, || {
            let seconds = REFUSED_MAX.as_secs();
            format!("the master does not take this worker yet, trying for {seconds} s: {reason}")
        });
        (Next::Try(self.backoff.pause()), text)
    }

    fn absent(&mut self, now: Duration, kind: Obstacle, reason: &str) -> (Next, Option<String>) {
        let since = *self.alone_since.get_or_insert(now);
        let waited = now.saturating_sub(since);
        let master = self.master.clone();
        if !self.max_wait.is_zero() && waited >= self.max_wait {
            let waited = waited.as_secs_f32();
            let text =
                format!("{master} was not there for {waited:.1} s (--master-max-wait): {reason}");
            return (Next::End(WorkerEnd::Unreachable(text)), None);
        }
        let text = self.tell(kind, || format!("{master} is not there: {reason}; trying again"));
        (Next::Try(self.backoff.pause()), text)
    }

    /// The text, if the operator has not heard of that in this outage.
    fn tell(&mut self, kind: Obstacle, text: impl FnOnce() -> String) -> Option<String> {
        let new = !self.told.contains(&kind);
        new.then(|| {
            self.told.push(kind);
            text()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn joining(max_wait: Duration) -> Joining {
        Joining::new("the master at here:5557".to_owned(), max_wait, 1)
    }

    fn absent() -> DialError {
        DialError::Failed("no answer".to_owned())
    }

    fn busy() -> DialError {
        DialError::RefusedForNow("a worker with the id a is connected already".to_owned())
    }

    /// Fails once a second until it is told to end. The end, when it came, and what was told.
    fn until_end(joining: &mut Joining, error: fn() -> DialError) -> (WorkerEnd, u32, Vec<String>) {
        let mut told = Vec::new();
        for second in 0..10_000 {
            let (next, text) = joining.failed(second * SECOND, error());
            told.extend(text);
            if let Next::End(end) = next {
                return (end, second, told);
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn what_no_waiting_changes_ends_the_worker_at_once() {
        let (end, at, told) =
            until_end(&mut joining(SECOND), || DialError::Refused("bad id".to_owned()));
        assert_eq!((end, at), (WorkerEnd::Refused("bad id".to_owned()), 0));
        assert_eq!(told, [""; 0]);
        let stranger = || DialError::Untrusted("another token".to_owned());
        let (end, at, _) = until_end(&mut joining(SECOND), stranger);
        assert_eq!((end, at), (WorkerEnd::Untrusted("another token".to_owned()), 0));
    }

    #[test]
    fn a_worker_whose_place_is_still_taken_waits_for_a_while() {
        let mut joining = joining(Duration::ZERO);
        let (end, at, told) = until_end(&mut joining, busy);
        let WorkerEnd::Refused(reason) = end else { panic!("{end:?}") };
        assert!(reason.contains("is connected already; it was so for 15 s"), "{reason}");
        assert_eq!((at, told.len()), (15, 1), "{told:?}");

        // Once it has joined, the time begins anew.
        joining.joined(100 * SECOND);
        joining.lost(200 * SECOND);
        assert!(matches!(joining.failed(201 * SECOND, busy()), (Next::Try(_), Some(_))));
        assert!(matches!(joining.failed(215 * SECOND, busy()), (Next::Try(_), None)));
        assert!(matches!(joining.failed(216 * SECOND, busy()), (Next::End(_), None)));
    }

    #[test]
    fn an_attempt_ends_with_the_longest_wait() {
        let joining = |seconds: u32| joining(seconds * SECOND);
        assert_eq!(joining(0).left(SECOND), None);
        assert_eq!(joining(7).left(2 * SECOND), Some(5 * SECOND));
        assert_eq!(joining(7).left(70 * SECOND), Some(ATTEMPT_MIN));
    }

    #[test]
    fn an_outage_is_told_once_and_ends_after_the_longest_wait() {
        let (end, at, told) = until_end(&mut joining(7 * SECOND), absent);
        let WorkerEnd::Unreachable(text) = end else { panic!("{end:?}") };
        assert!(text.contains("was not there for 7.0 s (--master-max-wait): no answer"), "{text}");
        assert_eq!((at, told.len()), (7, 1), "{told:?}");

        let mut joining = joining(Duration::ZERO);
        let tries = |joining: &mut Joining, from: u32, error: fn() -> DialError| {
            let told = (from..from + 50).filter_map(|s| joining.failed(s * SECOND, error()).1);
            told.collect::<Vec<_>>()
        };
        assert_eq!(tries(&mut joining, 0, absent).len(), 1);
        assert_eq!(joining.joined(50 * SECOND), None, "it had no master before");
        // Its caller tells of the end of a connection.
        joining.lost(60 * SECOND);
        assert_eq!(tries(&mut joining, 61, absent).len(), 0);
        let stranger = || DialError::Untrusted("another token".to_owned());
        assert_eq!(tries(&mut joining, 120, stranger).len(), 1, "that is news");
        assert_eq!(joining.alone(200 * SECOND), Some(140 * SECOND));
        assert_eq!(joining.joined(200 * SECOND), Some(140 * SECOND));
        assert_eq!(joining.alone(201 * SECOND), None);
    }
}
