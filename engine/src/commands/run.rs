//! `swarm run`: master, worker and page in one process.

use std::sync::Arc;
use std::time::Duration;

use swarm_node::capacity::{self, Capacity};
use swarm_node::master::{Master, Workers};
use swarm_node::worker::{MasterAddress, Worker, WorkerConfig};
use tokio::sync::mpsc;

use crate::cache::CacheFolder;
use crate::cli::{RunArgs, TestArgs};
use crate::commands::{master, worker};
use crate::exit::{Exit, Failure, OrExit};
use crate::scenario::{self, Loaded, Source};
use crate::session::{self, Expected, Front, Session, raise_file_limit};
use crate::signals::Interrupts;
use crate::terminal::Terminal;

pub(crate) fn run(
    args: &RunArgs,
    terminal: &Terminal,
    mut interrupts: Interrupts,
) -> Result<Exit, Failure> {
    raise_file_limit();
    let cache = CacheFolder::find();
    let runtime = scenario::runtime(&cache, Some(args.task_cpu_limit), args.component_layer)?;
    let source = Source::read(&runtime, args.scenario.as_deref())?;
    let source = source.with_environment(&args.test.env)?;
    let mut front = Front::open(&args.test, &source)?;
    let loaded = front.load(source, &runtime, terminal, &mut interrupts)?;
    let module = loaded.module.clone();
    let workers = worker::config(&runtime, &cache, &args.sources, None)?.with_module(module);
    let workers = WorkerConfig { threads: args.threads.unwrap_or(workers.threads), ..workers };
    let capacity = capacity(&loaded, &workers, &args.test)?;
    let mut config = master::config(loaded, &args.test)?;
    // Nobody fetches the module, and that of a script has some 35 MB.
    config.module = Arc::default();
    config.capacity = Some(capacity);
    let (page, files) = front.ready(&args.test)?;

    // The worker's end of the connection in memory arrives here as a socket's would.
    let (dial, dialled) = mpsc::channel(1);
    let master = Master::start(config, Workers::InProcess(dialled), None);
    let master = master.or_exit(Exit::Internal, || "start the control thread".to_owned())?;
    let worker = Worker::start(workers, MasterAddress::InProcess(dial));
    let worker = worker.or_exit(Exit::Internal, || "start the load threads".to_owned())?;

    Session {
        master,
        worker: Some(worker),
        page,
        args: &args.test,
        expected: Expected { workers: 1, max_wait: Duration::ZERO, address: None },
        files,
        terminal,
        interrupts,
    }
    .conduct()
}

/// How many users this process can carry; refuses a test that starts by itself with more.
fn capacity(loaded: &Loaded, config: &WorkerConfig, args: &TestArgs) -> Result<Capacity, Failure> {
    let measured = session::runtime()?.block_on(capacity::measure(&loaded.module, &loaded.plan));
    let capacity = measured.capacity(config.setting(), args.connections);
    if args.headless || args.autostart {
        let admitted = capacity.admit(args.users.unwrap_or(1));
        admitted.map_err(|error| Failure::new(Exit::Settings, error))?;
    }
    Ok(capacity)
}
