//! Programs that run beside this one, and end with it.

use crate::process;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a program may take to end once it is asked to.
const END_LIMIT: Duration = Duration::from_secs(30);
/// How often it is looked whether it has.
const POLL: Duration = Duration::from_millis(50);

/// Whether somebody wants this program to end.
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Catches Ctrl-C, the signal to terminate and the terminal's end from now on.
    pub(crate) fn listen() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag))
                .context("failed to listen for signals")?;
        }
        Ok(Self(flag))
    }

    /// Has there been one?
    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Has there been one since the last time this was asked?
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// A program that runs beside this one.
///
/// It is in a process group of its own: a Ctrl-C reaches this program only, which then asks each
/// child once, in the right order. A second one from the terminal would make some end in a hurry.
pub(crate) struct Child {
    line: String,
    process: std::process::Child,
}

impl Child {
    /// Starts it. Its output is this program's.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let line = process::line(command);
        let process = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("failed to start `{line}`"))?;
        Ok(Self { line, process })
    }

    /// Starts it, and reads the first line that it prints; `None` if there is none in time. The
    /// rest of its output is this program's.
    pub(crate) fn start_and_read_line(
        command: &mut Command,
        limit: Duration,
    ) -> Result<(Self, Option<String>)> {
        let mut child = Self::start(command.stdout(Stdio::piped()))?;
        let output = child.process.stdout.take().context("a child has no output")?;
        let (sender, first) = mpsc::channel();
        // Ends with the child, whose output it reads to the end.
        std::thread::spawn(move || {
            let mut lines = BufReader::new(output).lines().map_while(Result::ok);
            if let Some(line) = lines.next() {
                // Nobody may be waiting for it any more.
                let _ = sender.send(line);
            }
            for line in lines {
                println!("{line}");
            }
        });
        Ok((child, first.recv_timeout(limit).ok()))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Has it ended by itself?
    pub(crate) fn is_over(&mut self) -> Result<bool> {
        let status = self.process.try_wait().context("failed to wait for a child")?;
        Ok(status.is_some())
    }

    /// Asks it to end as a Ctrl-C would, and waits for it. It is ended by force if it takes too
    /// long, or at another interrupt. Fails if it ended by itself, and badly.
    pub(crate) fn end(&mut self, interrupt: &Interrupt) -> Result<()> {
        if let Some(status) = self.process.try_wait().context("failed to wait for a child")? {
            if !status.success() {
                bail!("`{}` failed: {status}", self.line);
            }
            return Ok(());
        }
        interrupt.take();
        kill_process(Pid::from_child(&self.process), Signal::INT)
            .with_context(|| format!("failed to interrupt `{}`", self.line))?;
        let begun = Instant::now();
        while !self.is_over()? {
            if interrupt.take() || begun.elapsed() > END_LIMIT {
                eprintln!("ending `{}` by force", self.line);
                self.process.kill().context("failed to end a child")?;
                self.process.wait().context("failed to wait for a child")?;
                break;
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

/// No child is left behind, whatever went wrong, nor a child of its own.
impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            // There is nobody left to tell.
            let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
            let _ = self.process.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm() -> Interrupt {
        Interrupt(Arc::new(AtomicBool::new(false)))
    }

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_child_is_asked_to_end_and_waited_for() {
        let script = "trap 'echo asked; exit 0' INT; echo ready; while :; do sleep 0.05; done";
        let (mut child, line) = Child::start_and_read_line(&mut sh(script), LIMIT).unwrap();
        assert_eq!(line.as_deref(), Some("ready"));
        assert!(!child.is_over().unwrap());
        child.end(&calm()).unwrap();
        let status = child.process.try_wait().unwrap().unwrap();
        assert!(status.success(), "it was not asked: {status}");
    }

    #[test]
    fn another_interrupt_ends_a_stubborn_child() {
        let script = "trap '' INT; echo ready; while :; do sleep 0.05; done";
        let (mut child, _) = Child::start_and_read_line(&mut sh(script), LIMIT).unwrap();
        let interrupt = calm();
        let again = Arc::clone(&interrupt.0);
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Repeated, for `end` forgets what came before it.
                while !ended.load(Ordering::Relaxed) {
                    again.store(true, Ordering::Relaxed);
                    std::thread::sleep(POLL);
                }
            });
            let outcome = child.end(&interrupt);
            ended.store(true, Ordering::Relaxed);
            outcome.unwrap();
        });
        assert!(child.is_over().unwrap());
    }

    #[test]
    fn a_child_that_fails_by_itself_is_an_error() {
        let mut child = Child::start(&mut sh("exit 7")).unwrap();
        child.process.wait().unwrap();
        let error = child.end(&calm()).unwrap_err().to_string();
        assert!(error.contains("exit 7") && error.contains('7'), "{error}");
    }

    #[test]
    fn a_silent_child_has_no_line() {
        let (_, line) = Child::start_and_read_line(&mut sh("exit 0"), LIMIT).unwrap();
        assert_eq!(line, None);
    }
}
