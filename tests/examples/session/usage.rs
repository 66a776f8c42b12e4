//! What a process takes of the machine, as the system counts it.

use std::time::{Duration, Instant};

/// Fields of `/proc/PID/stat` after the name, which may contain spaces: time as itself and within
/// the system, in ticks.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
/// How the system counts for programs, whatever its own clock: `USER_HZ` of x86, ARM, RISC-V.
const TICKS_PER_SECOND: u32 = 100;

/// A process at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    at: Instant,
    /// Computing time since its start, in steps of ticks.
    cpu: Duration,
    /// Resident memory in bytes.
    pub(crate) rss: u64,
}

impl Usage {
    /// Of a process now.
    ///
    /// # Panics
    ///
    /// There is none, or no `/proc`.
    #[track_caller]
    pub(crate) fn of(pid: u32) -> Self {
        let stat = read(pid, "stat");
        let (_, fields) = stat.rsplit_once(") ").expect("the name is in brackets");
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks = |index: usize| fields[index].parse::<u64>().expect("ticks are a number");
        let ticks = ticks(USER_TICKS) + ticks(SYSTEM_TICKS);
        let cpu = Duration::from_secs_f64(ticks as f64 / f64::from(TICKS_PER_SECOND));
        Self { at: Instant::now(), cpu, rss: rss(pid) }
    }

    /// Computing time from a moment before to this one.
    pub(crate) fn cpu_since(self, before: Self) -> Duration {
        self.cpu.saturating_sub(before.cpu)
    }

    /// Time from a moment before to this one.
    pub(crate) fn time_since(self, before: Self) -> Duration {
        self.at.duration_since(before.at)
    }

    /// Computing time from a moment before to this one, in parts of one core's.
    pub(crate) fn cores_since(self, before: Self) -> f64 {
        self.cpu_since(before).as_secs_f64() / self.time_since(before).as_secs_f64()
    }
}

/// The processes that a process has started.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("the system has it");
    let ids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let parent = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // State and parent follow the name, which is in brackets.
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let mut children: Vec<u32> = ids.filter(|id| parent(id) == Some(pid)).collect();
    children.sort_unstable();
    children
}

fn rss(pid: u32) -> u64 {
    let status = read(pid, "status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.expect("the system says how much memory a process has") * 1024
}

#[track_caller]
fn read(pid: u32, file: &str) -> String {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}
