//! Masters and workers: joins the state machines to threads, sockets and guests.
//!
//! # Layout
//! - [`master`]: the control thread of a master, and what it tells and takes.
//! - [`worker`]: the control thread of a worker, which owns its load threads.
//! - `shard`: one load thread: its users, their timers, connections and samples.
//! - [`journal`]: what outlives a master's process.
//! - [`store`]: modules on disk, by digest.
//! - [`capacity`]: how many users a process can carry.
//! - `process`: CPU and memory of this process.
//!
//! A worker's control thread and its load threads share nothing but channels: a heartbeat is never
//! behind a guest's computing. `swarm run` is a master and a worker in one process, joined by the
//! same protocol over a connection in memory.
#![forbid(unsafe_code)]

pub mod capacity;
pub mod journal;
pub mod master;
mod process;
mod shard;
pub mod store;
pub mod worker;
