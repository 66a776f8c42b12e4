//! Several attempts at the same thing, begun one after the other; the first that succeeds wins.
//!
//! That is how a connection is made to a name with several addresses (RFC 8305, section 5), and how
//! several DNS servers are asked. [`Race`] decides, [`run`] does.

use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::timeout_at;

/// Which attempt begins when.
#[derive(Debug)]
pub(crate) struct Race {
    attempts: usize,
    /// From the begin of one attempt to that of the next.
    delay: Duration,
    begun: usize,
    running: usize,
    /// When the next attempt begins.
    due: Instant,
}

/// What is to do now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Begin this attempt, and ask again.
    Begin(usize),
    /// Wait for what has begun, until then at most if there is a time.
    Wait(Option<Instant>),
    /// All have failed.
    Lost,
}

impl Race {
    /// The first attempt begins at `now`.
    pub(crate) fn new(attempts: usize, delay: Duration, now: Instant) -> Self {
        Self { attempts, delay, begun: 0, running: 0, due: now }
    }

    /// What is to do at `now`.
    pub(crate) fn step(&mut self, now: Instant) -> Step {
        let is_next = self.begun < self.attempts;
        if is_next && now >= self.due {
            let attempt = self.begun;
            self.begun += 1;
            self.running += 1;
            self.due = now + self.delay;
            return Step::Begin(attempt);
        }
        match self.running {
            0 => Step::Lost,
            _ => Step::Wait(is_next.then_some(self.due)),
        }
    }

    /// An attempt has failed at `now`: nobody waits for it, so the next one begins.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.running -= 1;
        self.due = now;
    }
}

/// How a race went.
#[derive(Debug)]
pub(crate) struct Outcome<T, E> {
    /// The attempt that won, and what it gave.
    pub(crate) winner: Option<(usize, T)>,
    /// Those that failed before, in the order of failing.
    pub(crate) failures: Vec<(usize, E)>,
    /// When each attempt began, as far as they did.
    pub(crate) begun: Vec<Instant>,
}

/// Runs a race of so many attempts. Those that lose are dropped.
///
/// Cancel safe: dropped, it drops all attempts.
pub(crate) async fn run<T, E, F: Future<Output = Result<T, E>>>(
    attempts: usize,
    delay: Duration,
    mut attempt: impl FnMut(usize) -> F,
) -> Outcome<T, E> {
    let mut race = Race::new(attempts, delay, Instant::now());
    let mut outcome = Outcome { winner: None, failures: Vec::new(), begun: Vec::new() };
    let mut running = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        let until = match race.step(now) {
            Step::Begin(index) => {
                outcome.begun.push(now);
                let attempt = attempt(index);
                running.push(async move { (index, attempt.await) });
                continue;
            }
            Step::Wait(until) => until,
            Step::Lost => return outcome,
        };
        let ended = match until {
            Some(until) => timeout_at(until.into(), running.next()).await.ok().flatten(),
            None => running.next().await,
        };
        match ended {
            Some((index, Ok(value))) => {
                outcome.winner = Some((index, value));
                return outcome;
            }
            Some((index, Err(error))) => {
                outcome.failures.push((index, error));
                race.failed(Instant::now());
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const DELAY: Duration = Duration::from_millis(250);

    #[test]
    fn attempts_begin_one_delay_after_the_other() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut race = Race::new(3, DELAY, start);
        assert_eq!(race.step(start), Step::Begin(0));
        assert_eq!(race.step(start), Step::Wait(Some(at(250))));
        assert_eq!(race.step(at(249)), Step::Wait(Some(at(250))));
        assert_eq!(race.step(at(250)), Step::Begin(1));
        // Late by itself: the next one waits its whole time nevertheless.
        assert_eq!(race.step(at(600)), Step::Begin(2));
        assert_eq!(race.step(at(600)), Step::Wait(None));
    }

    #[test]
    fn a_failure_hurries_the_next_one() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut race = Race::new(3, DELAY, start);
        assert_eq!(race.step(start), Step::Begin(0));
        race.failed(at(10));
        assert_eq!(race.step(at(10)), Step::Begin(1));
        assert_eq!(race.step(at(10)), Step::Wait(Some(at(260))));
        assert_eq!(race.step(at(260)), Step::Begin(2));
        race.failed(at(300));
        assert_eq!(race.step(at(300)), Step::Wait(None), "one is still running");
        race.failed(at(400));
        assert_eq!(race.step(at(400)), Step::Lost);
    }

    #[test]
    fn nothing_to_attempt_is_lost_at_once() {
        assert_eq!(Race::new(0, DELAY, Instant::now()).step(Instant::now()), Step::Lost);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_that_succeeds_wins() {
        let outcome = run(3, Duration::from_millis(1), |index| async move {
            match index {
                0 => pending().await,
                1 => Err("no"),
                _ => Ok(index),
            }
        });
        let outcome = outcome.await;
        assert_eq!(outcome.winner, Some((2, 2)));
        assert_eq!(outcome.failures, [(1, "no")]);
        assert_eq!(outcome.begun.len(), 3);
    }

    #[tokio::test]
    async fn when_all_fail_all_are_told() {
        let outcome = run(2, DELAY, |index| async move { Err::<(), _>(index) }).await;
        assert_eq!((outcome.winner, outcome.failures), (None, vec![(0, 0), (1, 1)]));
    }
}
