//! A master's life around its tests: the page, headless runs, interrupts, and the end.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use swarm_node::journal::Found;
use swarm_node::master::{Master, Outcome};
use swarm_web::view::{Answer, Command, Control, SwarmRequest, TestState, View};
use swarm_web::{WebOptions, serve};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cli::TestArgs;
use crate::console::{self, Console};
use crate::exit::{Exit, Failure, OrExit};
use crate::output::Files;

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

/// Resolves when the process is told to end, by Ctrl-C or SIGTERM.
pub(crate) async fn interrupted() {
    let streams = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = streams else {
        tracing::error!("signals cannot be watched: this process ends by SIGKILL alone");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// The web page: where, and how it is offered.
pub(crate) struct Page {
    listener: TcpListener,
    options: WebOptions,
}

/// Opens the port of the web page, if there is one.
pub(crate) fn bind_page(
    args: &TestArgs,
    options: Option<WebOptions>,
) -> Result<Option<Page>, Failure> {
    let Some(options) = options else { return Ok(None) };
    let (host, port) = (args.web_host.as_str(), args.web_port);
    let other = "choose another with --web-port, or --headless for no page";
    let listener = bind(host, port, "the web page", other)?;
    Ok(Some(Page { listener, options }))
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

/// When a test that starts by itself starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) workers: u32,
    /// 0 waits for ever.
    pub(crate) max_wait: Duration,
}

/// Runs a master to its end: serves the page, starts by itself if asked to, prints and writes.
pub(crate) fn conduct(
    master: Master,
    page: Option<Page>,
    args: &TestArgs,
    expected: Expected,
    mut files: Files,
) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.or_exit(Exit::Internal, || "set up a thread".to_owned())?;
    let (control, found) = (master.control(), master.found());
    let ended = runtime.block_on(attend(control, found, page, args, expected, &mut files));
    let outcome = master.finish();
    let ended = ended?;
    console::finish(&outcome.summary);
    files.finish(&outcome)?;
    let exit = ended.unwrap_or_else(|| verdict(&outcome, args));
    let why = outcome.summary.nothing_answered.clone();
    outcome.given();
    match why.filter(|_| exit == Exit::NothingAnswered) {
        Some(why) => Err(Failure::new(exit, anyhow!(why))),
        None => Ok(exit),
    }
}

/// Serves and waits until the program shall end. An exit if it is not the test's result.
async fn attend(
    control: Control,
    found: Found,
    page: Option<Page>,
    args: &TestArgs,
    expected: Expected,
    files: &mut Files,
) -> Result<Option<Exit>, Failure> {
    let (close_page, closed) = oneshot::channel::<()>();
    let page = page.map(|page| open_page(page, control.clone(), closed)).transpose()?;
    let mut console = Console::default();
    let mut ticks = tokio::time::interval(TICK);
    let done = until_done(&control, found, args, expected);
    tokio::pin!(done);
    let result = loop {
        tokio::select! {
            biased;
            result = &mut done => break result,
            _ = ticks.tick() => {
                let view = Arc::clone(&control.view.borrow());
                console.tick(&view);
                files.tick(&view);
            }
        }
    };
    drop(close_page);
    if let Some(page) = page {
        // It ends soon after the drop; an error of its own has been logged.
        let _ = page.await;
    }
    result
}

/// Waits for the test that starts by itself, and for the user to end the program.
async fn until_done(
    control: &Control,
    found: Found,
    args: &TestArgs,
    expected: Expected,
) -> Result<Option<Exit>, Failure> {
    let own_test = async {
        // A test that an earlier master has left is the one that was asked for.
        if (args.headless || args.autostart) && found == Found::Nothing {
            wait_for_workers(control, expected).await?;
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
        () = interrupted() => Ok(stop(control).await),
    }
}

/// Waits until the view is as wanted. Returns as well when the control thread has ended.
async fn wait_for(control: &Control, wanted: impl Fn(&View) -> bool) {
    let mut views = control.view.clone();
    // An error says that there will be no other view.
    let _ = views.wait_for(|view| wanted(view)).await;
}

async fn wait_for_workers(control: &Control, expected: Expected) -> Result<(), Failure> {
    let able = |view: &View| view.workers.iter().filter(|worker| worker.state.is_able()).count();
    let wanted = expected.workers as usize;
    let there = wait_for(control, |view| able(view) >= wanted);
    if expected.max_wait.is_zero() {
        there.await;
    } else if tokio::time::timeout(expected.max_wait, there).await.is_err() {
        let came = able(&control.view.borrow());
        let waited = expected.max_wait.as_secs_f32();
        let error = anyhow!(
            "{came} of {wanted} expected workers were ready after {waited} s \
             (--expect-workers, --expect-workers-max-wait)"
        );
        return Err(Failure::new(Exit::WorkersMissing, error));
    }
    Ok(())
}

async fn start(control: &Control, args: &TestArgs) -> Result<(), Failure> {
    let request = SwarmRequest {
        user_count: args.users.unwrap_or(1),
        spawn_rate: args.spawn_rate.unwrap_or(1.0),
        host: args.host.clone(),
        run_time_s: args.run_time.map(|time| time.as_secs()),
    };
    let answer = ask(control, |reply| Command::Swarm(request, reply)).await;
    answer.map(drop).map_err(|message| Failure::new(Exit::Settings, anyhow!(message)))
}

/// Stops the test and waits for its end; a second interrupt does not wait.
async fn stop(control: &Control) -> Option<Exit> {
    let busy = |view: &View| view.state.is_busy();
    if !busy(&control.view.borrow()) {
        return None;
    }
    tracing::info!("stopping the test; interrupt again to end at once");
    tokio::select! {
        biased;
        () = interrupted() => Some(Exit::Interrupted),
        () = async {
            if let Err(message) = ask(control, Command::Stop).await {
                tracing::warn!("{message}");
            }
            wait_for(control, |view| !busy(view)).await;
        } => None,
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

/// What the result of the test means for the exit code.
fn verdict(outcome: &Outcome, args: &TestArgs) -> Exit {
    let summary = &outcome.summary;
    if summary.workers.iter().any(|worker| worker.lost) || !outcome.complete {
        Exit::SamplesMissing
    } else if summary.nothing_answered.is_some() {
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

fn open_page(
    page: Page,
    control: Control,
    closed: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>, Failure> {
    let Page { listener, options } = page;
    let listener = tokio::net::TcpListener::from_std(listener);
    let listener = listener.or_exit(Exit::Bind, || "cannot open the web page".to_owned())?;
    if let Ok(address) = listener.local_addr() {
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        tracing::info!("web interface on {scheme}://{address}");
    }
    Ok(tokio::spawn(async move {
        let shutdown = async { drop(closed.await) };
        if let Err(error) = serve(listener, control, options, shutdown).await {
            tracing::error!("the web page ended: {error}");
        }
    }))
}
