//! `swarm worker`: runs users for a master.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::time::Duration;

use swarm_guest::Runtime;
use swarm_node::worker::{MasterAddress, Worker, WorkerConfig, WorkerEnd};

use crate::cli::WorkerArgs;
use crate::exit::{Exit, Failure, OrExit};
use crate::scenario;
use crate::session::{interrupted, raise_file_limit};

pub(crate) fn run(args: WorkerArgs) -> Result<Exit, Failure> {
    raise_file_limit();
    let runtime = scenario::runtime(Some(args.task_cpu_limit))?;
    let (id, users, grace) = (args.id, args.max_users, args.master_grace);
    let config = config(&runtime, args.threads, id, users, args.master_max_wait, grace)?;
    let address = MasterAddress::Tcp { host: args.master_host, port: args.master_port };
    let worker = Worker::start(config, address);
    let mut worker = worker.or_exit(Exit::Internal, || "start the load threads".to_owned())?;
    let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let waiting = waiting.or_exit(Exit::Internal, || "set up a thread".to_owned())?;
    let end = waiting.block_on(async {
        tokio::select! {
            end = worker.ended() => return end,
            () = interrupted() => worker.leave(),
        }
        tracing::info!("leaving; interrupt again to end at once");
        tokio::select! {
            end = worker.ended() => end,
            () = interrupted() => WorkerEnd::Left,
        }
    });
    match end {
        WorkerEnd::Quit | WorkerEnd::Left => Ok(Exit::Success),
        WorkerEnd::Refused(reason) => {
            let error = anyhow::anyhow!("the master refused this worker: {reason}");
            Err(Failure::new(Exit::Refused, error))
        }
        WorkerEnd::Unreachable(reason) => {
            Err(Failure::new(Exit::Unreachable, anyhow::anyhow!(reason)))
        }
        WorkerEnd::Panicked => {
            Err(Failure::new(Exit::Internal, anyhow::anyhow!("the control thread has panicked")))
        }
    }
}

/// The settings of a worker.
pub(super) fn config(
    runtime: &Runtime,
    threads: Option<usize>,
    id: Option<String>,
    users_max: Option<u32>,
    master_max_wait: Duration,
    master_grace: Duration,
) -> Result<WorkerConfig, Failure> {
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let stream = RandomState::new().hash_one(1);
    Ok(WorkerConfig {
        id: id.unwrap_or_else(|| format!("{}_{:06x}", host_name(), stream & 0xff_ffff)),
        stream,
        threads: threads.unwrap_or_else(cores),
        users_max,
        master_max_wait,
        master_grace,
        runtime: runtime.clone(),
        cache_dir: scenario::cache_dir()?,
        module: None,
    })
}

/// The machine's name; an underscore in it would split the id at the wrong place.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().replace('_', "-");
    if name.is_empty() { "worker".to_owned() } else { name }
}
