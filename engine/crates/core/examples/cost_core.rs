//! What `cargo xtask bench instructions` counts of this crate: a case, so many times.
//!
//! ```text
//! cost_core dispatch TIMES
//! ```

use std::hint::black_box;

use swarm_core::dispatch::{ClassShare, Dispatcher};
use swarm_core::plan::Population;

const WORKERS: u32 = 1_000;
const USERS: u32 = 100_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().ok_or("usage: cost_core dispatch TIMES")?;
    let times: u32 = arguments.next().ok_or("how many times?")?.parse()?;
    if case != "dispatch" {
        return Err(format!("there is no case `{case}`").into());
    }
    (0..times).for_each(|_| dispatch());
    Ok(())
}

/// From nobody to everybody, in one step, with what each worker is to be told.
fn dispatch() {
    let classes = [("Reader", 3.0), ("Buyer", 1.0)]
        .map(|(name, weight)| (name.to_owned(), Population::Weight(weight)))
        .map(|(name, population)| ClassShare { name, population });
    let mut dispatcher = Dispatcher::new(&classes);
    let workers: Vec<_> = (0..WORKERS).map(|worker| format!("worker-{worker}")).collect();
    workers.iter().for_each(|worker| dispatcher.add_worker(worker, None, 1));
    dispatcher.set_target(USERS, None);
    assert!(dispatcher.step(USERS), "there is room for everybody");
    for worker in &workers {
        black_box(dispatcher.placement(worker));
    }
}
