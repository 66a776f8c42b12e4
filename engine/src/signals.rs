//! Being told to end: by Ctrl-C, by whoever supervises this process, or because the terminal is
//! closed.
//!
//! The first time the test is stopped and its results are written. The second time ends at once:
//! what is there is still written, and should anything hang then, this thread ends the process
//! after a short time all the same.

use std::fs;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::cache;
use crate::exit::{Exit, Failure, OrExit};
use crate::terminal::Terminal;

/// Signals that come together are one: a terminal that is closed tells a process itself, and its
/// shell does so, too; `timeout` tells a process and then its group.
const TOGETHER: Duration = Duration::from_millis(100);

/// How long an end at once may take.
const END_MAX: Duration = Duration::from_secs(3);

/// How long the last words of such an end may take.
const LAST_WORDS_MAX: Duration = Duration::from_millis(200);

/// Pairs of files that watching for signals takes, with some to spare.
const PAIRS: usize = 4;

/// `SIGXCPU`, `SIGPWR` and `SIGXFSZ`, the numbers of all architectures that we build for.
const CPU_LIMIT: SignalKind = SignalKind::from_raw(24);
const POWER_FAILURE: SignalKind = SignalKind::from_raw(30);
const FILE_SIZE_LIMIT: SignalKind = SignalKind::from_raw(25);

/// What ends a process that does nothing about it, and is no fault of it.
const ENDING: [SignalKind; 9] = [
    SignalKind::interrupt(),
    SignalKind::terminate(),
    SignalKind::hangup(),
    SignalKind::quit(),
    SignalKind::user_defined1(),
    SignalKind::user_defined2(),
    SignalKind::alarm(),
    CPU_LIMIT,
    POWER_FAILURE,
];

/// How often this process has been told to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts {
    told: watch::Receiver<u32>,
    heard: u32,
}

impl Interrupts {
    /// Watches for signals from now on, on a thread of its own.
    pub(crate) fn watch(terminal: &Terminal) -> Result<Self, Failure> {
        let (tell, told) = watch::channel(0);
        let doing = || "cannot watch for signals".to_owned();
        files_are_there().or_exit(Exit::Internal, doing)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.or_exit(Exit::Internal, doing)?;
        let signals = {
            let _within = runtime.enter();
            signals().or_exit(Exit::Internal, doing)?
        };
        let terminal = terminal.clone();
        let thread = std::thread::Builder::new().name("signals".into());
        let thread = thread.spawn(move || runtime.block_on(attend(signals, &tell, &terminal)));
        thread.or_exit(Exit::Internal, doing)?;
        Ok(Self { told, heard: 0 })
    }

    /// Resolves when this process has been told to end once more than the last time.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub(crate) async fn next(&mut self) {
        let heard = self.heard;
        // The thread that tells ends with the process.
        let _ = self.told.wait_for(|&told| told > heard).await;
        self.heard += 1;
    }
}

/// Sees that as many files can be opened as watching takes: without them tokio panics.
fn files_are_there() -> std::io::Result<()> {
    let pairs: Result<Vec<_>, _> = (0..PAIRS).map(|_| UnixStream::pair()).collect();
    pairs.map(drop)
}

fn signals() -> std::io::Result<Vec<(Signal, SignalKind)>> {
    // A write beyond the limit of a file's size fails then, and does not end the process.
    let mut signals = vec![(signal(FILE_SIZE_LIMIT)?, FILE_SIZE_LIMIT)];
    for kind in ENDING {
        // `nohup` has made it so that it does not matter when the terminal is closed.
        if kind != SignalKind::hangup() || !is_ignored(kind) {
            signals.push((signal(kind)?, kind));
        }
    }
    Ok(signals)
}

fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & 1 << (kind.as_raw_value() - 1) != 0
}

/// Tells of each signal; ends the process when that does not help.
async fn attend(
    signals: Vec<(Signal, SignalKind)>,
    tell: &watch::Sender<u32>,
    terminal: &Terminal,
) {
    let (heard, mut ending) = mpsc::channel(1);
    // The first is there to be caught.
    let mut signals = signals.into_iter();
    let _caught = signals.next();
    for (signal, kind) in signals {
        tokio::spawn(pass_on(signal, kind, heard.clone()));
    }
    let mut count = Count::default();
    let begin = Instant::now();
    let mut ends_at = None;
    while count.told <= 2 {
        let end = async {
            match ends_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = end => break,
            Some(()) = ending.recv() => {
                if count.heard(begin.elapsed()) {
                    tell.send_replace(count.told);
                }
                if count.told == 2 {
                    ends_at.get_or_insert_with(|| Instant::now() + END_MAX);
                }
            }
        }
    }
    tracing::error!("told to end again, and not everything has ended: what is missing is lost");
    cache::discard();
    terminal.finish_log_within(LAST_WORDS_MAX);
    std::process::exit(Exit::Interrupted.code().into());
}

async fn pass_on(mut signal: Signal, kind: SignalKind, heard: mpsc::Sender<()>) {
    while signal.recv().await.is_some() && heard.send(()).await.is_ok() {
        if kind == CPU_LIMIT {
            // It is sent again each second, by nobody who has lost patience.
            return;
        }
    }
}

/// How often somebody has told this process to end. Time is passed in.
#[derive(Debug, Default)]
struct Count {
    told: u32,
    last: Option<Duration>,
}

impl Count {
    /// A signal has come. Is it a further one?
    fn heard(&mut self, now: Duration) -> bool {
        let is_further = self.last.is_none_or(|last| now.saturating_sub(last) >= TOGETHER);
        if is_further {
            self.last = Some(now);
            self.told += 1;
        }
        is_further
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_come_together_are_one() {
        let mut count = Count::default();
        let at = Duration::from_millis;
        for (ms, told) in [(5000, 1), (5001, 1), (5099, 1), (5100, 2), (5150, 2), (9000, 3)] {
            count.heard(at(ms));
            assert_eq!(count.told, told, "after {ms} ms");
        }
    }
}
