//! What `cargo xtask bench instructions` counts of this crate: a case, so many times.
//!
//! ```text
//! SWARM_CACHE_DIR=FOLDER cost_guest call TIMES URL COMPONENT
//! ```
//! The component's user runs a task that does nothing as often as its id says, and finishes. Its
//! compiled code is in the folder after the first time: compiling must not be counted.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use swarm_client::ClientConfig;
use swarm_core::message::Settings;
use swarm_guest::{
    Clock, Ended, Module, Record, Runtime, RuntimeConfig, Shard, Stopper, Test, user,
};
use swarm_stats::Limits;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().ok_or("usage: cost_guest call TIMES URL COMPONENT")?;
    let times: u32 = arguments.next().ok_or("how many times?")?.parse()?;
    let host = arguments.next().ok_or("which URL?")?;
    let component = std::fs::read(arguments.next().ok_or("which component?")?)?;
    if case != "call" {
        return Err(format!("there is no case `{case}`").into());
    }
    let cache_dir = std::env::var_os("SWARM_CACHE_DIR").map(PathBuf::from);
    let runtime = Runtime::new(RuntimeConfig { cache_dir, ..RuntimeConfig::default() })?;
    let module = Module::compile(&runtime, &component)?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plan = tokio.block_on(module.describe())?;
    let clock = Arc::new(Clock::new());
    let settings =
        Settings { host: Some(host), seed: 1, request_timeout_ms: 60_000, ..Settings::default() };
    let test =
        Test::new(module, &plan, settings, Arc::clone(&clock), 0, ClientConfig::default(), 0)?;
    let record = Record::new(Limits::default(), Arc::clone(&clock));
    let shard = Rc::new(Shard::new(&test, record));
    let (_stopper, stop) = Stopper::new();
    let life = user::run(shard, times, 0, clock.now(), stop, || ());
    let local = tokio::task::LocalSet::new();
    match local.block_on(&tokio, life) {
        Ended::Finished => Ok(()),
        Ended::Stopped => Err("the user was stopped".into()),
    }
}
