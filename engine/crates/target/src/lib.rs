//! The bundled demo server, `swarm target`: HTTP/1.1 over plain TCP.
//!
//! It exists to be loaded: it must outrun the generator that measures it, and its counters must
//! say exactly what arrived, so that they can be held against what a run reported.
//!
//! ```no_run
//! # async fn demo() -> Result<(), swarm_target::TargetError> {
//! use std::num::NonZeroUsize;
//! use swarm_target::{Target, TargetConfig};
//!
//! let target = Target::bind(&TargetConfig {
//!     host: "127.0.0.1".to_owned(),
//!     port: 0,
//!     threads: NonZeroUsize::MIN,
//! })?;
//! println!("target listening on http://{}", target.local_addr());
//! target.run(std::future::pending()).await
//! # }
//! ```
//!
//! # Routes
//!
//! | route | answer |
//! | --- | --- |
//! | `GET /`, `GET /about` | small pages |
//! | `GET /items` | the shop's items as JSON |
//! | `/delay/MS` | after `MS` milliseconds, at most 60,000 |
//! | `/status/CODE` | that status, 200 to 599 |
//! | `/bytes/N` | `N` bytes, at most 64 MiB |
//! | `/echo` | the request's body with its content type |
//! | `/redirect/N` | 302 along a chain of `N`, at most 100, that ends at `/` |
//! | `POST /login` | form or JSON `username`, `password` (`swarm`): `session` cookie, `token` |
//! | `POST /cart` | JSON `{"item": 1}`, needs the cookie or `Authorization: Bearer TOKEN` |
//! | `POST /checkout` | empties the cart: `"status":"ok"`, or `"out of stock"` with item 13 in it |
//! | `/reset`, `/close`, `/hang` | no answer: reset, closed, or silence for at most 10 minutes |
//! | `/garbage` | bytes that are not HTTP |
//! | `/endless-headers`, `/endless-body` | for at most 1 GiB or 60 seconds |
//! | `GET /counts` | what was received so far, see [`Counts`] |
//! | `POST /counts/reset`, `DELETE /counts` | the same, then starts again at 0 |
//!
//! Anything else is 404. `HEAD` is answered like `GET`, without the body. A peer that closes its
//! connection, even its sending half only, while an answer is held back is taken as gone.
//!
//! # Layout
//!
//! - [`config`](TargetConfig) and [`error`](TargetError): what the caller passes and gets.
//! - `listen`: the listeners, one a thread on one port that nobody else has.
//! - `server`: threads, their runtimes, accepting, stopping.
//! - `connection`: one connection from bytes to bytes; `pool`: the buffers it borrows.
//! - `request`, `body`: parsing and framing; `answer`: what goes out.
//! - `routes`: from a target to a route, from a route to a reply; `slow`: replies that take time.
//! - `shop`: login, cart, checkout and their sessions.
//! - `counts`: what was received. `group`: the same over several processes.

#![forbid(unsafe_code)]

mod answer;
mod body;
mod config;
mod connection;
mod counts;
mod error;
mod group;
mod listen;
mod pool;
mod request;
mod routes;
mod server;
mod shop;
mod slow;

pub use config::{THREADS_MAX, TargetConfig};
pub use counts::{Counts, OTHER_PATHS, PATHS_MAX};
pub use error::TargetError;
pub use group::{Gather, GroupError, Member};
pub use listen::Hold;
pub use server::{Running, Target};
pub use shop::PASSWORD;
