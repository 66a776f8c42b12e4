//! A child process that does not outlive its test.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

use crate::lines::Lines;
use crate::wait::{PATIENCE, PAUSE};

/// A running child. Dropped, it is killed; dropped by a panic, it prints what it said.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// Kills the child when this process is gone. Absent once the child has been waited for.
    guard: Option<Child>,
    /// Standard output.
    pub out: Lines,
    /// Standard error, where log lines go.
    pub err: Lines,
}

/// Streams that a test brings for its child.
#[derive(Debug, Default)]
pub struct Streams {
    /// Standard output.
    pub out: Option<Stdio>,
    /// Standard error.
    pub err: Option<Stdio>,
}

/// The same command started by a shell, which runs `script` before: limits, redirections, traps.
/// In it `"$@"` is the command, such as `ulimit -n 100; exec "$@" >&-`.
#[must_use]
pub fn in_shell(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

impl Process {
    /// Starts `command`, under a name for people.
    ///
    /// # Panics
    ///
    /// It cannot be started.
    #[track_caller]
    pub fn spawn(name: &str, command: Command) -> Self {
        Self::spawn_onto(name, command, Streams::default())
    }

    /// As [`Self::spawn`], with streams of the test's own: what is written to these is in neither
    /// [`Self::out`] nor [`Self::err`].
    ///
    /// # Panics
    ///
    /// It cannot be started.
    #[track_caller]
    pub fn spawn_onto(name: &str, mut command: Command, streams: Streams) -> Self {
        let ((out, to_out), (err, to_err)) = (Lines::new(), Lines::new());
        let child = command
            .stdin(Stdio::null())
            .stdout(streams.out.unwrap_or(to_out))
            .stderr(streams.err.unwrap_or(to_err))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let guard = guard(child.id());
        Self { name: name.to_owned(), child, guard: Some(guard), out, err }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with `text` on standard output or standard error and returns what
    /// follows `text` in it, up to a space.
    ///
    /// # Panics
    ///
    /// The process ends without such a line, or takes longer than [`PATIENCE`].
    #[track_caller]
    pub fn wait_for_value(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            // Asked first: what it said before its end is there to be found after it.
            let running = self.is_running();
            if !running {
                self.out.finish();
                self.err.finish();
            }
            let line = self.out.find(text).or_else(|| self.err.find(text));
            if let Some((_, rest)) = line.as_deref().and_then(|line| line.split_once(text)) {
                return rest.split_whitespace().next().unwrap_or_default().to_owned();
            }
            assert!(running, "{} ended without saying {text:?}", self.name);
            assert!(start.elapsed() < PATIENCE, "{} did not say {text:?}", self.name);
            std::thread::sleep(PAUSE);
        }
    }

    /// Whether it is still running.
    ///
    /// # Panics
    ///
    /// Never, as long as the child is ours to wait for.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours to wait for").is_none()
    }

    /// Sends a signal: `Signal::INT` as a user's Ctrl-C, `Signal::KILL` as a crash,
    /// `Signal::STOP` as a machine that hangs.
    ///
    /// # Panics
    ///
    /// The process has ended.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        let sent = self.signal_if_running(signal);
        assert!(sent, "{} has ended, and its id may be another's now", self.name);
    }

    /// As [`Self::signal`], if it has not ended. Returns whether it had not.
    ///
    /// # Panics
    ///
    /// The signal cannot be sent.
    #[track_caller]
    pub fn signal_if_running(&mut self, signal: Signal) -> bool {
        if !self.is_running() {
            return false;
        }
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.expect("the system's process ids are positive");
        kill_process(pid, signal)
            .unwrap_or_else(|error| panic!("cannot send {signal:?} to {}: {error}", self.name));
        true
    }

    /// Waits for its end, and for the last of its lines.
    ///
    /// # Panics
    ///
    /// It takes longer than `timeout`.
    #[track_caller]
    pub fn wait(&mut self, timeout: Duration) -> ExitStatus {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours to wait for") {
                break status;
            }
            assert!(start.elapsed() < timeout, "{} still runs after {timeout:?}", self.name);
            std::thread::sleep(PAUSE);
        };
        self.end();
        status
    }

    /// Ends child and guard, and collects the last lines.
    fn end(&mut self) {
        // Waited for already or not: neither can fail in a way that matters here.
        self.child.kill().ok();
        self.child.wait().ok();
        if let Some(mut guard) = self.guard.take() {
            guard.kill().ok();
            guard.wait().ok();
        }
        self.out.finish();
        self.err.finish();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            let (name, out, err) = (&self.name, self.out.text(), self.err.text());
            eprintln!("--- {name}, standard output ---\n{out}--- {name}, log ---\n{err}---");
        }
    }
}

/// A shell that waits for the end of its input, which only this process could write to, and then
/// kills the child. So a test runner that is killed leaves nothing behind.
fn guard(pid: u32) -> Child {
    Command::new("sh")
        .args(["-c", &format!("read line; kill -KILL {pid}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("these tests need `sh`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::spawn("shell", command)
    }

    fn exists(pid: u32) -> bool {
        // A zombie, which its parent has not waited for, is as good as gone.
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
    }

    #[test]
    fn values_are_read_from_either_stream() {
        let mut process = sh("echo 'a is at 1 or so'; echo 'b is at 2' >&2; exec sleep 60");
        assert_eq!(process.wait_for_value("a is at "), "1");
        assert_eq!(process.wait_for_value("b is at "), "2");
        assert!(process.is_running());
    }

    #[test]
    #[should_panic(expected = "shell ended")]
    fn a_process_that_ends_is_not_waited_for_any_longer() {
        sh("echo something else").wait_for_value("something new");
    }

    #[test]
    fn the_end_has_a_status_and_all_lines() {
        let mut process = sh("echo one; echo two >&2; exit 3");
        assert_eq!(process.wait(PATIENCE).code(), Some(3));
        assert_eq!((process.out.text(), process.err.text()), ("one\n".into(), "two\n".into()));
    }

    #[test]
    fn signals_arrive() {
        // Not INT: a shell below one that runs in the background may not trap it.
        let mut process = sh("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
        process.wait_for_value("ready");
        process.signal(Signal::TERM);
        assert_eq!(process.wait(PATIENCE).code(), Some(7));
    }

    #[test]
    fn nothing_is_left_of_a_dropped_process() {
        let process = sh("exec sleep 1000");
        let ids = [process.id(), process.guard.as_ref().unwrap().id()];
        assert!(ids.iter().all(|id| exists(*id)));
        drop(process);
        assert!(!ids.iter().any(|id| exists(*id)));
    }

    #[test]
    fn the_guard_kills_when_nobody_is_left_to_do_it() {
        let mut process = sh("exec sleep 1000");
        // As when this process dies: the other end of the guard's input closes.
        drop(process.guard.as_mut().unwrap().stdin.take());
        assert_eq!(process.wait(PATIENCE).code(), None, "killed by a signal");
    }
}
