//! The web page and the HTTP control interface of a master.
//!
//! One address serves the page, the paths that Locust's users and scripts know, and `/api/v1`.
//! Nothing here decides anything: commands go to the control thread over a channel, and what is
//! shown is the newest [`view::View`] that it published.
//!
//! # Paths
//! | path | what |
//! | --- | --- |
//! | `GET /`, `/assets/*` | the page |
//! | `POST /swarm` | start a test or edit the running one; form or JSON |
//! | `POST /stop`, `POST /stats/reset` | stop; forget the statistics |
//! | `GET /stats/requests`, `/exceptions`, `/tasks`, `/worker-count` | JSON in Locust's shape |
//! | `GET /stats/requests/csv`, `/stats/failures/csv`, `/exceptions/csv` | files |
//! | `GET /stats/requests_full_history/csv` | a file, with [`WebOptions::full_history`] |
//! | `GET /api/v1/view` | everything known, as JSON |
//! | `GET /api/v1/live` | the same as server-sent events, at most two a second |
//! | `GET /login`, `POST /login`, `POST /logout` | with [`WebOptions::login`]: form, session |
//!
//! `GET /stop` and `GET /stats/reset` work too, because Locust's scripts use them; new scripts
//! should use POST. Every refusal is JSON, `{"success": false, "message": ...}`, with a status
//! that says so (400 bad input, 401 not logged in, 403 foreign page, 409 the master said no);
//! Locust answers 200. A field that means nothing here is refused, unless it is empty. Answers have
//! all rows, as many as the statistics keep (`swarm_stats::Limits`); Locust's end after 500. As in
//! Locust, `workers` and `worker_count` are there for workers elsewhere only.
//!
//! # Who may drive it
//! A page from elsewhere that is open in the same browser may not: see [`server`]. With
//! [`WebOptions::login`] only who has the token may, in a browser by a session's cookie, in a
//! script by `Authorization: Bearer TOKEN`. Without it, whoever can reach the address.
//!
//! # Layout
//! - [`view`]: what the page knows and asks for.
//! - [`server`]: the listener, its connections and its options.
//! - `routes`: which path is what. `guard`: from where it may be called. `login`: by whom.
//! - `place`: the names and the path by which people reach the page.
//! - `command`: `/swarm`, `/stop`, `/stats/reset`. `fields`: what a form may hold.
//! - `read`, `history`: the paths that only show. `locust`: the shapes that Locust gives its JSON.
//! - `live`: the stream of server-sent events.
//! - `assets`: the built page, embedded. Its source is in `ui/`, `npm run build` writes `dist/`.
//! - `error`: the one shape of every refusal.
//! - `waiting`: what is answered before there is anything to show.
#![forbid(unsafe_code)]

mod assets;
mod command;
mod error;
mod fields;
#[cfg(fuzzing)]
pub mod fuzz;
mod guard;
mod history;
mod live;
mod locust;
mod login;
mod place;
mod read;
mod routes;
pub mod server;
pub mod view;
mod waiting;

pub use fields::HOST_BYTES_MAX;
pub use history::HistoryFile;
pub use login::LoginToken;
pub use place::{BasePath, BasePathError, PublicName, PublicNameError};
pub use server::{WebError, WebOptions, serve};
pub use waiting::serve_waiting;
