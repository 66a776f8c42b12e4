//! Reports that the master has not acknowledged yet: what a worker keeps and sends.

use std::collections::VecDeque;

use crate::delta::{Delta, Report};
use crate::parts::PartMax;

/// Reports kept apart. Beyond that the newest grow: no sample is lost, only the second it belongs
/// to becomes coarser.
const REPORTS_MAX: usize = 300;

/// Reports kept at all. Those of many names do not fit in one that grows.
const KEPT_MAX: usize = 1_000;

/// Bytes of all reports kept, as messages; in memory up to twice that.
const KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A report and its size.
#[derive(Debug)]
struct Waiting {
    report: Report,
    bytes: usize,
}

/// Keeps each report until it is acknowledged, and has it sent again unchanged until then.
#[derive(Debug)]
pub struct Outbox {
    stream: u64,
    /// What one report holds.
    part_max: PartMax,
    last_sequence: u64,
    waiting: VecDeque<Waiting>,
    /// Of all that waits.
    bytes: usize,
    /// The first of `waiting` has been sent at least once: it must not change any more.
    first_sent: bool,
}

impl Outbox {
    /// Of the reports of this stream, each at most `part_max`: many load threads together may have
    /// more names and errors than one message may carry; the rest goes in further reports of the
    /// same interval.
    #[must_use]
    pub fn new(stream: u64, part_max: PartMax) -> Self {
        let (waiting, bytes) = (VecDeque::new(), 0);
        Self { stream, part_max, last_sequence: 0, waiting, bytes, first_sent: false }
    }

    /// Adds what was recorded from `from_ms` to `to_ms` of the master's clock. Returns how many
    /// reports had to be dropped for it, the oldest: the gap in the numbers tells the master,
    /// unless it had them already.
    #[must_use]
    pub fn push(&mut self, test: u32, from_ms: u64, to_ms: u64, delta: Delta) -> usize {
        let (mut delta, mut from_ms, mut sequence) = (delta, from_ms, None);
        if let Some(last) = self.take_growing(test) {
            from_ms = last.from_ms;
            sequence = Some(last.sequence);
            let more = std::mem::replace(&mut delta, last.delta);
            delta.merge(more);
        }
        for delta in delta.into_parts(self.part_max) {
            let sequence = sequence.take().unwrap_or_else(|| {
                self.last_sequence += 1;
                self.last_sequence
            });
            let stream = self.stream;
            self.keep(Report { stream, sequence, from_ms, to_ms, test, delta });
        }
        let mut dropped = 0;
        while self.waiting.len() > KEPT_MAX || self.bytes > KEPT_BYTES_MAX {
            self.give_up_first();
            dropped += 1;
        }
        dropped
    }

    /// Takes the newest report out if what comes now shall be added to it.
    fn take_growing(&mut self, test: u32) -> Option<Report> {
        let full = self.waiting.len() >= REPORTS_MAX;
        let changeable = self.waiting.len() > usize::from(self.first_sent);
        let same_test = self.waiting.back().is_some_and(|last| last.report.test == test);
        if !(full && changeable && same_test) {
            return None;
        }
        let last = self.waiting.pop_back()?;
        self.bytes -= last.bytes;
        Some(last.report)
    }

    fn keep(&mut self, report: Report) {
        let bytes = report.delta.message_bytes();
        self.bytes += bytes;
        self.waiting.push_back(Waiting { report, bytes });
    }

    /// The report to send next, again if need be.
    #[expect(clippy::should_implement_trait, reason = "it does not advance")]
    pub fn next(&mut self) -> Option<Report> {
        let report = self.waiting.front()?.report.clone();
        self.first_sent = true;
        Some(report)
    }

    /// The master has all up to `sequence`.
    pub fn acknowledged(&mut self, sequence: u64) {
        let sequence = sequence + u64::from(planted!(TakenWithIt));
        while self.waiting.front().is_some_and(|first| first.report.sequence <= sequence) {
            self.give_up_first();
        }
    }

    /// Drops the oldest report, which cannot be delivered, and returns it. The gap in the numbers
    /// tells the master, once a later report has arrived.
    pub fn give_up_first(&mut self) -> Option<Report> {
        self.first_sent = false;
        let first = self.waiting.pop_front()?;
        self.bytes -= first.bytes;
        Some(first.report)
    }

    /// Does the master have all of them?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Histogram;
    use crate::delta::EntryDelta;

    const PART_MAX: PartMax = PartMax { rows: 2_000, bytes: 8 << 20 };

    /// What makes a report recognisable, and adds up.
    fn delta(interrupted: u64) -> Delta {
        Delta { interrupted, ..Delta::default() }
    }

    /// An outbox after so many seconds of a test without a master.
    fn waiting(seconds: u64) -> Outbox {
        let mut outbox = Outbox::new(9, PART_MAX);
        for second in 0..seconds {
            assert_eq!(outbox.push(1, second * 1000, second * 1000 + 1000, delta(1)), 0);
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
        assert_eq!(outbox.push(1, 2000, 3000, delta(1)), 0);
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
            assert_eq!(outbox.push(1, 1_000_000 + second, 1_000_001 + second, delta(1)), 0);
        }
        assert_eq!(outbox.next(), Some(sent));
        let total: u64 = deliver(&mut outbox).iter().map(|r| r.delta.interrupted).sum();
        assert_eq!(total, 1 + 2 * REPORTS_MAX as u64);
    }

    #[test]
    fn tests_are_not_mixed() {
        let mut outbox = waiting(REPORTS_MAX as u64);
        assert_eq!(outbox.push(2, 0, 1, delta(5)), 0);
        assert_eq!(outbox.push(2, 1, 2, delta(5)), 0);
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

    /// A second of a test with so many names.
    fn names(count: usize) -> Delta {
        let entry = |name: usize| EntryDelta {
            requests: 1,
            sum_us: 5,
            min_us: 5,
            max_us: 5,
            times: one_sample(),
            ..EntryDelta::new("GET", &format!("/{name}"))
        };
        Delta { entries: (0..count).map(entry).collect(), ..Delta::default() }
    }

    fn one_sample() -> Histogram {
        let mut times = Histogram::new();
        times.record(5, 1);
        times
    }

    #[test]
    fn no_report_grows_beyond_a_message() {
        let mut outbox = waiting(REPORTS_MAX as u64);
        let mut pushed = 0;
        for (second, count) in (0..).zip((1_500..6_500).step_by(100)) {
            assert_eq!(outbox.push(1, second, second + 1, names(count)), 0);
            pushed += count as u64;
        }
        let delivered = deliver(&mut outbox);
        assert!(delivered.iter().all(|report| report.delta.entries.len() <= PART_MAX.rows));
        assert!(delivered.windows(2).all(|pair| pair[0].sequence + 1 == pair[1].sequence));
        assert_eq!(delivered.iter().map(|report| report.delta.requests()).sum::<u64>(), pushed);
    }

    #[test]
    fn what_is_kept_has_an_end_and_leaves_a_gap() {
        let mut outbox = waiting(1);
        let (mut pushed, mut dropped) = (1, 0);
        // Tests are not mixed, so none of them grows.
        for test in (0..).take(2 * KEPT_MAX) {
            dropped += outbox.push(test, 0, 1, delta(1));
            pushed += 1;
        }
        assert_eq!((outbox.waiting.len(), dropped), (KEPT_MAX, pushed - KEPT_MAX));
        let first = outbox.next().map(|report| report.sequence);
        assert_eq!(first, Some(dropped as u64 + 1), "the oldest are gone");
        deliver(&mut outbox);
        assert_eq!(outbox.bytes, 0);
    }

    #[test]
    fn a_report_dropped_while_it_was_on_its_way_takes_no_other_with_it() {
        let mut outbox = waiting(2);
        outbox.next();
        outbox.give_up_first();
        outbox.acknowledged(1);
        assert_eq!(outbox.next().map(|report| report.sequence), Some(2));
    }
}
