//! The client against servers that send exact bytes, and against other people's servers.
//!
//! One binary: `server` is what all other modules use.

mod connections;
mod failures;
mod framing;
mod oracle;
mod redirects;
mod requests;
mod server;
mod tls;
