//! Serves the page with invented figures, for working on the page without a master.
//!
//! ```sh
//! cargo run --release -p swarm-web --example preview -- [PORT] [NAMES] [WORKERS] [LATE]
//! ```
//!
//! Defaults: port 8089, 12 names, 3 workers, tasks up to 1 ms late. The form, Edit, Stop and Reset
//! work; a host that contains `refuse` is refused, as a master might. Nothing is loaded by it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use swarm_core::task_ratio::TaskRatio;
use swarm_stats::ConnectionCounts;
use swarm_stats::lateness::{LatenessMs, WorkerLateness, is_late};
use swarm_stats::snapshot::{
    EntrySnapshot, ErrorSnapshot, ExceptionSnapshot, MetricFigures, MetricSnapshot, Second,
    Snapshot, TimesMs,
};
use swarm_web::view::{
    Answer, ClassView, Command, Control, Notice, SwarmRequest, TestState, View, WorkerPhase,
    WorkerView,
};
use swarm_web::{WebOptions, serve};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::interval;

/// 2026-03-02 09:00:00 UTC: the invented clock starts there, so that pictures can be compared.
const CLOCK_ORIGIN_UNIX_MS: u64 = 1_772_442_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u32| args.next().map_or(Ok(default), |text| text.parse());
    let (port, names, workers, late_ms) = (number(8089)?, number(12)?, number(3)?, number(1)?);

    let listener = TcpListener::bind(("127.0.0.1", u16::try_from(port)?)).await?;
    println!("http://{}/ shows invented figures; end it with ctrl-c", listener.local_addr()?);

    let mut fake = Fake::new(names, workers, late_ms);
    let (commands, mut asked) = mpsc::channel(16);
    let (publish, view) = watch::channel(Arc::new(fake.view()));
    tokio::spawn(async move {
        let mut second = interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = second.tick() => fake.tick(),
                command = asked.recv() => match command {
                    Some(command) => fake.command(command),
                    None => return,
                },
            }
            publish.send_replace(Arc::new(fake.view()));
        }
    });
    let ctrl_c = async {
        // Without a handler the process ends by the signal itself.
        let _ = tokio::signal::ctrl_c().await;
    };
    serve(listener, Control { commands, view }, WebOptions::default(), ctrl_c).await?;
    Ok(())
}

/// What a worker does in a test that is there.
fn phase(state: TestState) -> WorkerPhase {
    match state {
        TestState::Ready | TestState::Stopped => WorkerPhase::Ready,
        TestState::Spawning => WorkerPhase::Spawning,
        TestState::Running => WorkerPhase::Running,
        TestState::Stopping => WorkerPhase::Stopping,
    }
}

/// A master that only pretends.
struct Fake {
    state: TestState,
    now_s: u64,
    test_start_s: Option<u64>,
    test_end_s: Option<u64>,
    target: SwarmRequest,
    users: u32,
    entries: Vec<EntrySnapshot>,
    seconds: Vec<Second>,
    workers: u32,
    late_ms: u32,
    notices: Vec<Notice>,
    noise: u64,
}

impl Fake {
    fn new(names: u32, workers: u32, late_ms: u32) -> Self {
        let target = SwarmRequest {
            user_count: 50,
            spawn_rate: 5.0,
            host: None,
            run_time_s: None,
            user_classes: None,
        };
        let mut fake = Self {
            state: TestState::Ready,
            now_s: 0,
            test_start_s: None,
            test_end_s: None,
            target,
            users: 0,
            entries: Vec::new(),
            seconds: Vec::new(),
            workers,
            late_ms,
            notices: Vec::new(),
            noise: 7,
        };
        fake.entries = (0..names as usize).map(name).collect();
        fake
    }

    /// A number from 0 to 1 that looks random and is the same in every run.
    fn noise(&mut self) -> f64 {
        self.noise = self.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.noise >> 40) as f64 / f64::from(1 << 24)
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Swarm(request, answer) => {
                let _ = answer.send(self.swarm(&request));
            }
            Command::Stop(answer) => {
                self.state = TestState::Stopping;
                let _ = answer.send(Ok("Test stopped".into()));
            }
            Command::Reset(answer) => {
                self.reset();
                let _ = answer.send(Ok("Statistics reset".into()));
            }
        }
    }

    fn swarm(&mut self, request: &SwarmRequest) -> Answer {
        if request.host.as_ref().is_some_and(|host| host.contains("refuse")) {
            return Err("no worker is ready: start one with `swarm worker`".into());
        }
        if matches!(self.state, TestState::Ready | TestState::Stopped) {
            self.reset();
            self.test_start_s = Some(self.now_s);
            self.test_end_s = None;
            self.notices.clear();
        }
        let host = request.host.clone().or(self.target.host.take());
        self.target = SwarmRequest { host, ..request.clone() };
        self.state = TestState::Spawning;
        Ok("Swarming started".into())
    }

    fn reset(&mut self) {
        self.seconds.clear();
        self.entries = (0..self.entries.len()).map(name).collect();
    }

    fn tick(&mut self) {
        self.now_s += 1;
        let rate = u32::try_from(whole(self.target.spawn_rate.max(1.0))).unwrap_or(u32::MAX);
        match self.state {
            TestState::Spawning | TestState::Running => {
                let wanted = self.target.user_count;
                self.users = if self.users < wanted {
                    wanted.min(self.users.saturating_add(rate))
                } else {
                    wanted.max(self.users.saturating_sub(rate))
                };
                self.state =
                    if self.users == wanted { TestState::Running } else { TestState::Spawning };
                self.load();
            }
            TestState::Stopping => {
                self.users = 0;
                self.state = TestState::Stopped;
                self.test_end_s = Some(self.now_s);
            }
            TestState::Ready | TestState::Stopped => {}
        }
    }

    /// Invents one second of load.
    fn load(&mut self) {
        let names = self.entries.len() as f64;
        let (mut requests, mut failures) = (0, 0);
        for at in 0..self.entries.len() {
            let share = 2.0 * f64::from(self.users) / names * (0.6 + 0.8 * self.noise());
            let slow = 1.0 + f64::from(self.users) / 400.0 * self.noise();
            let more = whole(share).max(u64::from(self.noise() < share));
            let failed =
                if at % 5 == 3 && self.noise() < 0.3 { more.min(1 + more / 20) } else { 0 };
            let entry = &mut self.entries[at];
            entry.num_requests += more;
            entry.num_failures += failed;
            entry.bytes += more * (900 + 613 * at as u64);
            entry.current_rps = entry.current_rps * 0.9 + more as f64 * 0.1;
            entry.current_fail_per_sec = entry.current_fail_per_sec * 0.9 + failed as f64 * 0.1;
            entry.response_time_ms = times((3.0 + 11.7 * (at % 17) as f64) * slow);
            requests += more;
            failures += failed;
        }
        let (p50, p95) = (18.0 + 14.0 * self.noise(), 90.0 + 60.0 * self.noise());
        self.seconds.push(Second {
            at_ms: self.now_s * 1_000,
            users: self.users,
            in_flight: self.in_flight(),
            requests,
            failures,
            p50_p95_ms: (requests > 0).then_some((p50, p95)),
        });
        if self.seconds.len() == 8 && self.workers > 1 {
            let text = "Worker w1 was lost; its users went to the others, up to 1 s of its samples \
                        is missing.";
            self.notices.push(Notice { at_ms: self.now_s * 1_000, text: text.into() });
        }
    }

    fn view(&mut self) -> View {
        let workers = self.worker_views();
        View {
            state: self.state,
            scenario: "checkout.wasm".into(),
            host: self.target.host.clone().unwrap_or_else(|| "http://localhost:8080".into()),
            user_count: self.users,
            in_flight: self.in_flight(),
            target_users: self.target.user_count,
            spawn_rate: self.target.spawn_rate,
            run_time_s: self.target.run_time_s,
            classes: vec![
                ClassView {
                    name: "Shopper".into(),
                    user_count: self.users - self.users / 4,
                    runs: true,
                },
                ClassView { name: "Browser".into(), user_count: self.users / 4, runs: true },
            ],
            tasks: tasks(),
            is_local: false,
            workers,
            clock_origin_unix_ms: CLOCK_ORIGIN_UNIX_MS,
            test_start_ms: self.test_start_s.map(|start_s| start_s * 1_000),
            test_end_ms: self.test_end_s.map(|end_s| end_s * 1_000),
            now_ms: self.now_s * 1_000,
            warnings: self.warnings(),
            notices: self.notices.clone(),
            stats: Arc::new(self.snapshot()),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let late =
            format!("the generator is late: half of the tasks started {} ms late", self.late_ms);
        if is_late(u64::MAX, f64::from(self.late_ms), 0.0) { vec![late] } else { Vec::new() }
    }

    /// As if each request took a tenth of its user's time.
    fn in_flight(&self) -> u64 {
        u64::from(self.users / 10)
    }

    fn worker_views(&mut self) -> Vec<WorkerView> {
        let lost = !self.notices.is_empty();
        let there = self.workers - u32::from(lost);
        (0..self.workers)
            .map(|index| {
                let gone = lost && index == 1;
                let busy = self.users / self.workers / 4;
                WorkerView {
                    id: format!("worker-{index:04}"),
                    index,
                    state: if gone { WorkerPhase::Lost } else { phase(self.state) },
                    module_percent: None,
                    user_count: if gone { 0 } else { self.users / there.max(1) },
                    in_flight: if gone { 0 } else { self.in_flight() / u64::from(there.max(1)) },
                    cpu_usage: if gone { 0.0 } else { cpu(busy, self.noise()) },
                    memory_usage: 48 * 1024 * 1024 + u64::from(self.users) * 23 * 1024,
                    lateness_ms: (self.users > 0).then(|| lateness(index)),
                    problem: gone
                        .then(|| "connection closed; last heard 12 s into the test".into()),
                }
            })
            .collect()
    }

    fn snapshot(&self) -> Snapshot {
        let ran_s = self.seconds.len().max(1) as f64;
        let entries: Vec<_> = self.entries.iter().filter(|entry| entry.num_requests > 0).collect();
        let sum = |value: fn(&EntrySnapshot) -> u64| entries.iter().map(|entry| value(entry)).sum();
        let add = |value: fn(&EntrySnapshot) -> f64| {
            entries.iter().fold(0.0, |sum, entry| sum + value(entry))
        };
        let num_requests: u64 = sum(|entry| entry.num_requests);
        let num_failures: u64 = sum(|entry| entry.num_failures);
        let total = EntrySnapshot {
            name: "Aggregated".into(),
            num_requests,
            num_failures,
            bytes: sum(|entry| entry.bytes),
            rps: num_requests as f64 / ran_s,
            fail_per_sec: num_failures as f64 / ran_s,
            current_rps: add(|entry| entry.current_rps),
            current_fail_per_sec: add(|entry| entry.current_fail_per_sec),
            response_time_ms: times(if num_requests == 0 { 0.0 } else { 24.0 }),
            ..EntrySnapshot::default()
        };
        Snapshot {
            errors: entries.iter().filter_map(|entry| error(entry, self.now_s)).collect(),
            exceptions: if num_requests == 0 { Vec::new() } else { vec![exception()] },
            metrics: metrics(num_requests),
            seconds: self.seconds.clone(),
            entries: entries.into_iter().cloned().collect(),
            total,
            connections: ConnectionCounts {
                opened: u64::from(self.users),
                reused: num_requests.saturating_sub(u64::from(self.users)),
                failed: num_failures / 7,
                resent: num_requests / 5_000,
            },
            interrupted: if self.state == TestState::Stopped { 3 } else { 0 },
            unsent: 0,
            names_overflowed: 0,
            addresses: Vec::new(),
            lateness_ms: (num_requests > 0).then(|| {
                let late_ms = f64::from(self.late_ms);
                (0.5 * late_ms, 0.94 * late_ms, 3.7 * late_ms)
            }),
            late: is_late(u64::MAX, f64::from(self.late_ms), 0.0),
        }
    }
}

/// How often the tasks of the two classes run.
fn tasks() -> Arc<[Vec<TaskRatio>]> {
    let task = |name: &str, ratio: f64, tasks: &[TaskRatio]| TaskRatio {
        name: name.to_owned(),
        ratio,
        tasks: tasks.to_vec(),
    };
    let pay = [task("pay_by_card", 0.7, &[]), task("pay_by_invoice", 0.3, &[])];
    let shopper =
        vec![task("search", 0.5, &[]), task("cart", 0.3, &[]), task("checkout", 0.2, &pay)];
    [shopper, vec![task("index", 1.0, &[])]].into()
}

fn name(at: usize) -> EntrySnapshot {
    const METHODS: [&str; 4] = ["GET", "POST", "GET", "DELETE"];
    const PATHS: [&str; 6] = [
        "/",
        "/products/:id",
        "/cart/items",
        "/checkout/payment?provider=:provider&currency=EUR&return=/orders/:id/confirmation",
        "/search",
        "/account/orders",
    ];
    let path = PATHS[at % PATHS.len()];
    let name = if at < PATHS.len() { path.to_owned() } else { format!("/v{at}{path}") };
    EntrySnapshot { method: METHODS[at % 4].into(), name, ..EntrySnapshot::default() }
}

/// One worker of four has a load thread that falls behind.
fn lateness(index: u32) -> WorkerLateness {
    let factor = if index % 4 == 2 { 300.0 } else { 1.0 };
    WorkerLateness {
        all: LatenessMs { p99: 0.84, max: 3.7 * factor },
        worst_shard: index % 2,
        worst: LatenessMs { p99: 0.91 * factor, max: 3.7 * factor },
        late: factor > 1.0,
    }
}

/// Percent of a core, a little restless.
#[expect(clippy::cast_possible_truncation, reason = "it is a picture")]
fn cpu(busy: u32, noise: f64) -> f32 {
    (f64::from(busy) + 6.0 * noise) as f32
}

/// The nearest whole number; what is below 0 is 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// Times that rise like real ones.
fn times(median: f64) -> TimesMs {
    let at = |factor: f64| median * factor;
    TimesMs {
        min: at(0.31),
        median,
        mean: at(1.27),
        p95: at(3.4),
        p99: at(6.1),
        p99_9: at(11.0),
        max: at(23.0),
        percentiles: [1.0, 1.3, 1.6, 1.9, 2.6, 3.4, 5.0, 6.1, 11.0, 17.0, 23.0].map(at),
    }
}

fn error(entry: &EntrySnapshot, now_s: u64) -> Option<ErrorSnapshot> {
    (entry.num_failures > 0).then(|| ErrorSnapshot {
        method: entry.method.clone(),
        name: entry.name.clone(),
        error: "503 Service Unavailable: upstream connect error or disconnect before headers"
            .into(),
        occurrences: entry.num_failures,
        first_ms: 4_000,
        last_ms: now_s * 1_000,
    })
}

fn exception() -> ExceptionSnapshot {
    ExceptionSnapshot {
        message: "Shopper.pay_by_card: wasm trap: out of bounds memory access".into(),
        trace: "0: checkout!cart::price (cart.rs:41)\n1: checkout!Shopper::buy (lib.rs:88)".into(),
        count: 2,
        nodes: vec!["worker-0000".into(), "worker-0002".into()],
    }
}

fn metrics(requests: u64) -> Vec<MetricSnapshot> {
    if requests == 0 {
        return Vec::new();
    }
    let metric = |name: &str, value| MetricSnapshot { name: name.into(), value };
    vec![
        metric(
            "basket value",
            MetricFigures::Trend {
                values: requests / 7,
                min: 4.99,
                mean: 61.2,
                max: 1_799.0,
                percentiles: [
                    42.0, 55.0, 70.0, 80.0, 120.0, 180.0, 300.0, 420.0, 900.0, 1_500.0, 1_799.0,
                ],
            },
        ),
        metric("has price", MetricFigures::Check { passes: requests / 3, fails: 2 }),
        metric(
            "orders",
            MetricFigures::Count { sum: (requests / 9) as f64, updates: requests / 9 },
        ),
        metric("queue", MetricFigures::Gauge { last: 3.0, min: 0.0, max: 17.0 }),
    ]
}
