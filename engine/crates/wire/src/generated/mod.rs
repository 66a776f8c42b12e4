//! Code that capnpc generated from `schema/swarm.capnp`; `tests/schema.rs` keeps it current.

#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    missing_docs,
    unreachable_pub,
    unused,
    reason = "generated code is not ours to style"
)]
#[rustfmt::skip]
pub(crate) mod swarm_capnp;
