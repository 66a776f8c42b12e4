//! `swarm target`: the demo server.

use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ChildStdout;
use std::time::Duration;

use anyhow::anyhow;
use swarm_target::{Gather, Hold, Member, Running, Target, TargetConfig, TargetError};
use tokio::sync::mpsc;

use crate::cli::TargetArgs;
use crate::exit::{Exit, Failure, OrExit};
use crate::processes::{self, Children, Output, Part};
use crate::session::{self, raise_file_limit};
use crate::signals::Interrupts;
use crate::terminal::Terminal;

/// Lines of the processes that may wait for the parent; a process waits then.
const LINES_MAX: usize = 64;

/// How long processes may take to end.
const END_MAX: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &TargetArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    raise_file_limit();
    let threads = args.threads.and_then(NonZeroUsize::new);
    let threads = threads.unwrap_or_else(|| processes::threads(args.part.as_ref()));
    if let Some(part) = &args.part {
        return serve_part(part, threads);
    }
    let mut interrupts = Interrupts::watch(terminal)?;
    let runtime = session::runtime()?;
    if args.processes > 1 {
        return runtime.block_on(serve_several(args, terminal, interrupts));
    }
    let config = TargetConfig { host: args.host.clone(), port: args.port, threads };
    let target = Target::bind(&config).map_err(|error| Failure::new(Exit::Bind, error))?;
    terminal.report.print(format!("target listening on http://{}\n", target.local_addr()));
    let served = runtime.block_on(target.run(async move { interrupts.next().await }));
    served.map_err(internal)?;
    Ok(Exit::Success)
}

fn internal(error: impl Into<anyhow::Error>) -> Failure {
    Failure::new(Exit::Internal, error)
}

/// Serves from several processes until interrupted, or until one of them ends: its counts are lost
/// then, and a sum without them would be false.
async fn serve_several(
    args: &TargetArgs,
    terminal: &Terminal,
    mut interrupts: Interrupts,
) -> Result<Exit, Failure> {
    let hold = Hold::bind(&args.host, args.port);
    let hold = hold.map_err(|error| Failure::new(Exit::Bind, error))?;
    let address = hold.local_addr();
    let mut children = Children::start(args.processes, &address.to_string(), Output::Piped, None)?;
    let (lines, mut said) = mpsc::channel(LINES_MAX);
    let mut pipes: Vec<Box<dyn Write + Send>> = Vec::new();
    for (index, (input, output)) in children.take_pipes().into_iter().enumerate() {
        pipes.push(Box::new(input));
        listen(index, output, lines.clone()).map_err(internal)?;
    }
    let mut gather = Gather::new(pipes);
    let mut announced = false;
    let ended = loop {
        tokio::select! {
            () = interrupts.next() => break None,
            ended = children.ended() => break ended,
            Some((index, line)) = said.recv() => gather.line(index, &line).map_err(internal)?,
        }
        if gather.is_ready() && !announced {
            announced = true;
            terminal.report.print(format!("target listening on http://{address}\n"));
        }
    };
    // Their pipes close: that is the sign to end.
    drop(gather);
    let first = ended.map(|ended| children.worse(Exit::Success, &ended));
    let all = tokio::time::timeout(END_MAX, children.all_ended()).await;
    match first {
        Some(exit) => Err(Failure::new(
            if exit == Exit::Success { Exit::Internal } else { exit },
            anyhow!("a process of the target has ended, and what it counted is lost"),
        )),
        None => Ok(all.unwrap_or(Exit::Internal)),
    }
}

/// Passes on what a process says, line by line.
fn listen(
    index: usize,
    output: ChildStdout,
    lines: mpsc::Sender<(usize, String)>,
) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name(format!("process-{}", index + 1));
    let reading = move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // The other side has ended, and so will the process.
            if lines.blocking_send((index, line)).is_err() {
                return;
            }
        }
    };
    thread.spawn(reading).map(drop)
}

/// Serves as one of several processes until the parent ends it, or is gone.
fn serve_part(part: &Part, threads: NonZeroUsize) -> Result<Exit, Failure> {
    let address = part.of.parse::<SocketAddr>();
    let address = address.or_exit(Exit::Usage, || format!("the part {part}"))?;
    let serve = || -> Result<Running, TargetError> {
        Target::join(address, threads)?.spawn_member(Member::new(Box::new(stdout())))
    };
    let running = serve().map_err(|error| Failure::new(Exit::Bind, error))?;
    let attended = running.attend(BufReader::new(stdin()));
    running.stop().map_err(internal)?;
    attended.map_err(internal)?;
    Ok(Exit::Success)
}
