//! Totals, ledgers and reports that are saved and read again: nothing changes, and what follows is
//! counted as if there had been no break.

use proptest::prelude::*;
use swarm_stats::delta::{Delta, Report};
use swarm_stats::{
    Accept, AddressCounts, ConnectionCounts, FORMAT, Ledger, Limits, Recorder, Sample, Totals,
};

/// What happens to totals.
#[derive(Debug, Clone)]
enum Step {
    /// A worker reports this many samples, spread over names and times by a seed.
    Report {
        worker: u8,
        samples: u32,
        seed: u64,
        length_ms: u64,
    },
    /// Time passes, and the users are told.
    Users {
        passed_ms: u64,
        users: u32,
    },
    Reset,
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_u8..4, 0_u32..700, any::<u64>(), 0_u64..3_000).prop_map(
            |(worker, samples, seed, length_ms)| Step::Report { worker, samples, seed, length_ms }
        ),
        4 => (0_u64..90_000, 0_u32..50)
            .prop_map(|(passed_ms, users)| Step::Users { passed_ms, users }),
        1 => Just(Step::Reset),
        1 => Just(Step::Stop),
    ]
}

/// Every kind of figure there is.
fn delta(samples: u32, seed: u64, at_ms: u64) -> Delta {
    let mut recorder = Recorder::new(Limits::default());
    let mut state = seed;
    for sample in 0..samples {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(sample.into());
        let entry = recorder.intern("GET", ["/", "/cart", "/p/7"][(state >> 40) as usize % 3]);
        let error = (state >> 50 & 7 == 0).then_some("status 500");
        let response_time_us = (state >> 33) % 90_000;
        let connections = ConnectionCounts {
            opened: state >> 31 & 1,
            reused: state >> 32 & 3,
            failed: state >> 34 & 1,
            resent: state >> 35 & 1,
        };
        let (bytes, unanswered) = (state >> 54, error.is_some() && state >> 36 & 1 == 0);
        let sample = Sample { response_time_us, bytes, error, unanswered, connections, at_ms };
        recorder.record(entry, sample);
        recorder.lateness(state >> 48);
        let counts = AddressCounts {
            opened: connections.opened,
            failed: connections.failed,
            requests: 1,
            failures: u64::from(error.is_some()),
        };
        let last = (state >> 37 & 3) as u8;
        let address = (last > 0).then(|| ([10, 0, 0, last], 80).into());
        recorder.address(address, counts);
    }
    if samples > 3 {
        recorder.exception("trap: unreachable", &format!("frame {}", seed % 3));
        recorder.interrupted(&ConnectionCounts { reused: 1, ..ConnectionCounts::default() });
        recorder.unsent();
        recorder.arg_read(samples % 3);
        recorder.count("items", 1.5).expect("a new name");
        recorder.gauge("cart", 3.25, at_ms).expect("a new name");
        recorder.trend("steps", 7.125).expect("a new name");
        recorder.check("has a title", seed.is_multiple_of(2)).expect("a new name");
    }
    recorder.drain().of_shard(u32::try_from(seed % 5).expect("below 5"))
}

/// Totals, and the master's clock.
struct Test {
    totals: Totals,
    now_ms: u64,
}

impl Test {
    fn new() -> Self {
        let mut totals = Totals::new(Limits::default());
        totals.start(1_000);
        Self { totals, now_ms: 1_000 }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Report { worker, samples, seed, length_ms } => {
                let delta = delta(samples, seed, self.now_ms);
                let from_ms = self.now_ms.saturating_sub(length_ms);
                let report = Report {
                    stream: worker.into(),
                    sequence: 1,
                    from_ms,
                    to_ms: self.now_ms,
                    test: 1,
                    delta,
                };
                let report: Report = again(&report);
                self.totals.apply(&format!("w{worker}"), &report);
            }
            Step::Users { passed_ms, users } => {
                self.now_ms += passed_ms;
                self.totals.set_users(self.now_ms, users);
                self.totals.set_in_flight(self.now_ms, u64::from(users) / 2);
            }
            Step::Reset => self.totals.reset(self.now_ms),
            Step::Stop => self.totals.stop(self.now_ms),
        }
    }

    /// All that anybody can see.
    fn seen(&mut self) -> String {
        let snapshot = self.totals.snapshot(self.now_ms + 2_500);
        let workers = (0..5).map(|worker| format!("w{worker}"));
        let workers: Vec<_> = workers
            .map(|id| (self.totals.requests_of(&id), self.totals.lateness_of(&id)))
            .collect();
        let (users_max, length_ms) = (self.totals.users_max(), self.totals.length_ms());
        let args: Vec<_> = (0..3).map(|place| self.totals.is_arg_read(place)).collect();
        let answered = self.totals.is_answered();
        format!("{snapshot:?} {workers:?} {users_max} {length_ms} {args:?} {answered}")
    }
}

/// Saved and read again.
fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let bytes = postcard::to_allocvec(value).expect("it can be written");
    postcard::from_bytes(&bytes).expect("what was written can be read")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn totals_go_on_after_any_number_of_breaks(
        steps in prop::collection::vec((step(), prop::bool::weighted(0.2)), 0..40),
    ) {
        let (mut whole, mut broken) = (Test::new(), Test::new());
        for (step, breaks) in &steps {
            whole.step(step);
            broken.step(step);
            if *breaks {
                broken.totals = again(&broken.totals);
            }
        }
        broken.totals = again(&broken.totals);
        prop_assert_eq!(whole.seen(), broken.seen());
    }

    /// Neither a panic nor totals that would panic when they are looked at.
    #[test]
    fn bytes_that_were_never_saved_do_no_harm(
        steps in prop::collection::vec(step(), 0..6),
        at in any::<prop::sample::Index>(),
        with in 1_u8..,
        cut in any::<bool>(),
    ) {
        let mut test = Test::new();
        steps.iter().for_each(|step| test.step(step));
        let mut bytes = postcard::to_allocvec(&test.totals).expect("it can be written");
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= with;
        }
        if let Ok(mut totals) = postcard::from_bytes::<Totals>(&bytes) {
            totals.set_users(test.now_ms, 1);
            totals.apply("w9", &Report {
                stream: 9, sequence: 1, from_ms: 0, to_ms: 1, test: 1, delta: delta(3, 1, 1),
            });
            totals.snapshot(test.now_ms);
        }
    }
}

#[test]
fn a_ledger_knows_its_streams_again() {
    let mut ledger = Ledger::new();
    for stream in 0..100 {
        ledger.resume(stream, stream * 3);
    }
    let mut ledger = again(&ledger);
    for stream in 1..100 {
        assert_eq!(ledger.accept(stream, stream * 3), Accept::Repeated);
        assert_eq!(ledger.accept(stream, stream * 3 + 1), Accept::New);
    }
}

/// FNV-1a: enough to notice a change.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Nothing in the bytes tells of which version they are. When this fails, what was saved by an
/// earlier program is misread: raise `FORMAT`, and then put the new numbers here.
#[test]
fn the_format_is_what_its_version_says() {
    let mut test = Test::new();
    for (seed, worker) in [(11, 0), (12, 1), (13, 0)] {
        test.step(&Step::Report { worker, samples: 600, seed, length_ms: 900 });
        test.step(&Step::Users { passed_ms: 40_000, users: 7 });
    }
    let mut ledger = Ledger::new();
    ledger.resume(5, 9);
    let report =
        Report { stream: 1, sequence: 2, from_ms: 3, to_ms: 4, test: 5, delta: delta(50, 3, 9) };
    let saved = [
        postcard::to_allocvec(&test.totals),
        postcard::to_allocvec(&ledger),
        postcard::to_allocvec(&report),
    ];
    let prints = saved.map(|bytes| fingerprint(&bytes.expect("it can be written")));
    let known = [0xb538_1e51_5121_cb10, 0xaa2b_7a95_7916_36ac, 0xf861_637d_9a4c_8236];
    assert_eq!((FORMAT, prints), (3, known));
}
