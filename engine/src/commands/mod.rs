//! One file for each subcommand.

pub(crate) mod certs;
pub(crate) mod check;
pub(crate) mod master;
pub(crate) mod run;
pub(crate) mod target;
pub(crate) mod worker;
