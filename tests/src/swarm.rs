//! One test's surroundings: a folder of its own, and the processes it starts there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use swarm_target::Counts;
use tempfile::TempDir;

use crate::built::binary;
use crate::http::{get, post};
use crate::page::Page;
use crate::process::{Process, Signal};
use crate::wait::{PATIENCE, wait_until};

/// A test's folder, in which its processes run and cache what they compile. Dropped last, it is
/// removed.
#[derive(Debug)]
pub struct Swarm {
    folder: TempDir,
    binary: PathBuf,
}

impl Swarm {
    /// A new folder for a new test.
    ///
    /// # Panics
    ///
    /// The binary is not built, or the folder cannot be made.
    #[track_caller]
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("swarm-test-").expect("temporary folders can be made");
        Self { folder, binary: binary() }
    }

    /// The folder, for files that the test reads or writes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with these arguments, with a cache of the test's own and nothing from the
    /// environment that would change a setting. For what the other functions do not offer.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("SWARM_") || text.starts_with("LOCUST_") {
                command.env_remove(&name);
            }
        }
        command.args(arguments);
        command.current_dir(self.folder());
        command.env("SWARM_CACHE_DIR", self.folder().join("cache"));
        command
    }

    /// Writes a module or component, given as text, to the test's folder.
    ///
    /// # Panics
    ///
    /// The text has a syntax error, or the file cannot be written.
    #[track_caller]
    pub fn module(&self, name: &str, text: &str) -> PathBuf {
        let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        self.file(&format!("{name}.wasm"), &bytes)
    }

    /// Writes a file to the test's folder.
    ///
    /// # Panics
    ///
    /// It cannot be written.
    #[track_caller]
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder().join(name);
        let written = std::fs::write(&path, bytes);
        written.unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// Starts the demo server on a free port of this machine.
    ///
    /// # Panics
    ///
    /// It does not start.
    #[track_caller]
    pub fn target(&self, arguments: &[&str]) -> Target {
        let command = self.command(&[&["target", "--port", "0"], arguments].concat());
        let mut process = Process::spawn("target", command);
        let address = process.wait_for_value("target listening on http://");
        Target { address: socket_address(&address), process }
    }

    /// Starts a master on free ports of this machine. With `--headless` it has no page.
    ///
    /// # Panics
    ///
    /// It does not start.
    #[track_caller]
    pub fn master(&self, scenario: &Path, arguments: &[&str]) -> Master {
        self.master_at(0, scenario, arguments)
    }

    /// As [`Self::master`], with a port for workers that they know already.
    ///
    /// # Panics
    ///
    /// It does not start.
    #[track_caller]
    pub fn master_at(&self, port: u16, scenario: &Path, arguments: &[&str]) -> Master {
        let port = port.to_string();
        let ports = ["--master-bind-port", &port, "--web-port", "0"];
        let mut command = self.command(&["master"]);
        command.arg(scenario).args(ports).args(arguments);
        let process = Process::spawn("master", command);
        Master::of(process, arguments)
    }

    /// Starts a worker. It is not connected yet: see [`Page::wait_for_workers`].
    ///
    /// # Panics
    ///
    /// It does not start.
    #[track_caller]
    pub fn worker(&self, master: &Master, arguments: &[&str]) -> Worker {
        self.worker_at(master.address, arguments)
    }

    /// Starts a worker for a master at an address, where there may be none (yet).
    ///
    /// # Panics
    ///
    /// It does not start.
    #[track_caller]
    pub fn worker_at(&self, master: SocketAddr, arguments: &[&str]) -> Worker {
        let (host, port) = (master.ip().to_string(), master.port().to_string());
        let address = ["worker", "--master-host", &host, "--master-port", &port];
        let command = self.command(&[&address, arguments].concat());
        Worker { process: Process::spawn("worker", command) }
    }

    /// Starts a test in one process, its page on a free port. With `--headless` it has no page.
    ///
    /// # Panics
    ///
    /// It does not start.
    #[track_caller]
    pub fn run(&self, scenario: &Path, arguments: &[&str]) -> Run {
        let mut command = self.command(&["run"]);
        command.arg(scenario).args(["--web-port", "0"]).args(arguments);
        let mut process = Process::spawn("run", command);
        let page = page(&mut process, arguments);
        Run { page, process }
    }

    /// Runs the binary to its end: `check`, or what is refused at once.
    ///
    /// # Panics
    ///
    /// It cannot be started or takes longer than [`PATIENCE`].
    #[track_caller]
    pub fn finished(&self, arguments: &[&str]) -> (ExitStatus, Process) {
        let name = arguments.first().copied().unwrap_or("swarm");
        let mut process = Process::spawn(name, self.command(arguments));
        (process.wait(PATIENCE), process)
    }
}

impl Default for Swarm {
    fn default() -> Self {
        Self::new()
    }
}

/// The demo server.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    /// Its process.
    pub process: Process,
}

impl Target {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `--host` takes.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it received. The connection that asks is counted among the connections.
    ///
    /// # Panics
    ///
    /// It does not answer.
    #[track_caller]
    pub fn counts(&self) -> Counts {
        counts(&get(&format!("{}/counts", self.url())).body)
    }

    /// What it received since the last time it was asked to begin again.
    ///
    /// # Panics
    ///
    /// It does not answer.
    #[track_caller]
    pub fn take_counts(&self) -> Counts {
        counts(&post(&format!("{}/counts/reset", self.url()), &[]).body)
    }

    /// Waits until it has received so many requests.
    ///
    /// # Panics
    ///
    /// It does not receive them within [`PATIENCE`].
    #[track_caller]
    pub fn wait_for_requests(&self, count: u64) {
        let what = format!("the target has received {count} requests");
        wait_until(&what, PATIENCE, || self.counts().total >= count);
    }
}

/// A master.
#[derive(Debug)]
pub struct Master {
    address: SocketAddr,
    page: Option<Page>,
    /// Its process.
    pub process: Process,
}

impl Master {
    /// The master that this process becomes; of its arguments those that make a difference here:
    /// it has a page unless it was started with `--headless`.
    ///
    /// # Panics
    ///
    /// It does not start.
    #[track_caller]
    pub fn of(mut process: Process, arguments: &[&str]) -> Self {
        let address = process.wait_for_value("master listening on ");
        let page = page(&mut process, arguments);
        Self { address: socket_address(&address), page, process }
    }

    /// Where workers connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its web interface.
    ///
    /// # Panics
    ///
    /// It was started with `--headless`.
    #[track_caller]
    pub fn page(&self) -> &Page {
        self.page.as_ref().expect("a headless master has no page")
    }
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    /// Its process.
    pub process: Process,
}

impl Worker {
    /// Asks it to leave as Ctrl-C does, and waits for its end.
    ///
    /// # Panics
    ///
    /// It takes longer than `timeout`.
    #[track_caller]
    pub fn leave(&mut self, timeout: Duration) -> ExitStatus {
        self.process.signal(Signal::INT);
        self.process.wait(timeout)
    }
}

/// A test in one process.
#[derive(Debug)]
pub struct Run {
    page: Option<Page>,
    /// Its process.
    pub process: Process,
}

impl Run {
    /// Its web interface.
    ///
    /// # Panics
    ///
    /// It was started with `--headless`.
    #[track_caller]
    pub fn page(&self) -> &Page {
        self.page.as_ref().expect("a headless run has no page")
    }
}

#[track_caller]
fn page(process: &mut Process, arguments: &[&str]) -> Option<Page> {
    let headless = arguments.contains(&"--headless");
    (!headless).then(|| Page::new(&process.wait_for_value("web interface on ")))
}

#[track_caller]
fn socket_address(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|error| panic!("{text:?} is no address: {error}"))
}

#[track_caller]
fn counts(body: &str) -> Counts {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("no counts ({error}): {body}"))
}
