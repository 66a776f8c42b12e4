//! The client against servers that send exact bytes, and against other people's servers.
//!
//! One binary: `server` is what all other modules use.

mod connections;
mod differential;
mod failures;
mod framing;
mod oracle;
mod queue;
mod raw;
mod recorded;
mod redirects;
mod requests;
mod resend;
mod server;
mod sizes;
mod sources;
mod tls;
mod trust;
