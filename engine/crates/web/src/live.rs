//! The stream of server-sent events that the page lives on: the view at once and at each change.
//!
//! A client that reads slowly gets fewer events, never old ones: nothing is queued, each event is
//! made from the newest view when the connection has room for it. An event holds what has changed
//! since the client's last one, and is made once for all clients that have seen the same. Two
//! events are at least [`INTERVAL`] apart, and more after one that was large: a page with thousands
//! of names takes [`BYTES_PER_SECOND`] of a network and no more.
//!
//! An event named `view` holds `{"view": View, "tables": {...}, "oldest_second_ms": n,
//! "seconds": [...], "login": bool}`: the view without its tables and seconds, the rows of each
//! table that are new or changed since the client's last event, the seconds that are (a worker may
//! report late), and whether there is a login (and so something to log out of). A table is
//! `{"all": bool, "rows": [...]}`; with `all` the rows from before are to be forgotten. Seconds
//! before `oldest_second_ms` are gone and to be forgotten; `null` means that there are none. An
//! event named `ping` only shows that the connection lives.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use swarm_stats::snapshot::{
    EntrySnapshot, ErrorSnapshot, ExceptionSnapshot, MetricSnapshot, Second, Snapshot,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use crate::error::Refusal;
use crate::server::closed;
use crate::view::{View, WorkerView};

/// Least time between two events of one client.
const INTERVAL: Duration = Duration::from_millis(500);

/// Most time that is waited after a large event, so that a page that was just opened comes to life.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What the events of one client come to at most, but for its first ones.
const BYTES_PER_SECOND: usize = 512 * 1024;

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
    made: Arc<Mutex<Made>>,
}

/// Events that were made last: of the newest view, for those who have seen nothing and for those
/// who have seen the one before.
#[derive(Debug, Default)]
struct Made {
    of: Option<Arc<View>>,
    whole: Option<Arc<str>>,
    since: Option<(Arc<View>, Arc<str>)>,
}

impl Live {
    pub(crate) fn new(
        view: watch::Receiver<Arc<View>>,
        closing: watch::Receiver<bool>,
        login: bool,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(CLIENTS_MAX));
        Self { view, closing, slots, login, made: Arc::default() }
    }

    /// The event for who has seen `sent` last, made by the first client that asks.
    fn event(&self, sent: Option<&Arc<View>>, view: &Arc<View>) -> Arc<str> {
        // A panic while an event is made leaves the old ones, which are still whole.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let made = &mut *made;
        if made.of.as_ref().is_none_or(|of| !Arc::ptr_eq(of, view)) {
            *made = Made { of: Some(view.clone()), ..Made::default() };
        }
        let make = |sent| -> Arc<str> { json(&Told::new(sent, view, self.login)).into() };
        match (sent, &made.since) {
            (None, _) => made.whole.get_or_insert_with(|| make(None)).clone(),
            (Some(sent), Some((since, event))) if Arc::ptr_eq(since, sent) => event.clone(),
            (Some(sent), _) => {
                let event = make(Some(sent));
                made.since = Some((sent.clone(), event.clone()));
                event
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
        pause: INTERVAL,
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
    /// How long after it the next one may come.
    pause: Duration,
    _slot: OwnedSemaphorePermit,
}

impl Client {
    /// The next event, or `None` when the server stops.
    async fn next(&mut self) -> Option<Event> {
        if self.sent.is_some() {
            tokio::select! {
                () = closed(&mut self.closing) => return None,
                changed = changed_after(self.pause, &mut self.view) => changed.ok()?,
            }
        }
        let view = self.view.borrow_and_update().clone();
        let event = self.live.event(self.sent.as_ref(), &view);
        self.pause = pause_after(event.len());
        self.sent = Some(view);
        Some(Event::default().event("view").data(event))
    }
}

/// How long after an event of this length the next one may come.
fn pause_after(bytes: usize) -> Duration {
    let pause = Duration::from_secs(1).mul_f64(bytes as f64 / BYTES_PER_SECOND as f64);
    pause.clamp(INTERVAL, PAUSE_MAX)
}

async fn changed_after(
    pause: Duration,
    view: &mut watch::Receiver<Arc<View>>,
) -> Result<(), watch::error::RecvError> {
    sleep(pause).await;
    view.changed().await
}

/// What an event holds.
#[derive(Debug, Serialize)]
struct Told<'a> {
    view: View,
    tables: Tables<'a>,
    oldest_second_ms: Option<u64>,
    seconds: Vec<&'a Second>,
    login: bool,
}

#[derive(Debug, Serialize)]
struct Tables<'a> {
    entries: Change<EntryRow<'a>>,
    errors: Change<&'a ErrorSnapshot>,
    exceptions: Change<&'a ExceptionSnapshot>,
    metrics: Change<&'a MetricSnapshot>,
    workers: Change<&'a WorkerView>,
}

impl<'a> Told<'a> {
    /// For who has seen `sent` last.
    fn new(sent: Option<&'a Arc<View>>, view: &'a View, login: bool) -> Self {
        let sent = sent.map(|view| &**view);
        let (old, stats) = (sent.map(|view| &*view.stats), &*view.stats);
        let tables = Tables {
            entries: change(old.map(|old| &*old.entries), &stats.entries, |entry| {
                (&*entry.method, &*entry.name)
            })
            .map(EntryRow::new),
            errors: change(old.map(|old| &*old.errors), &stats.errors, |error| {
                (&*error.method, &*error.name, &*error.error)
            }),
            exceptions: change(old.map(|old| &*old.exceptions), &stats.exceptions, |exception| {
                (&*exception.message, &*exception.trace)
            }),
            // Two kinds may share a name.
            metrics: change(old.map(|old| &*old.metrics), &stats.metrics, |metric| {
                (&*metric.name, std::mem::discriminant(&metric.value))
            }),
            workers: change(sent.map(|view| &*view.workers), &view.workers, |worker| worker.index),
        };
        let rest = Snapshot {
            total: stats.total.clone(),
            entries: Vec::new(),
            errors: Vec::new(),
            exceptions: Vec::new(),
            metrics: Vec::new(),
            seconds: Vec::new(),
            // The page does not show them.
            addresses: Vec::new(),
            ..*stats
        };
        let oldest = stats.seconds.first();
        Self {
            view: view.without_tables(rest),
            tables,
            oldest_second_ms: oldest.map(|second| second.at_ms),
            seconds: changed_seconds(
                old.map(|old| &*old.seconds).unwrap_or_default(),
                &stats.seconds,
            ),
            login,
        }
    }
}

/// The rows of a table that a client lacks.
#[derive(Debug, PartialEq, Serialize)]
struct Change<T> {
    /// The rows from before are to be forgotten.
    all: bool,
    rows: Vec<T>,
}

impl<T> Change<T> {
    fn map<U>(self, row: impl Fn(T) -> U) -> Change<U> {
        Change { all: self.all, rows: self.rows.into_iter().map(row).collect() }
    }
}

/// The rows of `now` that `sent` does not hold in the same form, each known by its key; all of them
/// when others are gone.
fn change<'a, T: PartialEq, K: Eq + Hash>(
    sent: Option<&'a [T]>,
    now: &'a [T],
    key: impl Fn(&'a T) -> K,
) -> Change<&'a T> {
    let sent = sent.unwrap_or_default();
    let mut known: HashMap<K, &T> = sent.iter().map(|row| (key(row), row)).collect();
    let is_new = |row: &&'a T| known.remove(&key(row)) != Some(row);
    let rows: Vec<&T> = now.iter().filter(is_new).collect();
    if sent.is_empty() || !known.is_empty() {
        return Change { all: true, rows: now.iter().collect() };
    }
    Change { all: false, rows }
}

/// A line of the statistics as the page needs it: a name may be there thousands of times, and twice
/// a second.
#[derive(Debug, Serialize)]
struct EntryRow<'a> {
    method: &'a str,
    name: &'a str,
    num_requests: u64,
    num_failures: u64,
    num_resent: u64,
    bytes: u64,
    response_time_ms: TimesRow,
    rps: f64,
    fail_per_sec: f64,
    current_rps: f64,
    current_fail_per_sec: f64,
}

#[derive(Debug, Serialize)]
struct TimesRow {
    min: f64,
    median: f64,
    mean: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

impl<'a> EntryRow<'a> {
    fn new(entry: &'a EntrySnapshot) -> Self {
        let times = &entry.response_time_ms;
        Self {
            method: &entry.method,
            name: &entry.name,
            num_requests: entry.num_requests,
            num_failures: entry.num_failures,
            num_resent: entry.num_resent,
            bytes: entry.bytes,
            response_time_ms: TimesRow {
                min: thousandths(times.min),
                median: thousandths(times.median),
                mean: thousandths(times.mean),
                p95: thousandths(times.p95),
                p99: thousandths(times.p99),
                max: thousandths(times.max),
            },
            rps: thousandths(entry.rps),
            fail_per_sec: thousandths(entry.fail_per_sec),
            current_rps: thousandths(entry.current_rps),
            current_fail_per_sec: thousandths(entry.current_fail_per_sec),
        }
    }
}

/// Rounded to what the page shows at most; a mean has seventeen digits otherwise.
fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
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

    #[test]
    fn only_new_and_changed_rows_are_sent() {
        let told = |sent: Option<&[(u8, u8)]>, now: &[(u8, u8)]| {
            let change = change(sent, now, |row| row.0);
            (change.all, change.rows.into_iter().copied().collect::<Vec<_>>())
        };
        let old: &[_] = &[(1, 10), (2, 20)];
        assert_eq!(told(None, old), (true, old.to_vec()));
        assert_eq!(told(Some(&[]), old), (true, old.to_vec()));
        assert_eq!(told(Some(old), old), (false, vec![]));
        assert_eq!(told(Some(old), &[(1, 10), (2, 21), (3, 30)]), (false, vec![(2, 21), (3, 30)]));
        // Wherever they stand.
        assert_eq!(told(Some(old), &[(2, 20), (1, 10)]), (false, vec![]));
        assert_eq!(told(Some(old), &[(2, 20), (3, 30)]), (true, vec![(2, 20), (3, 30)]));
        assert_eq!(told(Some(old), &[]), (true, vec![]));
    }

    #[test]
    fn large_events_come_less_often() {
        assert_eq!(pause_after(0), INTERVAL);
        assert_eq!(pause_after(BYTES_PER_SECOND), Duration::from_secs(1));
        assert_eq!(pause_after(usize::MAX), PAUSE_MAX);
    }

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
