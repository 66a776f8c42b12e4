//! CPU and memory of this process, from `/proc`. 0 where there is no `/proc`.

use std::time::Duration;

/// Clock ticks a second in `/proc/self/stat`; fixed at 100 in the kernel's interface on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measures the CPU used between two calls.
#[derive(Debug, Default)]
pub(crate) struct CpuMeter {
    last: Option<(Duration, f64)>,
    percent: f32,
}

impl CpuMeter {
    /// CPU since the call before, in percent of one core.
    pub(crate) fn percent(&mut self, now: Duration) -> f32 {
        let used = cpu_seconds();
        if let Some((then, before)) = self.last {
            let elapsed = now.saturating_sub(then).as_secs_f64();
            if elapsed < 0.1 {
                return self.percent;
            }
            #[expect(clippy::cast_possible_truncation, reason = "a percentage")]
            let percent = ((used - before) / elapsed * 100.0) as f32;
            self.percent = percent;
        }
        self.last = Some((now, used));
        self.percent
    }
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in parentheses and may hold spaces.
    let Some((_, fields)) = stat.rsplit_once(')') else { return 0.0 };
    let ticks = |at: usize| fields.split_whitespace().nth(at).and_then(|n| n.parse::<f64>().ok());
    // Fields 14 and 15 of proc(5), counted from the third.
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / TICKS_PER_SECOND
}

/// Resident memory of this process in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
