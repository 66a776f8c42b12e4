//! A target to measure: `cargo run --release -p swarm-target --example serve -- PORT THREADS`.
//!
//! To compare it with another server, give each one core and the generator the other:
//!
//! ```sh
//! taskset -c 0 target/release/examples/serve 8080 1 &
//! taskset -c 1 wrk --threads 1 --connections 64 --duration 10s http://127.0.0.1:8080/
//! ```
//!
//! `wrk` needs more time for a request than the target does, so its rate says little about either
//! server. Compare the processor time that each took, fields 14 and 15 of `/proc/PID/stat` in
//! ticks, for the requests that `wrk` reports.

use std::error::Error;
use std::io::{self, Write};
use std::num::NonZeroUsize;

use swarm_target::{Target, TargetConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().map_or(Ok(8080), |port| port.parse())?;
    let threads = arguments.next().map_or(Ok(NonZeroUsize::MIN), |threads| threads.parse())?;
    let target = Target::bind(&TargetConfig { host: "127.0.0.1".to_owned(), port, threads })?;
    let mut stdout = io::stdout();
    writeln!(stdout, "target listening on http://{}", target.local_addr())?;
    stdout.flush()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(target.run(async {
        // Without a signal handler there is only the default: the process ends.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }))?;
    Ok(())
}
