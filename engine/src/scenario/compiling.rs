//! Compiling what takes long: it is told, people see that it goes on, and the page answers.

use std::future::pending;
use std::time::Duration;

use anyhow::anyhow;
use swarm_guest::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, interval};

use super::{Loaded, Source};
use crate::exit::{Exit, Failure, OrExit};
use crate::session::{self, Page};
use crate::signals::Interrupts;
use crate::terminal::Terminal;

/// How often it is shown that it goes on.
const SHOWN_INTERVAL: Duration = Duration::from_secs(1);

/// Compiles and questions a scenario. When that takes long, `page` answers meanwhile, and an
/// interrupt ends it; without `interrupts` that ends the process by itself.
pub(crate) fn load(
    source: Source,
    runtime: &Runtime,
    terminal: &Terminal,
    interrupts: Option<&mut Interrupts>,
    page: Option<&Page>,
) -> Result<Loaded, Failure> {
    if !source.is_slow {
        return source.compile(runtime);
    }
    let megabytes = source.bytes.len() as f64 / 1e6;
    let what = format!("{} ({megabytes:.1} MB)", source.name);
    let begin = Instant::now();
    if !terminal.report.is_terminal() {
        tracing::info!("compiling {what}, once for this machine; it may take a minute");
    }
    let (done, result) = oneshot::channel();
    let compiling = {
        let runtime = runtime.clone();
        // Nobody waits any more after an interrupt.
        move || drop(done.send(source.compile(&runtime)))
    };
    let thread = std::thread::Builder::new().name("compile".into()).spawn(compiling);
    thread.or_exit(Exit::Internal, || "start a thread to compile".to_owned())?;
    let loaded = session::runtime()?.block_on(async {
        let (say, said) = watch::channel(waiting_text(begin));
        let (close_page, closed) = oneshot::channel();
        let page = page.map(|page| page.open_waiting(said, closed)).transpose()?;
        let loaded = tokio::select! {
            biased;
            loaded = result => loaded.unwrap_or_else(|_| {
                Err(Failure::new(Exit::Internal, anyhow!("compiling the scenario has panicked")))
            }),
            () = interrupted(interrupts) => {
                let error = anyhow!("interrupted before the scenario was compiled");
                Err(Failure::new(Exit::Interrupted, error))
            }
            () = show(&what, begin, &say, terminal) => pending().await,
        };
        drop(close_page);
        if let Some(page) = page {
            // It ends soon after the drop.
            let _ = page.await;
        }
        loaded
    });
    terminal.report.live(Vec::new());
    if loaded.is_ok() {
        let seconds = begin.elapsed().as_secs_f32();
        tracing::info!("compiled {what} in {seconds:.1} s");
    }
    loaded
}

async fn interrupted(interrupts: Option<&mut Interrupts>) {
    match interrupts {
        Some(interrupts) => interrupts.next().await,
        None => pending().await,
    }
}

/// Shows that it goes on, for ever.
async fn show(what: &str, begin: Instant, say: &watch::Sender<String>, terminal: &Terminal) {
    let mut ticks = interval(SHOWN_INTERVAL);
    loop {
        ticks.tick().await;
        let seconds = begin.elapsed().as_secs();
        terminal
            .report
            .live(vec![format!("compiling {what}, once for this machine ... {seconds} s")]);
        say.send_replace(waiting_text(begin));
    }
}

/// What the page says of compiling that began then.
fn waiting_text(begin: Instant) -> String {
    let seconds = begin.elapsed().as_secs();
    format!("The scenario is being compiled, since {seconds} s. This page opens by itself.")
}
