//! The harness for tests of the real binary: real processes, real sockets, ports that are free.
//!
//! ```no_run
//! use swarm_tests::{Swarm, scenario};
//!
//! let swarm = Swarm::new();
//! let target = swarm.target(&[]);
//! let master = swarm.master(&scenario("website"), &["--host", &target.url()]);
//! let worker = swarm.worker(&master, &["--threads", "1"]);
//! master.page().wait_for_workers(1);
//! master.page().start(10, 10.0);
//! target.wait_for_requests(100);
//! master.page().stop();
//! ```
//!
//! Everything here panics when something is not as it should be, with the place in the test, and
//! every process then prints its last lines. No process outlives its test: it is killed when its
//! handle is dropped, and by a guard when the test's process is itself killed.
//!
//! # Layout
//!
//! - [`Swarm`]: one test's surroundings, which starts everything else; handles of the parts.
//! - [`Process`] and [`Lines`]: a child, what it printed, how it ended. [`Streams`], [`in_shell`],
//!   [`Terminal`]: what else it may print to.
//! - [`Server`]: a server that does with each request what a test says.
//! - [`Page`]: the web interface as a client sees it; [`get`] and [`post`]: plain requests.
//! - [`scenario`], [`runtime`], [`binary`]: what has to be built before; [`python_tool`]: what has
//!   to be installed.
//! - [`markdown`]: tables of figures. [`options`], [`processor`]: for what is run by hand.
//! - [`Network`]: a test in a network of its own. [`Dns`]: a name server for it.
//! - [`wait_until`], [`wait_for`]: waiting for what takes a while.

mod built;
mod by_hand;
mod dns;
mod http;
mod lines;
mod markdown;
mod network;
mod page;
mod process;
mod server;
mod swarm;
mod terminal;
mod wait;

pub use built::{binary, python_tool, runtime, scenario};
pub use by_hand::{options, processor};
pub use dns::{Answer, Dns};
pub use http::{Response, get, post, request};
pub use lines::Lines;
pub use markdown::markdown;
pub use network::Network;
pub use page::Page;
pub use process::{Process, Signal, Streams, in_shell};
pub use server::{Fate, Received, Server};
pub use swarm::{Master, Run, Swarm, Target, Worker};
pub use terminal::Terminal;
pub use wait::{PATIENCE, wait_for, wait_until};
