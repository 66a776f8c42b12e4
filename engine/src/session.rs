//! A master's life around its tests: the page, headless runs, interrupts, and the end.

mod awaiting;
mod front;
mod page;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use swarm_node::journal::Found;
use swarm_node::master::{Master, Outcome};
use swarm_node::worker::Worker;
use swarm_stats::report::json::Summary;
use swarm_web::view::{Answer, Command, Control, SwarmRequest, TestState, View};
use tokio::sync::oneshot;

use crate::cli::TestArgs;
use crate::console::{self, Console};
use crate::exit::{Exit, Failure, OrExit};
use crate::output::Files;
use crate::signals::Interrupts;
use crate::terminal::Terminal;
pub(crate) use awaiting::Expected;
pub(crate) use front::Front;
pub(crate) use page::Page;

/// Raises the number of files that the process may open as far as permitted: each user holds a
/// connection.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum && setrlimit(Resource::Nofile, raised).is_err() {
        tracing::warn!("the limit of open files stays at {:?}", limit.current);
    }
}

/// The runtime of the main thread.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.or_exit(Exit::Internal, || "set up a thread".to_owned())
}

/// Opens a port.
pub(crate) fn bind(host: &str, port: u16, what: &str, other: &str) -> Result<TcpListener, Failure> {
    // Locust's way to say every address.
    let address = if host == "*" { "0.0.0.0" } else { host };
    let listener = TcpListener::bind((address, port))
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.or_exit(Exit::Bind, || format!("cannot open {host}:{port} for {what}: {other}"))
}

/// How often the console and the files are brought up to date.
const TICK: Duration = Duration::from_secs(1);

/// How long results may take to be written when this process has been told to end meanwhile.
const WRITE_MAX: Duration = Duration::from_secs(2);

/// A master and what is around it.
pub(crate) struct Session<'a> {
    pub(crate) master: Master,
    /// The worker in the same process.
    pub(crate) worker: Option<Worker>,
    pub(crate) page: Option<Page>,
    pub(crate) args: &'a TestArgs,
    pub(crate) expected: Expected,
    pub(crate) files: Files,
    pub(crate) terminal: &'a Terminal,
    pub(crate) interrupts: Interrupts,
}

impl Session<'_> {
    /// Runs a master to its end: serves the page, starts by itself if asked to, prints and writes.
    /// However it ends, the results are written first; then they are printed, which may take longer
    /// or not be possible.
    pub(crate) fn conduct(mut self) -> Result<Exit, Failure> {
        let runtime = runtime()?;
        let control = self.master.control();
        let ended = runtime.block_on(self.attend());
        self.terminal.report.live(Vec::new());
        // The end of a test is news, too.
        self.files.tick(&control.view.borrow());
        let outcome = self.master.finish();
        if let Some(worker) = self.worker {
            // Its users have ended with the test, and whatever still hangs there, such as a name
            // that is being resolved, matters to nobody.
            worker.abandon();
        }
        let written = runtime.block_on(write(self.files, &outcome, &mut self.interrupts));
        // Nothing of it is waited for: what hangs in it ends with the process.
        runtime.shutdown_background();
        console::finish(&self.terminal.report, &outcome.summary);
        let exit = match (ended, written) {
            (Ok(exit), Ok(())) => exit,
            (Ok(_), Err(failure)) => return Err(failure),
            (Err(failure), written) => {
                if let Err(also) = written {
                    tracing::error!("{also}");
                }
                return Err(failure);
            }
        };
        let exit = exit.unwrap_or_else(|| verdict(&outcome, self.args));
        let why = why_nothing(&outcome.summary, self.args);
        outcome.given();
        match why.filter(|_| exit == Exit::NothingAnswered) {
            Some(why) => Err(Failure::new(exit, anyhow!(why))),
            None => Ok(exit),
        }
    }

    /// Serves and waits until the program shall end. An exit if it is not the test's result.
    async fn attend(&mut self) -> Result<Option<Exit>, Failure> {
        let (control, found) = (self.master.control(), self.master.found());
        let (close_page, closed) = oneshot::channel::<()>();
        let page = self.page.take().map(|page| page.open(control.clone(), closed)).transpose()?;
        let mut console = Console::new(&self.terminal.report, self.args);
        let mut ticks = tokio::time::interval(TICK);
        let files = &mut self.files;
        let worker_ended = async {
            match &mut self.worker {
                Some(worker) => worker.ended().await,
                None => std::future::pending().await,
            }
        };
        let done = until_done(&control, found, self.args, &self.expected, &mut self.interrupts);
        tokio::pin!(done, worker_ended);
        let result = loop {
            tokio::select! {
                biased;
                result = &mut done => break result,
                end = &mut worker_ended => {
                    let error = anyhow!("the worker of this process has ended: {end:?}");
                    break Err(Failure::new(Exit::Internal, error));
                }
                _ = ticks.tick() => {
                    let view = Arc::clone(&control.view.borrow());
                    console.tick(&view);
                    files.tick(&view);
                }
            }
        };
        drop(close_page);
        if let Some(page) = page
            && !matches!(result, Ok(Some(Exit::Interrupted)))
        {
            // It ends soon after the drop; an error of its own has been logged.
            let _ = page.await;
        }
        result
    }
}

/// Writes the results. A disk or a reader that takes its time is waited for until somebody tells
/// this process to end once more.
async fn write(
    files: Files,
    outcome: &Outcome,
    interrupts: &mut Interrupts,
) -> Result<(), Failure> {
    tokio::select! {
        biased;
        written = files.finish(&outcome.summary) => written,
        () = async {
            interrupts.next().await;
            tokio::time::sleep(WRITE_MAX).await;
        } => {
            let error = anyhow!("told to end before all results were written: some are missing");
            Err(Failure::new(Exit::Interrupted, error))
        }
    }
}

/// Waits for the test that starts by itself, and for the user to end the program.
async fn until_done(
    control: &Control,
    found: Found,
    args: &TestArgs,
    expected: &Expected,
    interrupts: &mut Interrupts,
) -> Result<Option<Exit>, Failure> {
    let own_test = async {
        // A test that an earlier master has left is the one that was asked for.
        if (args.headless || args.autostart) && found == Found::Nothing {
            expected.wait(control).await?;
            start(control, args).await?;
        }
        if !args.headless {
            return std::future::pending().await;
        }
        wait_for(control, |view| view.state == TestState::Stopped).await;
        Ok(None)
    };
    tokio::select! {
        biased;
        result = own_test => result,
        () = gone(control) => {
            Err(Failure::new(Exit::Internal, anyhow!("the control thread has ended")))
        }
        () = interrupts.next() => Ok(stop(control, interrupts).await),
    }
}

/// Waits until the view is as wanted, for ever when the control thread has ended.
async fn wait_for(control: &Control, wanted: impl Fn(&View) -> bool) {
    let mut views = control.view.clone();
    if views.wait_for(|view| wanted(view)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Resolves when the control thread has ended.
async fn gone(control: &Control) {
    let mut views = control.view.clone();
    while views.changed().await.is_ok() {}
}

async fn start(control: &Control, args: &TestArgs) -> Result<(), Failure> {
    let request = SwarmRequest {
        user_count: args.users.unwrap_or(1),
        spawn_rate: args.spawn_rate.unwrap_or(1.0),
        host: args.host.clone(),
        run_time_s: args.run_time.map(|time| time.as_secs()),
        user_classes: None,
    };
    let answer = ask(control, |reply| Command::Swarm(request, reply)).await;
    answer.map(drop).map_err(|message| Failure::new(Exit::Settings, anyhow!(message)))
}

/// Stops the test and waits for its end; a second interrupt does not wait.
async fn stop(control: &Control, interrupts: &mut Interrupts) -> Option<Exit> {
    let busy = |view: &View| view.state.is_busy();
    if !busy(&control.view.borrow()) {
        return None;
    }
    tracing::info!("stopping the test; interrupt again to end at once");
    let stopped = async {
        if let Err(message) = ask(control, Command::Stop).await {
            tracing::warn!("{message}");
        }
        wait_for(control, |view| !busy(view)).await;
    };
    tokio::select! {
        biased;
        () = interrupts.next() => Some(Exit::Interrupted),
        () = stopped => None,
        () = gone(control) => None,
    }
}

async fn ask(
    control: &Control,
    command: impl FnOnce(oneshot::Sender<Answer>) -> Command,
) -> Answer {
    let (reply, answer) = oneshot::channel();
    let gone = || "the control thread has ended".to_owned();
    control.commands.send(command(reply)).await.map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

/// Why there is nothing to say about the target, if that is so.
fn why_nothing(summary: &Summary, args: &TestArgs) -> Option<String> {
    let wanted = args.headless || args.autostart;
    let never = wanted && summary.started_at.is_empty();
    let never = never.then(|| "no user was started: told to end before the test began".to_owned());
    summary.nothing_answered.clone().or(never)
}

/// What the result of the test means for the exit code.
fn verdict(outcome: &Outcome, args: &TestArgs) -> Exit {
    let summary = &outcome.summary;
    if summary.workers.iter().any(|worker| worker.lost) || !outcome.complete {
        Exit::SamplesMissing
    } else if why_nothing(summary, args).is_some() {
        Exit::NothingAnswered
    } else if summary.total.num_failures > 0 || !summary.exceptions.is_empty() {
        match args.exit_code_on_error {
            0 => Exit::Success,
            code => Exit::Failures(code),
        }
    } else {
        Exit::Success
    }
}
