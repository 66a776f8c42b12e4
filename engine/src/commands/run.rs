//! `swarm run`: master, worker and page in one process.

use std::time::Duration;

use swarm_node::master::{Master, Workers};
use swarm_node::worker::{MasterAddress, Worker};
use tokio::sync::mpsc;

use crate::cli::RunArgs;
use crate::commands::{master, worker};
use crate::exit::{Exit, Failure, OrExit};
use crate::output::Files;
use crate::scenario;
use crate::session::{self, Expected, raise_file_limit};

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    raise_file_limit();
    let runtime = scenario::runtime(Some(args.task_cpu_limit))?;
    let loaded = scenario::load(&runtime, args.scenario.as_deref())?;
    let module = loaded.module.clone();
    let config = master::config(loaded, &args.test)?;
    let files = Files::open(&args.test)?;
    let page = session::bind_page(&args.test)?;

    // The worker's end of the connection in memory arrives here as a socket's would.
    let (dial, dialled) = mpsc::channel(1);
    let master = Master::start(config, Workers::InProcess(dialled));
    let master = master.or_exit(Exit::Internal, || "start the control thread".to_owned())?;
    let config = worker::config(&runtime, args.threads, None, None, Duration::ZERO, Duration::MAX)?;
    let worker = Worker::start(config.with_module(module), MasterAddress::InProcess(dial));
    let worker = worker.or_exit(Exit::Internal, || "start the load threads".to_owned())?;

    let expected = Expected { workers: 1, max_wait: Duration::ZERO };
    let exit = session::conduct(master, page, &args.test, expected, files);
    // Its users have ended with the test; the master that asked for them is gone.
    drop(worker);
    exit
}
