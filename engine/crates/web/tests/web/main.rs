//! The real server on a free port, spoken to over plain sockets.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod commands;
mod foreign;
mod live;
mod page;
mod shown;
mod site;
