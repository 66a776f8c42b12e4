//! The HTTP client of a virtual user: its connections, its cookies, its redirects.
//!
//! A load generator's client differs from others in what it must not do: hide work (a pool that
//! all users share, a TLS session that another user negotiated), spend more than the target does,
//! or talk to anybody whom the operator did not name. So each user has a [`Session`] of its own;
//! what is the same for all of them is [`Shared`] and is read, not written, on the way of a
//! request.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use swarm_client::{AllowList, BaseUrl, ClientConfig, Request, Session, Shared};
//!
//! let base: BaseUrl = "http://127.0.0.1:8080/shop".parse()?;
//! let mut allowed = AllowList::default();
//! allowed.target(&base);
//! let shared = Shared::new(ClientConfig::default(), allowed)?;
//! let session = Session::new(shared, Some(base));
//! let response = session.send(Request::get("/items?page=2")).await?;
//! println!("{} after {:?}", response.status, response.elapsed);
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//! - [`session`](Session): one user's client; redirects, timeouts, cookies come together there.
//! - `config`, `shared`: limits and defaults, and what the sessions of a process have in common.
//! - `url`, `target`, `allow`: where a request goes, and whether it may.
//! - `name`: what it is called in the statistics.
//! - `message`, `method`, `head`: what is asked and answered.
//! - `headers`, `call`: the bytes of a request's head. `raw`: heads that the caller has made.
//! - `redirect`, `cookies`: what an answer changes for the next request.
//! - `dns`: from a name to its addresses; `addresses`: in which order they are tried.
//! - `pool`, `connect`, `race`, `sources`, `ports`, `tls`, `stream`: how a connection comes to be
//!   and is used again.
//! - `progress`: how far a request has come, and what it took of connections; `address_uses`: at
//!   which addresses.
//! - `detached`: calls into the system that may hang.
//! - `deadline`: time limits of requests. `h1`: one exchange on one connection.
//! - `error`: what can go wrong, in words that do not vary from sample to sample.
//!
//! # What is measured
//! [`Response::elapsed`] runs from the call of [`Session::send`] to the last byte of the final
//! response: waiting for a free connection, DNS, connect, TLS and redirects included. [`Phases`]
//! tell where it went. [`Error::elapsed`] is the same for what failed.
//!
//! # Runtime
//! Connections live on the tokio runtime in which `send` was called, so one session belongs to
//! one runtime. All futures are `Send`; no lock is held across an await.
#![forbid(unsafe_code)]

mod address_uses;
mod addresses;
mod allow;
mod call;
mod config;
mod connect;
mod cookies;
mod deadline;
mod detached;
mod dns;
mod error;
mod h1;
mod head;
mod headers;
mod message;
mod method;
mod name;
mod pool;
mod ports;
mod progress;
mod race;
mod raw;
mod redirect;
mod session;
mod shared;
mod sources;
mod stream;
mod target;
mod tls;
mod url;

pub use address_uses::{AddressUse, AddressUses};
pub use allow::{AllowList, AllowListError};
pub use config::{AddressOrder, ClientConfig, ConfigError};
pub use error::{Error, ErrorKind};
#[cfg(fuzzing)]
pub use h1::fuzz;
pub use head::Headers;
pub use message::{Phases, Request, Response};
pub use method::Method;
pub use name::sample_name;
pub use progress::Progress;
pub use raw::{HeaderLines, Raw};
pub use session::Session;
pub use shared::Shared;
pub use url::{BaseUrl, BaseUrlError, is_host_name};
