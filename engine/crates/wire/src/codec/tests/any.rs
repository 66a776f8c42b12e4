//! Arbitrary messages that keep all rules.

use std::net::{IpAddr, SocketAddr};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use swarm_core::ids::{IdRun, IdSet};
use swarm_core::limits::SETTINGS_LIST_MAX;
use swarm_core::message::{
    AddressOrder, ClassUsers, Connections, Heartbeat, Moves, Order, Room, Settings, WEIGHT_MAX,
    WorkerInfo, WorkerState,
};
use swarm_stats::addresses::AddressDelta;
use swarm_stats::delta::{
    Delta, EntryDelta, ErrorDelta, ExceptionDelta, LatenessDelta, MetricDelta, MetricValue, Report,
};
use swarm_stats::times::HIGHEST_US;
use swarm_stats::{AddressCounts, ConnectionCounts, Histogram};

use crate::limits::{CLASSES_MAX, CLOCK_MS_MAX, CORES_MAX, COUNT_MAX, SPAN_MS_MAX, SUM_MAX};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z/?=]{1,40}", "\\PC{0,20}"]
}

pub(super) fn worker_info() -> impl Strategy<Value = WorkerInfo> {
    // As `check_worker_id` demands.
    let id = "\\PC{1,40}".prop_filter("a space at an end", |id| id.trim() == id);
    let seats = (1..=65_536u32, of(any::<u32>()), 1..=WEIGHT_MAX);
    (id, any::<u64>(), text(), any::<[u32; 2]>(), seats).prop_map(
        |(id, stream, version, [protocol, attempt], (cores, users_max, weight))| WorkerInfo {
            id,
            stream,
            version,
            protocol,
            cores,
            users_max,
            weight,
            attempt,
        },
    )
}

fn settings() -> impl Strategy<Value = Settings> {
    let lists = (vec(text(), 0..4), vec((text(), text()), 0..4), vec(text(), 0..4));
    let times = (0..=SPAN_MS_MAX, 0..=SPAN_MS_MAX);
    let orders = prop::sample::select(vec![
        AddressOrder::RoundRobin,
        AddressOrder::First,
        AddressOrder::Random,
    ]);
    let others = (any::<[bool; 3]>(), of(1..=u32::MAX), orders);
    (of(text()), lists, vec(text(), 0..4), any::<u64>(), times, others).prop_map(
        |(host, (allow_hosts, args, tags), exclude_tags, seed, times, others)| Settings {
            host,
            allow_hosts,
            seed,
            args,
            tags,
            exclude_tags,
            stop_timeout_ms: times.0,
            request_timeout_ms: times.1,
            insecure: others.0[0],
            no_resend: others.0[1],
            connections: others.1.map_or(Connections::PerUser, Connections::Shared),
            address_order: others.2,
            stats_by_address: others.0[2],
        },
    )
}

/// Sets of ids, no id in two of them: runs that are apart go to one after the other.
fn sets(most: usize) -> impl Strategy<Value = Vec<IdSet>> {
    let runs = btree_map(0..400_000_u32, 0..9_999_u32, 0..50);
    (0..=most, runs).prop_map(|(sets, runs)| {
        let mut sets = vec![IdSet::new(); sets];
        let turns = (0..sets.len()).cycle();
        for (set, (tenth, more)) in turns.zip(runs) {
            sets[set].insert_run(IdRun { first: tenth * 10_000, last: tenth * 10_000 + more });
        }
        sets
    })
}

fn users() -> impl Strategy<Value = Vec<ClassUsers>> {
    (btree_set(0..CLASSES_MAX, 5), sets(5)).prop_map(|(classes, sets)| {
        let users = |(class, ids)| ClassUsers { class, ids };
        classes.into_iter().rev().zip(sets).map(users).collect()
    })
}

fn moves() -> impl Strategy<Value = Vec<Moves>> {
    (vec((0..=CLOCK_MS_MAX, 0..=SPAN_MS_MAX), 5), sets(5)).prop_map(|(times, sets)| {
        let moves = |((start_ms, spread_ms), ids)| Moves { start_ms, spread_ms, ids };
        times.into_iter().zip(sets).map(moves).collect()
    })
}

pub(super) fn order() -> impl Strategy<Value = Order> {
    let numbers = (any::<u64>(), any::<u32>());
    let times = (0..=CLOCK_MS_MAX, 0..=CLOCK_MS_MAX, 0..=SPAN_MS_MAX);
    (numbers, times, any::<[u8; 32]>(), users(), moves(), settings()).prop_map(
        |((number, test), times, module, users, moves, settings)| Order {
            number,
            test,
            module,
            test_start_ms: times.0,
            issued_ms: times.1,
            spread_ms: times.2,
            users,
            moves,
            settings,
        },
    )
}

pub(super) fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    let state = prop_oneof![
        Just(WorkerState::Preparing),
        Just(WorkerState::Ready),
        Just(WorkerState::Spawning),
        Just(WorkerState::Running),
        Just(WorkerState::Stopping),
        Just(WorkerState::Leaving),
    ];
    let users = btree_map(0..CLASSES_MAX, any::<u32>(), 0..5);
    let finished = sets(1).prop_map(|sets| sets.into_iter().next().unwrap_or_default());
    let process = (0f32..1e6, any::<u64>(), 0..=COUNT_MAX);
    let room = (of(any::<u32>()), of(any::<u32>()));
    let room = room.prop_map(|(own, shared)| Room { own, shared });
    let said = (of(text()), room, of(text()));
    (state, any::<(u64, u64)>(), users, finished, process, said).prop_map(
        |(state, orders, users, finished, (cpu_percent, memory_bytes, in_flight), said)| {
            Heartbeat {
                state,
                order_done: orders.0,
                order_taken: orders.1,
                users: users.into_iter().collect(),
                finished,
                in_flight,
                cpu_percent,
                memory_bytes,
                problem: said.0,
                room: said.1,
                warning: said.2,
            }
        },
    )
}

/// Times in microseconds, the longer the rarer, some longer than a histogram can tell.
fn time_us() -> impl Strategy<Value = u64> {
    prop_oneof![0..10_000u64, 0..10_000_000u64, 0..4_000_000_000u64]
}

pub(super) fn times() -> impl Strategy<Value = Histogram> {
    vec(time_us(), 0..40).prop_map(|times| histogram(&times))
}

fn histogram(times: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    for time in times {
        histogram.record((*time).min(HIGHEST_US), 1);
    }
    histogram
}

fn entry() -> impl Strategy<Value = EntryDelta> {
    let samples = (vec(time_us(), 0..40), any::<[prop::sample::Index; 2]>());
    let sizes = (0..=SUM_MAX, 0..=COUNT_MAX);
    (text(), text(), sizes, samples).prop_map(|(method, name, (bytes, resent), samples)| {
        let (samples, [failed, unanswered]) = samples;
        let failures = failed.index(samples.len() + 1);
        EntryDelta {
            method,
            name,
            requests: samples.len() as u64,
            failures: failures as u64,
            unanswered: unanswered.index(failures + 1) as u64,
            resent,
            bytes,
            times: histogram(&samples),
            sum_us: samples.iter().sum(),
            min_us: samples.iter().min().copied().unwrap_or(u64::MAX),
            max_us: samples.iter().max().copied().unwrap_or(0),
        }
    })
}

fn error() -> impl Strategy<Value = ErrorDelta> {
    let times = (0..=CLOCK_MS_MAX, 0..=CLOCK_MS_MAX);
    (text(), text(), text(), 0..=COUNT_MAX, times).prop_map(
        |(method, name, error, occurrences, (a, b))| ErrorDelta {
            method,
            name,
            error,
            occurrences,
            first_ms: a.min(b),
            last_ms: a.max(b),
        },
    )
}

fn exception() -> impl Strategy<Value = ExceptionDelta> {
    (text(), text(), 0..=COUNT_MAX).prop_map(|(message, trace, occurrences)| ExceptionDelta {
        message,
        trace,
        occurrences,
    })
}

fn metric_value() -> impl Strategy<Value = MetricValue> {
    let number = || -1e12..1e12f64;
    prop_oneof![
        (number(), 0..=COUNT_MAX).prop_map(|(sum, updates)| MetricValue::Count { sum, updates }),
        ([number(), number(), number()], 0..=CLOCK_MS_MAX).prop_map(|(mut numbers, last_ms)| {
            numbers.sort_by(f64::total_cmp);
            let [min, last, max] = numbers;
            MetricValue::Gauge { last, last_ms, min, max }
        }),
        (vec(any::<u64>(), 1..20), number(), number()).prop_map(
            |(values, a, b): (Vec<u64>, f64, f64)| {
                let mut histogram = Histogram::new();
                for value in values {
                    histogram.record(value, 1);
                }
                MetricValue::Trend { values: histogram, sum: a + b, min: a.min(b), max: a.max(b) }
            }
        ),
        Just(MetricValue::Trend {
            values: Histogram::new(),
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }),
        (0..=COUNT_MAX, 0..=COUNT_MAX)
            .prop_map(|(passes, fails)| MetricValue::Check { passes, fails }),
    ]
}

fn lateness() -> impl Strategy<Value = Vec<LatenessDelta>> {
    btree_map(0..CORES_MAX, vec(time_us(), 1..40), 0..5).prop_map(|shards| {
        let late = |(shard, late): (u32, Vec<u64>)| LatenessDelta {
            shard,
            times: histogram(&late),
            max_us: late.into_iter().max().unwrap_or(0),
        };
        shards.into_iter().map(late).collect()
    })
}

fn addresses() -> impl Strategy<Value = Vec<AddressDelta>> {
    let count = || 0..=COUNT_MAX;
    let counts = (count(), count(), count(), count()).prop_map(|(opened, failed, a, b)| {
        AddressCounts { opened, failed, requests: a.max(b), failures: a.min(b) }
    });
    let address = any::<(IpAddr, u16)>().prop_map(SocketAddr::from);
    btree_map(of(address), counts, 0..5).prop_map(|rows| {
        rows.into_iter().map(|(address, counts)| AddressDelta { address, counts }).collect()
    })
}

fn delta() -> impl Strategy<Value = Delta> {
    let metric = (text(), metric_value()).prop_map(|(name, value)| MetricDelta { name, value });
    let lists = (vec(entry(), 0..6), vec(error(), 0..4), vec(exception(), 0..4), vec(metric, 0..6));
    let count = || 0..=COUNT_MAX;
    let counts = [count(), count(), count(), count(), count(), count(), count()];
    let args_read = btree_set(0..SETTINGS_LIST_MAX, 0..5);
    let others = (lateness(), args_read, addresses());
    (lists, counts, others).prop_map(|(lists, counts, (lateness, args_read, addresses))| {
        let (entries, errors, exceptions, metrics) = lists;
        let [opened, reused, failed, resent, interrupted, unsent, names_overflowed] = counts;
        Delta {
            entries,
            errors,
            exceptions,
            metrics,
            connections: ConnectionCounts { opened, reused, failed, resent },
            interrupted,
            unsent,
            names_overflowed,
            lateness,
            args_read: args_read.into_iter().collect(),
            addresses,
        }
    })
}

pub(super) fn report() -> impl Strategy<Value = Report> {
    let numbers = (any::<u64>(), 1..=u64::MAX, 0..=CLOCK_MS_MAX, 0..=CLOCK_MS_MAX, any::<u32>());
    (numbers, delta()).prop_map(|((stream, sequence, a, b, test), delta)| Report {
        stream,
        sequence,
        from_ms: a.min(b),
        to_ms: a.max(b),
        test,
        delta,
    })
}

/// A report with some of everything.
pub(super) fn sample_report() -> Report {
    let samples = [900, 1_000, 52_000];
    let entry = EntryDelta {
        method: "GET".into(),
        name: "/product/[id]".into(),
        requests: 3,
        failures: 1,
        unanswered: 1,
        resent: 1,
        bytes: 4_096,
        times: histogram(&samples),
        sum_us: samples.iter().sum(),
        min_us: 900,
        max_us: 52_000,
    };
    let error = ErrorDelta {
        method: "GET".into(),
        name: "/product/[id]".into(),
        error: "status 503".into(),
        occurrences: 1,
        first_ms: 1_700_000_000_000,
        last_ms: 1_700_000_000_000,
    };
    let exception =
        ExceptionDelta { message: "unreachable".into(), trace: "  0: run".into(), occurrences: 1 };
    let metric = MetricDelta {
        name: "cart".into(),
        value: MetricValue::Trend {
            values: histogram(&[1_000, 2_000]),
            sum: 3.0,
            min: 1.0,
            max: 2.0,
        },
    };
    Report {
        stream: 7,
        sequence: 1,
        from_ms: 1_700_000_000_000,
        to_ms: 1_700_000_001_000,
        test: 1,
        delta: Delta {
            entries: vec![entry.clone(), entry],
            errors: vec![error],
            exceptions: vec![exception],
            metrics: vec![metric],
            connections: ConnectionCounts { opened: 1, reused: 4, failed: 1, resent: 2 },
            interrupted: 2,
            unsent: 1,
            names_overflowed: 0,
            lateness: vec![LatenessDelta { shard: 1, times: histogram(&[1, 2, 3]), max_us: 3 }],
            args_read: vec![0, 3],
            addresses: vec![AddressDelta {
                address: Some(([10, 0, 0, 1], 80).into()),
                counts: AddressCounts { opened: 1, failed: 2, requests: 3, failures: 1 },
            }],
        },
    }
}
