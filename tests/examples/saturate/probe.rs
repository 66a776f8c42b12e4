//! How long the master's page takes to answer.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use swarm_tests::get;

/// Between two requests, so that asking is no load of its own.
const PAUSE: Duration = Duration::from_millis(100);

/// Times, in the order they came.
#[derive(Debug, Default, Clone)]
pub(crate) struct Times(pub(crate) Vec<Duration>);

impl Times {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest that at least `percent` of all do not exceed; 0 without any.
    pub(crate) fn at(&self, percent: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() as f64 * percent / 100.0).ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
        let place = (rank as usize).clamp(1, sorted.len().max(1)) - 1;
        sorted.get(place).copied().unwrap_or_default()
    }

    /// Milliseconds at these percentages.
    pub(crate) fn figures(&self, percents: &[f64]) -> String {
        let ms = |&percent: &f64| format!("{:.1}", self.at(percent).as_secs_f64() * 1_000.0);
        percents.iter().map(ms).collect::<Vec<_>>().join(" / ")
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    /// `GET /`.
    pub(crate) page: Times,
    /// `GET /stats/requests`.
    pub(crate) statistics: Times,
    /// Of the live stream.
    pub(crate) events_per_second: f64,
    pub(crate) longest_gap: Duration,
}

impl Probe {
    /// Asks for so long.
    pub(crate) fn run(url: &str, length: Duration) -> Self {
        let address = url.strip_prefix("http://").expect("a URL of the page").to_owned();
        let stream = std::thread::spawn(move || live(&address, length));
        let mut probe = Self::default();
        let end = Instant::now() + length;
        while Instant::now() < end {
            probe.page.0.push(timed(&format!("{url}/")));
            probe.statistics.0.push(timed(&format!("{url}/stats/requests")));
            std::thread::sleep(PAUSE);
        }
        let events = stream.join().expect("the live stream goes on");
        probe.events_per_second = events.len() as f64 / length.as_secs_f64();
        let gaps = events.windows(2).map(|pair| pair[1].duration_since(pair[0]));
        probe.longest_gap = gaps.max().unwrap_or(length);
        probe
    }
}

fn timed(url: &str) -> Duration {
    let begin = Instant::now();
    assert_eq!(get(url).status, 200, "{url}");
    begin.elapsed()
}

/// When the events of the live stream came.
fn live(address: &str, length: Duration) -> Vec<Instant> {
    let mut stream = TcpStream::connect(address).expect("the page is there");
    stream.set_read_timeout(Some(length)).expect("a time above 0");
    let request = format!("GET /api/v1/live HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the page reads");
    let mut events = Vec::new();
    let end = Instant::now() + length;
    for line in BufReader::new(stream).lines() {
        let line = line.expect("the live stream goes on");
        let now = Instant::now();
        if now >= end {
            break;
        }
        if line.starts_with("data:") {
            events.push(now);
        }
    }
    events
}
