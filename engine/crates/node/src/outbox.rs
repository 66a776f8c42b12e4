//! Reports that the master has not acknowledged yet.

use std::collections::VecDeque;

use swarm_stats::delta::{Delta, Report};

/// Reports kept apart. Beyond that the newest grow: no sample is lost, only the second it belongs
/// to becomes coarser.
const REPORTS_MAX: usize = 300;

/// Rows of each list of one report. Many load threads together may have more names and errors than
/// one message may carry; the rest goes in further reports of the same interval.
const ROWS_MAX: usize = 2000;

/// Keeps each report until it is acknowledged, and has it sent again unchanged until then.
#[derive(Debug)]
pub(crate) struct Outbox {
    stream: u64,
    last_sequence: u64,
    waiting: VecDeque<Report>,
    /// The first of `waiting` has been sent at least once: it must not change any more.
    first_sent: bool,
}

impl Outbox {
    pub(crate) fn new(stream: u64) -> Self {
        Self { stream, last_sequence: 0, waiting: VecDeque::new(), first_sent: false }
    }

    /// Adds what was recorded from `from_ms` to `to_ms` of the master's clock.
    pub(crate) fn push(&mut self, test: u32, from_ms: u64, to_ms: u64, delta: Delta) {
        for part in delta.into_parts(ROWS_MAX) {
            self.push_part(test, from_ms, to_ms, part);
        }
    }

    fn push_part(&mut self, test: u32, from_ms: u64, to_ms: u64, delta: Delta) {
        let room = self.waiting.len() < REPORTS_MAX;
        let changeable = self.waiting.len() > usize::from(self.first_sent);
        if let Some(last) = self.waiting.back_mut()
            && !room
            && changeable
            && last.test == test
        {
            last.delta.merge(delta);
            last.to_ms = to_ms;
            return;
        }
        self.last_sequence += 1;
        let (stream, sequence) = (self.stream, self.last_sequence);
        self.waiting.push_back(Report { stream, sequence, from_ms, to_ms, test, delta });
    }

    /// The report to send next, again if need be.
    pub(crate) fn next(&mut self) -> Option<Report> {
        let report = self.waiting.front()?.clone();
        self.first_sent = true;
        Some(report)
    }

    /// The master has all up to `sequence`.
    pub(crate) fn acknowledged(&mut self, sequence: u64) {
        while self.waiting.front().is_some_and(|report| report.sequence <= sequence) {
            self.waiting.pop_front();
            self.first_sent = false;
        }
    }

    /// Drops the oldest report, which can't be delivered. The gap in the numbers tells the master.
    pub(crate) fn give_up_first(&mut self) {
        self.waiting.pop_front();
        self.first_sent = false;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What makes a report recognisable, and adds up.
    fn delta(interrupted: u64) -> Delta {
        Delta { interrupted, ..Delta::default() }
    }

    /// An outbox after so many seconds of a test without a master.
    fn waiting(seconds: u64) -> Outbox {
        let mut outbox = Outbox::new(9);
        for second in 0..seconds {
            outbox.push(1, second * 1000, second * 1000 + 1000, delta(1));
        }
        outbox
    }

    /// Delivers everything to a master that acknowledges each.
    fn deliver(outbox: &mut Outbox) -> Vec<Report> {
        let mut delivered: Vec<Report> = Vec::new();
        while let Some(report) = outbox.next() {
            outbox.acknowledged(report.sequence);
            delivered.push(report);
        }
        delivered
    }

    #[test]
    fn a_report_is_sent_unchanged_until_it_is_acknowledged() {
        let mut outbox = waiting(2);
        let sent = outbox.next();
        outbox.push(1, 2000, 3000, delta(1));
        outbox.acknowledged(0);
        assert_eq!(outbox.next(), sent);
        outbox.acknowledged(1);
        assert_eq!(outbox.next().map(|report| report.sequence), Some(2));
        outbox.acknowledged(3);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_long_silence_loses_no_sample() {
        let seconds = REPORTS_MAX as u64 + 50;
        let mut outbox = waiting(seconds);
        assert_eq!(outbox.waiting.len(), REPORTS_MAX);
        let delivered = deliver(&mut outbox);
        let sequences: Vec<_> = delivered.iter().map(|report| report.sequence).collect();
        assert_eq!(sequences, (1..=REPORTS_MAX as u64).collect::<Vec<_>>());
        assert_eq!(delivered.iter().map(|report| report.delta.interrupted).sum::<u64>(), seconds);
        // The intervals follow on each other, up to now.
        assert!(delivered.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms));
        assert_eq!(delivered.last().map(|report| report.to_ms), Some(seconds * 1000));
    }

    #[test]
    fn what_was_sent_does_not_grow() {
        let mut outbox = waiting(REPORTS_MAX as u64);
        // All but one are acknowledged; that one was sent and is now the first and the last.
        for sequence in 1..REPORTS_MAX as u64 {
            outbox.next();
            outbox.acknowledged(sequence);
        }
        let sent = outbox.next().expect("one is left");
        for second in 0..2 * REPORTS_MAX as u64 {
            outbox.push(1, 1_000_000 + second, 1_000_001 + second, delta(1));
        }
        assert_eq!(outbox.next(), Some(sent));
        let total: u64 = deliver(&mut outbox).iter().map(|r| r.delta.interrupted).sum();
        assert_eq!(total, 1 + 2 * REPORTS_MAX as u64);
    }

    #[test]
    fn tests_are_not_mixed() {
        let mut outbox = waiting(REPORTS_MAX as u64);
        outbox.push(2, 0, 1, delta(5));
        outbox.push(2, 1, 2, delta(5));
        let delivered = deliver(&mut outbox);
        let of_second = delivered.iter().filter(|report| report.test == 2);
        assert_eq!(of_second.map(|report| report.delta.interrupted).collect::<Vec<_>>(), [10]);
    }

    #[test]
    fn a_report_given_up_leaves_a_gap() {
        let mut outbox = waiting(2);
        outbox.next();
        outbox.give_up_first();
        assert_eq!(outbox.next().map(|report| report.sequence), Some(2));
    }
}
