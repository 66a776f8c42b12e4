//! The Cap'n Proto protocol between master and workers: the only crate that knows capnp.
//!
//! A worker dials the master and [`connect`]s with what it is and a [`WorkerHandler`]; it gets a
//! [`Session`]. The master gives each accepted stream to [`serve_connection`] with its
//! [`MasterHandler`]; it gets a [`WorkerHandle`]. Everything else is plain data of `swarm-core`
//! and `swarm-stats`. Streams are anything that reads and writes: TCP, TLS, or a pair in memory.
//! All of it wants a current-thread tokio runtime, and [`connect`] a `LocalSet`.
//!
//! ```no_run
//! # use std::rc::Rc;
//! # use swarm_core::message::{Order, WorkerInfo};
//! struct Agent;
//!
//! impl swarm_wire::WorkerHandler for Agent {
//!     async fn order(&self, order: Order) {
//!         println!("order {}", order.number);
//!     }
//!
//!     fn quit(&self, reason: String) {
//!         println!("asked to end: {reason}");
//!     }
//! }
//!
//! # async fn run(info: WorkerInfo) -> Result<(), Box<dyn std::error::Error>> {
//! let stream = tokio::net::TcpStream::connect("127.0.0.1:5557").await?;
//! let (session, accepted) = swarm_wire::connect(stream, &info, Rc::new(Agent)).await?;
//! println!("worker {}", accepted.worker_index);
//! println!("ended: {}", session.closed().await);
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//! - `server`: [`serve_connection`]; `server/session.rs` what a worker may call,
//!   `server/orders.rs` the way to a worker.
//! - `client`: [`connect`] and [`Session`]; `client/sink.rs` where a module arrives.
//! - `codec`: checked conversion of every message, a file each.
//! - [`auth`]: join tokens; [`tls`]: encryption and certificates; [`door`]: what a fresh
//!   connection turns out to be. `version`: which protocol two sides have in common.
//! - [`limits`]: what each side accepts, by name.
//! - [`error`]: what can go wrong.
//! - `driver`, `network`, `stream`, `end`: one connection under capnp-rpc, from its bytes to its
//!   end.
//! - `generated`: what capnpc makes of `schema/swarm.capnp`, checked in, so that a build needs no
//!   schema compiler.
//!
//! # Trust
//! Neither side believes what it reads. A peer that is not registered may send a few small
//! messages within [`limits::REGISTER_TIMEOUT`]; what is not Cap'n Proto ends the connection with
//! a logged reason. A registered peer is held to [`limits`] in every list, text, number, queue,
//! and in how many calls it makes at a time and in a row. What a field says wrongly fails that
//! call, naming the field; what breaks the RPC protocol ends the connection.
//!
//! # Compatibility
//! Each end speaks the protocols from
//! [`PROTOCOL_OLDEST`](swarm_core::message::PROTOCOL_OLDEST) to
//! [`PROTOCOL_VERSION`](swarm_core::message::PROTOCOL_VERSION). The worker tells its range, the
//! master chooses the newest that both speak before it reads anything else, or refuses with both
//! sides' ranges in the reason. So these are frozen for ever: `Master.register` (its interface
//! id, its number, its two parameters), `WorkerInfo.protocol` and `protocolOldest` as fields 0 and
//! 7, and `Registration.refused` as field 0. Conversations of each protocol that is still spoken
//! are in `tests/recorded/` and are replayed against both ends.
//!
//! Without a new number, one may
//! - append a field to a structure, when its default of 0, empty or `none` means "as before";
//! - append a method, when the side that calls it can live with "unimplemented";
//! - raise a limit on the reading side first.
//!
//! A new number is due when one appends a member to a union or an enum, changes what a field
//! means, lowers a limit, or adds a field that must not be overlooked. Never: renumber or reuse a
//! field, change its type, change an id.
//!
//! After a change of the schema, and before code uses it, run `SWARM_BLESS=1 cargo test --release
//! -p swarm-wire --test schema`; it needs the `capnp` tool (Debian: `capnproto` and
//! `libcapnp-dev`).
#![forbid(unsafe_code)]

pub mod auth;
mod client;
mod codec;
pub mod door;
mod driver;
mod end;
pub mod error;
#[cfg(fuzzing)]
pub mod fuzz;
mod generated;
pub mod limits;
mod network;
mod server;
mod stream;
pub mod tls;
mod version;

use swarm_core::message::Digest;

pub use auth::{Secret, Token};
pub use client::{Session, WorkerHandler, connect, connect_guarded};
pub use error::{ConnectError, FieldError, WireError};
pub use server::{Delivery, MasterHandler, WorkerHandle, serve_connection, serve_guarded};

/// The master's answer to a worker that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The master's clock in milliseconds.
    pub master_time_ms: u64,
    /// The worker's number among those of this master, from 0 on.
    pub worker_index: u32,
    /// Version of the master's program.
    pub version: String,
    /// The module of the present test, if there is one: to be fetched before an order needs it.
    pub module: Option<ModuleInfo>,
    /// What the module finds in its environment: names and values, which are secret.
    pub environment: Vec<(String, String)>,
}

/// What to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleInfo {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}
