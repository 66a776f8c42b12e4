//! Computing time of the threads of a process, as the system counts it.

use std::fs;
use std::time::Instant;

/// Fields of `/proc/PID/task/TID/stat` after the name: time as itself, time within the system.
const TICKS_AT: [usize; 2] = [11, 12];
/// How the system counts for programs: `USER_HZ` of x86, ARM, RISC-V.
const TICKS_PER_SECOND: f64 = 100.0;
/// Name of the master's control thread.
const CONTROL: &str = "master";

/// A process at one moment.
#[derive(Debug)]
pub(crate) struct Threads {
    at: Instant,
    all_ticks: u64,
    control_ticks: u64,
    rss_kib: u64,
}

/// Computing time between two moments, in parts of one core's.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) all: f64,
    pub(crate) control: f64,
}

impl Threads {
    /// Of a process now.
    pub(crate) fn of(pid: u32) -> Self {
        let mut threads = Self { at: Instant::now(), all_ticks: 0, control_ticks: 0, rss_kib: 0 };
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the master runs");
        for task in tasks.flatten() {
            // A thread may have ended since.
            let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { continue };
            let (name, fields) = stat.rsplit_once(") ").expect("the name is in brackets");
            let fields: Vec<&str> = fields.split(' ').collect();
            let ticks: u64 = TICKS_AT.iter().filter_map(|&at| fields[at].parse::<u64>().ok()).sum();
            threads.all_ticks += ticks;
            if name.ends_with(&format!("({CONTROL}")) {
                threads.control_ticks += ticks;
            }
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the master runs");
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss = rss.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        threads.rss_kib = rss.expect("the system says how much memory a process has");
        threads
    }

    pub(crate) fn since(&self, before: &Self) -> Spent {
        let ticks = self.at.duration_since(before.at).as_secs_f64() * TICKS_PER_SECOND;
        let cores = |now: u64, then: u64| now.saturating_sub(then) as f64 / ticks;
        Spent {
            all: cores(self.all_ticks, before.all_ticks),
            control: cores(self.control_ticks, before.control_ticks),
        }
    }

    pub(crate) fn rss_mib(&self) -> u64 {
        self.rss_kib / 1024
    }
}
