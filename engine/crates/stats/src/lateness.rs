//! How late the generator itself starts what is due, for each load thread of each worker.
//!
//! A load thread that falls behind changes the test: its users wait longer than the scenario says,
//! and the target sees less than was asked for. In the lateness of all tasks together one such
//! thread of many hardly shows, so it is kept apart for each.

use serde::{Deserialize, Serialize};

use crate::delta::LatenessDelta;
use crate::dense::Dense;
use crate::layout::{COARSE, FINE, bucket_of, highest_in};
use crate::times::to_ms;

/// A generator whose tasks start so long after they were due, in milliseconds, does not make the
/// load that was asked for: half of them...
pub const LATE_MEDIAN_MS: f64 = 10.0;

/// ...or one in a hundred.
pub const LATE_P99_MS: f64 = 100.0;

/// Of fewer tasks nothing can be said: the first of a test wait for what is made once.
pub const LATE_TASKS_MIN: u64 = 50;

/// Is the generator, and not the target, the bottleneck? The one definition for page, console and
/// result. Of so many tasks that were due, `median_ms` and `p99_ms` are the lateness in
/// milliseconds.
#[must_use]
pub fn is_late(tasks: u64, median_ms: f64, p99_ms: f64) -> bool {
    tasks >= LATE_TASKS_MIN && (median_ms > LATE_MEDIAN_MS || p99_ms > LATE_P99_MS)
}

/// Load threads of one worker that are told apart. Those from this number on count as the last.
pub const SHARDS_MAX: u32 = 256;

/// Lateness of tasks in milliseconds: due to started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LatenessMs {
    /// 99th percentile, rounded up by at most 1 %.
    pub p99: f64,
    /// Exact largest.
    pub max: f64,
}

/// Lateness of one worker in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerLateness {
    /// Of all its tasks.
    #[serde(flatten)]
    pub all: LatenessMs,
    /// Its load thread with the largest 99th percentile, of those that are late if there are any:
    /// its number, counted from 0.
    pub worst_shard: u32,
    /// Of the tasks of that thread.
    pub worst: LatenessMs,
    /// That thread is the bottleneck of its users: see [`is_late`].
    #[serde(default)]
    pub late: bool,
}

/// The lateness of one load thread. Coarse, because a master has thousands of them.
#[derive(Debug, Serialize, Deserialize)]
struct Shard {
    shard: u32,
    late: Dense<COARSE>,
    max_us: u64,
}

/// The load threads of one worker, in the order of their first report.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Shards(Vec<Shard>);

impl Shards {
    pub(crate) fn add(&mut self, more: &LatenessDelta) {
        let wanted = more.shard.min(SHARDS_MAX - 1);
        let place = self.0.iter().position(|shard| shard.shard == wanted).unwrap_or_else(|| {
            self.0.push(Shard { shard: wanted, late: Dense::default(), max_us: 0 });
            self.0.len() - 1
        });
        let shard = &mut self.0[place];
        for &(bucket, count) in more.times.buckets() {
            shard.late.add_bucket(bucket_of::<COARSE>(highest_in::<FINE>(bucket)), count);
        }
        shard.max_us = shard.max_us.max(more.max_us);
    }

    /// `None` when no task has started.
    pub(crate) fn summary(&self) -> Option<WorkerLateness> {
        let figures = |late: &Dense<COARSE>, max_us: u64| {
            let [p50, p99] = late.values_at([50.0, 99.0]).map(|late_us| to_ms(late_us.min(max_us)));
            (is_late(late.samples(), p50, p99), LatenessMs { p99, max: to_ms(max_us) })
        };
        let (mut all, mut max_us) = (Dense::default(), 0);
        let mut worst: Option<(u32, (bool, LatenessMs))> = None;
        for shard in self.0.iter().filter(|shard| !shard.late.is_empty()) {
            all.add(&shard.late);
            max_us = max_us.max(shard.max_us);
            let these = figures(&shard.late, shard.max_us);
            let rank = |(late, ms): (bool, LatenessMs)| (late, ms.p99, ms.max);
            if worst.is_none_or(|(_, worst)| rank(these) > rank(worst)) {
                worst = Some((shard.shard, these));
            }
        }
        worst.map(|(worst_shard, (late, worst))| WorkerLateness {
            all: figures(&all, max_us).1,
            worst_shard,
            worst,
            late,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;

    fn late(shard: u32, late_us: u64, tasks: u64) -> LatenessDelta {
        let mut times = Histogram::new();
        times.record(late_us, tasks);
        LatenessDelta { shard, times, max_us: late_us }
    }

    #[test]
    fn a_thread_that_falls_behind_is_found_among_many() {
        let mut shards = Shards::default();
        assert_eq!(shards.summary(), None);
        for shard in 0..200 {
            shards.add(&late(shard, 100, 1_000));
        }
        shards.add(&late(7, 3_000_000, 500));
        let summary = shards.summary().unwrap();
        assert_eq!(summary.worst_shard, 7);
        assert_eq!(summary.worst, LatenessMs { p99: 3_000.0, max: 3_000.0 });
        assert!(summary.late);
        assert!(summary.all.p99 < 0.102, "{:?}", summary.all);
        assert_eq!(summary.all.max, 3_000.0);
    }

    #[test]
    fn a_thread_of_few_tasks_does_not_make_a_worker_late_nor_hide_one_that_does() {
        let mut shards = Shards::default();
        shards.add(&late(0, 9_000_000, LATE_TASKS_MIN - 1));
        let summary = shards.summary().unwrap();
        assert_eq!((summary.worst_shard, summary.late), (0, false));
        shards.add(&late(1, 200_000, LATE_TASKS_MIN));
        let summary = shards.summary().unwrap();
        assert_eq!((summary.worst_shard, summary.late), (1, true));
    }

    #[test]
    fn half_of_the_tasks_or_one_in_a_hundred_make_a_generator_late() {
        let on_time = [(1_000, 9.9, 99.0), (1_000, 0.0, 100.0), (49, 7_000.0, 9_000.0)];
        let late = [(1_000, 10.1, 11.0), (1_000, 0.1, 100.1), (50, 7_000.0, 9_000.0)];
        assert!(on_time.iter().all(|&(tasks, p50, p99)| !is_late(tasks, p50, p99)));
        assert!(late.iter().all(|&(tasks, p50, p99)| is_late(tasks, p50, p99)));
    }

    #[test]
    fn threads_above_the_limit_count_as_the_last() {
        let mut shards = Shards::default();
        for shard in 0..2 * SHARDS_MAX {
            shards.add(&late(shard, u64::from(shard), 1));
        }
        assert_eq!(shards.0.len(), SHARDS_MAX as usize);
        assert_eq!(shards.summary().unwrap().worst_shard, SHARDS_MAX - 1);
    }
}
