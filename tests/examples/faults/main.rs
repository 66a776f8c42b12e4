//! What faults do to a real cluster on real networks: `cargo xtask faults`, by hand, as root, on a
//! machine that does nothing else.
//!
//! A master, a target and eight workers run in network namespaces of their own, which this program
//! makes and deletes. Each fault has a fresh cluster: it runs on a plateau, the fault happens, the
//! cluster recovers, the test is stopped in order, and what was reported is held against what the
//! target has counted. Prints a table as Markdown; ends with 1 if swarm missed a bar.
//!
//! # Layout
//! - `options`: the command line. `fault`: the faults, and what is wanted of each.
//! - `network`: hosts, cables, loss. `delay`: a proxy that holds bytes back.
//! - `cluster`: target, master and workers of swarm or Locust. `page`: what the master says.
//! - `watch`: what is seen at the target, and the page beside it. `series`: figures of that.
//! - `run`: one fault, from the start of the cluster to its end. `happen`: the faults themselves.
//! - `outcome`: what is known then, and the bars. `table`: rows, and the document.

mod cluster;
mod delay;
mod fault;
mod happen;
mod network;
mod options;
mod outcome;
mod page;
mod run;
mod series;
mod table;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use cluster::WORKERS;
use network::Network;
use options::{HELP, Options};
use table::{Row, Table};

/// How often it is looked whether somebody wants this program to end.
const LOOK: Duration = Duration::from_millis(50);
/// As shells say it.
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let options = match swarm_tests::options(HELP, Options::parse) {
        Ok(options) => options,
        Err(code) => return code,
    };
    // The first time it starts itself again, within the namespace between the hosts.
    let network = match Network::enter() {
        Ok(network) => network,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::FAILURE;
        }
    };
    end_when_asked(network.clone());
    let met = catch_unwind(AssertUnwindSafe(|| all(&network, &options))).unwrap_or(false);
    network.remove();
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every fault, with every tool. Whether swarm has met its bars.
fn all(network: &Network, options: &Options) -> bool {
    network.build(WORKERS);
    let mut table = Table::default();
    let mut met = true;
    for fault in &options.faults {
        for tool in &options.tools {
            eprintln!("## {}, {}", fault.name(), tool.name());
            // The harness panics where something does not work at all. Other faults may.
            let run = AssertUnwindSafe(|| run::run(network, *tool, *fault, options));
            let row = match catch_unwind(run) {
                Ok(outcome) => Row::of(&outcome),
                Err(_) => Row::failed(*fault, *tool),
            };
            network.heal();
            met &= row.met;
            for missed in &row.missed {
                eprintln!("MISSED: {missed}");
            }
            table.rows.push(row);
        }
    }
    println!("{}", table.text(options));
    if options.write
        && let Err(message) = table.write(options)
    {
        eprintln!("error: {message}");
        return false;
    }
    met
}

/// Ends the program when somebody wants it to. The children follow: their guards see to that.
fn end_when_asked(network: Network) {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).expect("signals can be caught");
    }
    std::thread::spawn(move || {
        while !flag.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
        }
        eprintln!("interrupted");
        network.remove();
        std::process::exit(INTERRUPTED);
    });
}
