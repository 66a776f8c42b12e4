//! `swarm run`: master, worker and page in one process.

use std::time::Duration;

use swarm_node::capacity::{self, Capacity};
use swarm_node::master::{Master, MasterConfig, Workers};
use swarm_node::worker::{MasterAddress, Worker, WorkerConfig};
use tokio::sync::mpsc;

use crate::cli::{RunArgs, TestArgs};
use crate::commands::{master, worker};
use crate::exit::{Exit, Failure, OrExit};
use crate::output::Files;
use crate::scenario::{self, Loaded};
use crate::secure;
use crate::session::{self, Expected, raise_file_limit};

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    raise_file_limit();
    let runtime = scenario::runtime(Some(args.task_cpu_limit), args.component_layer)?;
    let loaded = scenario::load(&runtime, args.scenario.as_deref())?;
    let module = loaded.module.clone();
    let workers = worker::config(&runtime, &args.sources, None)?.with_module(module);
    let workers = WorkerConfig { threads: args.threads.unwrap_or(workers.threads), ..workers };
    let capacity = capacity(&loaded, &workers, &args.test)?;
    let config = master::config(loaded, &args.test)?;
    let config = MasterConfig { capacity: Some(capacity), ..config };
    let page = secure::page(&args.test)?;
    let files = Files::open(&args.test)?;
    let page = session::bind_page(&args.test, page)?;

    // The worker's end of the connection in memory arrives here as a socket's would.
    let (dial, dialled) = mpsc::channel(1);
    let master = Master::start(config, Workers::InProcess(dialled), None);
    let master = master.or_exit(Exit::Internal, || "start the control thread".to_owned())?;
    let worker = Worker::start(workers, MasterAddress::InProcess(dial));
    let worker = worker.or_exit(Exit::Internal, || "start the load threads".to_owned())?;

    let expected = Expected { workers: 1, max_wait: Duration::ZERO };
    let exit = session::conduct(master, page, &args.test, expected, files);
    // Its users have ended with the test; the master that asked for them is gone.
    drop(worker);
    exit
}

/// How many users this process can carry; refuses a test that starts by itself with more.
fn capacity(loaded: &Loaded, config: &WorkerConfig, args: &TestArgs) -> Result<Capacity, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.or_exit(Exit::Internal, || "set up a thread".to_owned())?;
    let measured = runtime.block_on(capacity::measure(&loaded.module, &loaded.plan));
    let capacity = measured.capacity(config.setting(), args.connections);
    if args.headless || args.autostart {
        let admitted = capacity.admit(args.users.unwrap_or(1));
        admitted.map_err(|error| Failure::new(Exit::Settings, error))?;
    }
    Ok(capacity)
}
