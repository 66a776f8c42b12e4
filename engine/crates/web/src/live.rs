//! The stream of server-sent events that the page lives on: the view at once and at each change.
//!
//! A client that reads slowly gets fewer events, never old ones: nothing is queued, each event is
//! made from the newest view when the connection has room for it. Two events are at least
//! [`INTERVAL`] apart. The large part of an event is the same for all clients and is made once for
//! each view.
//!
//! An event named `view` holds
//! `{"view": View, "left_off": {...}, "login": bool, "oldest_second_ms": n, "seconds": [...]}`: the
//! view without its seconds and with at most [`ROWS_MAX`] rows in each table, how many rows were
//! left off, whether there is a login (and so something to log out of), and the seconds that are
//! new or changed since the client's last event (a worker may report late). Seconds before
//! `oldest_second_ms` are gone and to be forgotten; `null` means that there are none. An event
//! named `ping` only shows that the connection lives.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use swarm_stats::snapshot::{Second, Snapshot};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use crate::error::Refusal;
use crate::locust::ROWS_MAX;
use crate::server::closed;
use crate::view::View;

/// Least time between two events of one client.
const INTERVAL: Duration = Duration::from_millis(500);

/// A silent stream says `ping` after this long; the page takes three times that for a loss.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Most streams at a time.
pub(crate) const CLIENTS_MAX: usize = 64;

/// What all streams share.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    view: watch::Receiver<Arc<View>>,
    /// Set when the server stops.
    closing: watch::Receiver<bool>,
    slots: Arc<Semaphore>,
    /// Who sees it has logged in.
    login: bool,
    rendered: Arc<Mutex<Option<Rendered>>>,
}

/// The shared part of the events of one view.
#[derive(Debug)]
struct Rendered {
    view: Arc<View>,
    head: Arc<str>,
}

impl Live {
    pub(crate) fn new(
        view: watch::Receiver<Arc<View>>,
        closing: watch::Receiver<bool>,
        login: bool,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(CLIENTS_MAX));
        Self { view, closing, slots, login, rendered: Arc::default() }
    }

    /// The shared part for `view`, made by the first client that asks.
    fn head(&self, view: &Arc<View>) -> Arc<str> {
        // A panic while rendering leaves the old value, which is still whole.
        let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        match &*rendered {
            Some(known) if Arc::ptr_eq(&known.view, view) => known.head.clone(),
            _ => {
                let head: Arc<str> = head(view).into();
                *rendered = Some(Rendered { view: view.clone(), head: head.clone() });
                head
            }
        }
    }
}

/// `GET /api/v1/live`.
pub(crate) async fn live(State(live): State<Live>) -> Result<Response, Refusal> {
    let slot = live.slots.clone().try_acquire_owned().map_err(|_| {
        let message = format!("{CLIENTS_MAX} pages are open already: close one");
        Refusal::unavailable(message)
    })?;
    let client = Client {
        view: live.view.clone(),
        closing: live.closing.clone(),
        live,
        sent: None,
        _slot: slot,
    };
    let events = stream::unfold(client, |mut client| async move {
        let event = client.next().await?;
        Some((Ok::<_, Infallible>(event), client))
    });
    let ping =
        KeepAlive::new().interval(PING_INTERVAL).event(Event::default().event("ping").data(""));
    let no_buffering = [("x-accel-buffering", "no")];
    Ok((no_buffering, Sse::new(events).keep_alive(ping)).into_response())
}

/// One stream.
struct Client {
    live: Live,
    view: watch::Receiver<Arc<View>>,
    closing: watch::Receiver<bool>,
    /// The view of the last event.
    sent: Option<Arc<View>>,
    _slot: OwnedSemaphorePermit,
}

impl Client {
    /// The next event, or `None` when the server stops.
    async fn next(&mut self) -> Option<Event> {
        if self.sent.is_some() {
            tokio::select! {
                () = closed(&mut self.closing) => return None,
                changed = changed_after_pause(&mut self.view) => changed.ok()?,
            }
        }
        let view = self.view.borrow_and_update().clone();
        let head = self.live.head(&view);
        let sent = self.sent.as_ref().map(|view| view.stats.seconds.as_slice());
        let seconds = changed_seconds(sent.unwrap_or_default(), &view.stats.seconds);
        let oldest = view.stats.seconds.first().map(|second| second.at_ms);
        let data = format!(
            "{head},\"login\":{},\"oldest_second_ms\":{},\"seconds\":{}}}",
            self.live.login,
            json(&oldest),
            json(&seconds)
        );
        self.sent = Some(view);
        Some(Event::default().event("view").data(data))
    }
}

async fn changed_after_pause(
    view: &mut watch::Receiver<Arc<View>>,
) -> Result<(), watch::error::RecvError> {
    sleep(INTERVAL).await;
    view.changed().await
}

/// How many rows were left off.
#[derive(Debug, Serialize)]
struct LeftOff {
    entries: usize,
    errors: usize,
    exceptions: usize,
    metrics: usize,
}

/// The open beginning of an event's object: all but the seconds.
fn head(view: &View) -> String {
    let stats = &*view.stats;
    let over = |rows: usize| rows.saturating_sub(ROWS_MAX);
    let left_off = LeftOff {
        entries: over(stats.entries.len()),
        errors: over(stats.errors.len()),
        exceptions: over(stats.exceptions.len()),
        metrics: over(stats.metrics.len()),
    };
    let stats = Snapshot {
        total: stats.total.clone(),
        entries: first(&stats.entries),
        errors: first(&stats.errors),
        exceptions: first(&stats.exceptions),
        metrics: first(&stats.metrics),
        seconds: Vec::new(),
        ..*stats
    };
    let view = View { stats: Arc::new(stats), ..view.clone() };
    format!("{{\"view\":{},\"left_off\":{}", json(&view), json(&left_off))
}

fn first<T: Clone>(rows: &[T]) -> Vec<T> {
    rows.iter().take(ROWS_MAX).cloned().collect()
}

/// The seconds of `now` that `sent` does not hold in the same form; both oldest first.
fn changed_seconds<'a>(sent: &[Second], now: &'a [Second]) -> Vec<&'a Second> {
    let mut sent = sent.iter().peekable();
    now.iter()
        .filter(|second| {
            while sent.next_if(|old| old.at_ms < second.at_ms).is_some() {}
            sent.peek() != Some(second)
        })
        .collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain structs with text keys always serialize")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at_ms: u64, requests: u64) -> Second {
        Second { at_ms, users: 1, in_flight: 0, requests, failures: 0, p50_p95_ms: None }
    }

    fn changed(sent: &[Second], now: &[Second]) -> Vec<u64> {
        changed_seconds(sent, now).iter().map(|second| second.at_ms).collect()
    }

    #[test]
    fn only_new_and_changed_seconds_are_sent() {
        let old = [second(1_000, 5), second(2_000, 6), second(3_000, 7)];
        assert_eq!(changed(&[], &old), [1_000, 2_000, 3_000]);
        assert_eq!(changed(&old, &old), [0_u64; 0]);
        let now = [second(2_000, 6), second(3_000, 9), second(4_000, 1)];
        assert_eq!(changed(&old, &now), [3_000, 4_000], "a late report and a new second");
        assert_eq!(changed(&old, &[second(9_000, 1)]), [9_000], "after a reset");
        assert_eq!(changed(&old, &[]), [0_u64; 0]);
        let gap_filled = [second(1_000, 5), second(1_500, 1), second(3_000, 7)];
        assert_eq!(changed(&old, &gap_filled), [1_500]);
    }
}
