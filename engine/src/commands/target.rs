//! `swarm target`: the demo server.

use std::num::NonZeroUsize;

use swarm_target::{Target, TargetConfig};

use crate::cli::TargetArgs;
use crate::exit::{Exit, Failure};
use crate::session::{interrupted, raise_file_limit};

pub(crate) fn run(args: &TargetArgs) -> Result<Exit, Failure> {
    raise_file_limit();
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let config = TargetConfig {
        host: args.host.clone(),
        port: args.port,
        threads: args.threads.and_then(NonZeroUsize::new).unwrap_or_else(cores),
    };
    let target = Target::bind(&config).map_err(|error| Failure::new(Exit::Bind, error))?;
    println!("target listening on http://{}", target.local_addr());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Internal, error))?;
    let served = runtime.block_on(target.run(interrupted()));
    served.map_err(|error| Failure::new(Exit::Internal, error))?;
    Ok(Exit::Success)
}
