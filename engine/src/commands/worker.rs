//! `swarm worker`: runs users for a master.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use swarm_core::limits::check_worker_id;
use swarm_guest::Runtime;
use swarm_node::worker::{MasterAddress, Trust, Worker, WorkerConfig, WorkerEnd};

use crate::cache::{self, CacheFolder};
use crate::cli::{SourceArgs, WorkerArgs};
use crate::exit::{Exit, Failure, OrExit};
use crate::processes::{self, Children, Output, Part, orphaned};
use crate::scenario;
use crate::secure;
use crate::session::{self, raise_file_limit};
use crate::signals::Interrupts;

pub(crate) fn run(args: WorkerArgs, interrupts: Interrupts) -> Result<Exit, Failure> {
    raise_file_limit();
    if args.part.is_none() && args.processes > 1 {
        // What a process would refuse is told once.
        source_addresses(&args.sources)?;
        secure::trust(&args.trust, &args.master_host)?;
        secure::allow_only(&args.trust)?;
        let id = args.id.as_deref().unwrap_or_default();
        let last = Part { index: args.processes - 1, count: args.processes, of: id.to_owned() };
        check_worker_id(&part_id(&last)).or_exit(Exit::Usage, || {
            format!("no ids for {} processes of --id {id:?}", args.processes)
        })?;
        return run_several(&args, interrupts);
    }
    let cache = CacheFolder::find();
    let runtime = scenario::runtime(&cache, Some(args.task_cpu_limit), false)?;
    let part = args.part.as_ref();
    let defaults = config(&runtime, &cache, &args.sources, part)?;
    let config = WorkerConfig {
        id: part.map(part_id).or(args.id).unwrap_or(defaults.id),
        threads: args.threads.unwrap_or(defaults.threads),
        users_max: args.max_users.map(|users| part.map_or(users, |part| part.share(users))),
        weight: args.weight,
        master_max_wait: args.master_max_wait,
        master_grace: args.master_grace,
        allow_only: secure::allow_only(&args.trust)?,
        trust: secure::trust(&args.trust, &args.master_host)?,
        ..defaults
    };
    let address = MasterAddress::Tcp { host: args.master_host, port: args.master_port };
    let worker = Worker::start(config, address);
    let worker = worker.or_exit(Exit::Internal, || "start the load threads".to_owned())?;
    match session::runtime()?.block_on(attend(worker, part.is_some(), interrupts)) {
        WorkerEnd::Quit | WorkerEnd::Left => Ok(Exit::Success),
        WorkerEnd::Unreported(reason) => {
            Err(Failure::new(Exit::SamplesMissing, anyhow::anyhow!(reason)))
        }
        WorkerEnd::Refused(reason) => {
            let error = anyhow::anyhow!("the master refused this worker: {reason}");
            Err(Failure::new(Exit::Refused, error))
        }
        WorkerEnd::Untrusted(reason) => {
            let error = anyhow::anyhow!("this worker does not take that master: {reason}");
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

/// Waits for the end of a worker, which may be told to leave. What it has left hanging then, such
/// as a name that is being resolved, ends with the process.
async fn attend(mut worker: Worker, is_part: bool, interrupts: Interrupts) -> WorkerEnd {
    let end = ended(&mut worker, is_part, interrupts).await;
    worker.abandon();
    end
}

async fn ended(worker: &mut Worker, is_part: bool, mut interrupts: Interrupts) -> WorkerEnd {
    let parent_gone = async {
        match is_part {
            true => orphaned().await,
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        end = worker.ended() => return end,
        () = interrupts.next() => {}
        () = parent_gone => {}
    }
    worker.leave();
    tracing::info!("leaving; interrupt again to end at once");
    tokio::select! {
        end = worker.ended() => end,
        () = interrupts.next() => WorkerEnd::Left,
    }
}

/// Runs as several processes, each a worker of its own, until all have ended.
fn run_several(args: &WorkerArgs, mut interrupts: Interrupts) -> Result<Exit, Failure> {
    let id = args.id.clone().unwrap_or_else(|| random_id(RandomState::new().hash_one(1)));
    // One for all of them, also when it is a private one.
    let cache = CacheFolder::find();
    let cache = cache.path().map(|path| (cache::VARIABLE, path.as_os_str()));
    session::runtime()?.block_on(async {
        let mut workers = Children::start(args.processes, &id, Output::Shared, cache)?;
        tracing::info!("worker {id} runs as {} processes", args.processes);
        let mut worst = Exit::Success;
        loop {
            tokio::select! {
                ended = workers.ended() => match ended {
                    Some(ended) => worst = workers.worse(worst, &ended),
                    None => return Ok(worst),
                },
                () = interrupts.next() => workers.signal(Signal::INT),
            }
        }
    })
}

/// The id of one of several processes.
fn part_id(part: &Part) -> String {
    format!("{}-{}", part.of, part.index + 1)
}

/// The settings of a worker that nobody has chosen otherwise.
pub(super) fn config(
    runtime: &Runtime,
    cache: &CacheFolder,
    sources: &SourceArgs,
    part: Option<&Part>,
) -> Result<WorkerConfig, Failure> {
    let stream = RandomState::new().hash_one(1);
    Ok(WorkerConfig {
        id: random_id(stream),
        stream,
        threads: processes::threads(part).get(),
        users_max: None,
        weight: 1,
        master_max_wait: Duration::ZERO,
        master_grace: Duration::MAX,
        runtime: runtime.clone(),
        cache_dir: cache.path().map(Path::to_owned),
        module: None,
        processes: part.map_or(1, |part| part.count),
        source_addresses: source_addresses(sources)?,
        allow_only: None,
        trust: Trust::default(),
    })
}

/// The addresses to connect from, which are this machine's.
fn source_addresses(sources: &SourceArgs) -> Result<Vec<IpAddr>, Failure> {
    let addresses: Vec<_> = sources.addresses.iter().flat_map(|some| some.0.clone()).collect();
    for address in &addresses {
        // No port is taken from the users by this: it is another protocol's.
        UdpSocket::bind((*address, 0)).or_exit(Exit::Settings, || {
            format!("cannot connect from {address} (--source-address)")
        })?;
    }
    Ok(addresses)
}

fn random_id(number: u64) -> String {
    format!("{}_{:06x}", host_name(), number & 0xff_ffff)
}

/// The machine's name; an underscore in it would split the id at the wrong place.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().replace('_', "-");
    if name.is_empty() { "worker".to_owned() } else { name }
}
