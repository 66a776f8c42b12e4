//! Several processes as one: a parent that starts copies of this program and ends with them.
//!
//! A copy's standard input is a pipe that only the parent could write to: when it ends, the parent
//! is gone, whatever became of it, and so ends the copy. No copy outlives its parent. Copies are in
//! a process group of their own, so that Ctrl-C reaches the parent alone, which passes it on once.
//!
//! A copy that dies is not started again: what killed it would most likely do so again, and each
//! time samples would be lost without a person knowing.

use std::ffi::OsStr;
use std::fmt;
use std::io::{Read, stdin};
use std::num::NonZeroUsize;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::str::FromStr;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::oneshot;

use crate::exit::{Exit, Failure, OrExit};

/// Most processes that are started as one.
pub(crate) const PROCESSES_MAX: u32 = 256;

/// Which of several processes this one is. As text `INDEX/COUNT/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// From 0.
    pub(crate) index: u32,
    /// Processes in all.
    pub(crate) count: u32,
    /// What all of them are together.
    pub(crate) of: String,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.index, self.count, self.of)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut fields = text.splitn(3, '/');
        let mut number = || fields.next()?.parse::<u32>().ok();
        let part = number().zip(number()).zip(fields.next());
        let ((index, count), of) = part.ok_or("write INDEX/COUNT/NAME")?;
        if index >= count {
            return Err(format!("there is no part {index} of {count}"));
        }
        Ok(Self { index, count, of: of.to_owned() })
    }
}

impl Part {
    /// This part of something that all of them are to share, such as users.
    pub(crate) fn share(&self, of: u32) -> u32 {
        let upto = |index: u32| u64::from(of) * u64::from(index) / u64::from(self.count);
        u32::try_from(upto(self.index + 1) - upto(self.index)).expect("a part of a u32")
    }
}

/// Threads for one of so many processes: its part of the cores, at least one.
pub(crate) fn threads(part: Option<&Part>) -> NonZeroUsize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let count = part.map_or(1, |part| part.count as usize);
    NonZeroUsize::new(cores / count).unwrap_or(NonZeroUsize::MIN)
}

/// Where the copies' standard output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Where this process's goes.
    Shared,
    /// To this process.
    Piped,
}

/// Copies of this program. Dropped, they are killed.
pub(crate) struct Children {
    of: String,
    running: Vec<(u32, Child)>,
    ends: unix::Signal,
}

/// A copy has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) index: u32,
    pub(crate) status: ExitStatus,
}

impl Children {
    /// Starts `count` copies with the arguments of this process, their part of `of`, and a further
    /// variable of the environment. Only within a runtime.
    pub(crate) fn start(
        count: u32,
        of: &str,
        output: Output,
        variable: Option<(&str, &OsStr)>,
    ) -> Result<Self, Failure> {
        let ends = unix::signal(SignalKind::child());
        let ends = ends.or_exit(Exit::Internal, || "watch processes".to_owned())?;
        let mut children = Self { of: of.to_owned(), running: Vec::new(), ends };
        for index in 0..count {
            let part = Part { index, count, of: of.to_owned() };
            let child = copy(&part, output, variable);
            let doing = || format!("start process {} of {count}", index + 1);
            children.running.push((index, child.or_exit(Exit::Internal, doing)?));
        }
        Ok(children)
    }

    /// The pipes to and from each copy. Each can be taken once; while nobody takes the one to a
    /// copy, it stays open.
    pub(crate) fn take_pipes(&mut self) -> Vec<(ChildStdin, ChildStdout)> {
        let pipes = self.running.iter_mut().map(|(_, child)| {
            let (input, output) = (child.stdin.take(), child.stdout.take());
            (input.expect("it is piped"), output.expect("it was asked for"))
        });
        pipes.collect()
    }

    /// Sends a signal to all that run.
    pub(crate) fn signal(&self, signal: Signal) {
        for (_, child) in &self.running {
            // Not waited for yet, so its id is its own; it may have ended all the same.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    /// Waits for the next end; `None` when all have ended.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub(crate) async fn ended(&mut self) -> Option<Ended> {
        while !self.running.is_empty() {
            for at in 0..self.running.len() {
                let (index, child) = &mut self.running[at];
                if let Ok(Some(status)) = child.try_wait() {
                    let index = *index;
                    self.running.remove(at);
                    return Some(Ended { index, status });
                }
            }
            self.ends.recv().await;
        }
        None
    }

    /// Waits for all, tells of each that did not end well, and gives the worst exit: the highest
    /// code, that of a fault for one that was killed.
    pub(crate) async fn all_ended(&mut self) -> Exit {
        let mut worst = Exit::Success;
        while let Some(ended) = self.ended().await {
            worst = self.worse(worst, &ended);
        }
        worst
    }

    /// Tells of an end, and gives the worse of it and `worst`.
    pub(crate) fn worse(&self, worst: Exit, ended: &Ended) -> Exit {
        let exit = match ended.status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(0) => return worst,
            Some(code) => Exit::Part(code),
            None => Exit::Internal,
        };
        let (of, number) = (&self.of, ended.index + 1);
        tracing::error!("process {number} of {of} has ended: {}", ended.status);
        if exit.code() > worst.code() { exit } else { worst }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            // It may have ended just now.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn copy(part: &Part, output: Output, variable: Option<(&str, &OsStr)>) -> std::io::Result<Child> {
    // The program that runs, even if its file has been replaced meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("swarm").args(std::env::args_os().skip(1)).arg(format!("--part={part}"));
    command.stdin(Stdio::piped()).process_group(0).envs(variable);
    if output == Output::Piped {
        command.stdout(Stdio::piped());
    }
    command.spawn()
}

/// Resolves in a copy when its parent is gone.
pub(crate) async fn orphaned() {
    let (gone, told) = oneshot::channel::<()>();
    let watch = std::thread::Builder::new().name("parent".into()).spawn(move || {
        // The parent writes nothing: this returns at its end, and an error is as good as that.
        let _ = stdin().lock().read(&mut [0]);
        drop(gone);
    });
    match watch {
        // An error says that the other side is gone, which is the news.
        Ok(_) => drop(told.await),
        Err(error) => tracing::error!("the parent process cannot be watched: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_as_written() {
        let part = Part { index: 2, count: 3, of: "[::1]:80/x".to_owned() };
        assert_eq!(part.to_string().parse(), Ok(part));
        for wrong in ["", "1", "1/2", "2/2/x", "-1/2/x", "a/b/c"] {
            wrong.parse::<Part>().expect_err(wrong);
        }
    }

    #[test]
    fn shares_add_up() {
        for (of, count) in [(10, 3), (2, 6), (0, 4), (u32::MAX, 7)] {
            let share = |index| Part { index, count, of: String::new() }.share(of);
            let shares: Vec<u32> = (0..count).map(share).collect();
            assert_eq!(shares.iter().map(|&share| u64::from(share)).sum::<u64>(), u64::from(of));
            let (least, most) = (shares.iter().min(), shares.iter().max());
            assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{shares:?}");
        }
    }
}
