//! The faults themselves, one after the other if need be.

use std::thread::sleep;
use std::time::Duration;

use swarm_tests::{PATIENCE, Signal};

use crate::cluster::{Cluster, WORKERS};
use crate::fault::Fault;
use crate::network::{Link, Network};
use crate::page::Look;
use crate::watch::{Counted, Watch};

/// Whom it happens to.
pub(crate) const VICTIM: usize = 3;
/// Packets that a bad line loses, and how long it holds the others back, each way.
const LOSS_PERCENT: u32 = 5;
const DELAY: Duration = Duration::from_millis(100);
/// All is well when it has been so for this long; and how long that is waited for.
pub(crate) const CALM: Duration = Duration::from_secs(5);
const RECOVERY_MAX: Duration = Duration::from_secs(25);

/// Faults in a row, what they are drawn from, and how long each lasts.
const ROW: usize = 10;
const DRAWN: [Fault; 8] = [
    Fault::Kill,
    Fault::Leave,
    Fault::Freeze,
    Fault::Cable10,
    Fault::ToMaster,
    Fault::FromMaster,
    Fault::Slow,
    Fault::Restart,
];
const DRAWN_LENGTH: Duration = Duration::from_secs(10);

/// Where it happens.
pub(crate) struct Scene<'a> {
    pub(crate) network: &'a Network,
    pub(crate) cluster: Cluster<'a>,
    pub(crate) watch: Watch,
    /// Users of the whole test.
    pub(crate) users: u64,
}

/// What has happened, in times of the watch.
#[derive(Debug)]
pub(crate) struct Episode {
    pub(crate) fault: Fault,
    pub(crate) victim: usize,
    pub(crate) begin: Duration,
    /// The cable is plugged in, the worker goes on...
    pub(crate) end: Duration,
    /// All was well for [`CALM`], or nobody waited any longer.
    pub(crate) until: Duration,
    /// Workers that are there then.
    pub(crate) workers: usize,
    /// What went wrong besides what the watch sees.
    pub(crate) problem: Option<String>,
}

impl Scene<'_> {
    /// Lets a fault happen, ends it, and waits until all is well.
    #[track_caller]
    pub(crate) fn happen(&mut self, fault: Fault, victim: usize, length: Duration) -> Episode {
        eprintln!("{} of w{victim} for {length:?}", fault.name());
        let begin = self.watch.now();
        self.begin(fault, victim);
        sleep(length);
        self.end(fault, victim);
        let end = self.watch.now();
        let workers = WORKERS - usize::from(fault.takes_a_worker());
        let well = self.wait(workers);
        let mut problem = (!well).then(|| format!("not well after {RECOVERY_MAX:?}"));
        if fault == Fault::Leave && problem.is_none() {
            problem = self.left(victim);
        }
        let until = self.watch.now();
        Episode { fault, victim, begin, end, until, workers, problem }
    }

    /// As many as [`ROW`], drawn from a seed. Who is gone gets a successor.
    #[track_caller]
    pub(crate) fn row(&mut self, seed: u64) -> Vec<Episode> {
        eprintln!("{ROW} faults by --seed {seed}");
        let mut random = Random(seed);
        let mut episodes = Vec::new();
        for _ in 0..ROW {
            let fault = DRAWN[random.below(DRAWN.len())];
            let length = match fault {
                Fault::Kill | Fault::Leave | Fault::Restart => fault.length(),
                _ => DRAWN_LENGTH,
            };
            let mut episode = self.happen(fault, random.below(WORKERS), length);
            if fault.takes_a_worker() {
                // A worker that hangs instead of leaving has to go, too.
                let victim = episode.victim;
                if self.cluster.process(victim).is_running() {
                    self.cluster.process(victim).signal(Signal::KILL);
                }
                self.cluster.process(victim).wait(PATIENCE);
                let pid = self.cluster.replace_worker(victim);
                self.watch.replaced(victim, pid);
                if !self.wait(WORKERS) && episode.problem.is_none() {
                    episode.problem = Some("its successor has no share".to_owned());
                }
            }
            episodes.push(episode);
        }
        episodes
    }

    fn begin(&mut self, fault: Fault, victim: usize) {
        let network = self.network;
        match fault {
            Fault::Kill => {
                self.cluster.process(victim).signal(Signal::KILL);
                // Nobody is there whose connections could be looked at.
                self.cluster.process(victim).wait(PATIENCE);
            }
            Fault::Leave => self.cluster.process(victim).signal(Signal::TERM),
            Fault::Freeze => {
                self.cluster.process(victim).signal(Signal::STOP);
                self.watch.count(victim, Counted::No);
            }
            Fault::Cable10 | Fault::Cable90 => network.plug(victim, Link::Control, false),
            Fault::Cables => {
                self.watch.count(victim, Counted::AtBoth);
                network.plug(victim, Link::Control, false);
                network.plug(victim, Link::Load, false);
            }
            Fault::ToMaster => network.mute(victim),
            Fault::FromMaster => network.deafen(victim),
            Fault::Slow => {
                network.lose(victim, LOSS_PERCENT);
                if let Some(delay) = &self.cluster.delay {
                    delay.set(DELAY);
                }
            }
            Fault::Restart => self.cluster.kill_master(),
            Fault::Random => unreachable!("a row consists of others"),
        }
    }

    fn end(&mut self, fault: Fault, victim: usize) {
        let network = self.network;
        match fault {
            Fault::Kill | Fault::Leave | Fault::Random => {}
            Fault::Freeze => {
                self.watch.count(victim, Counted::AtTarget);
                self.cluster.process(victim).signal(Signal::CONT);
            }
            Fault::Cable10 | Fault::Cable90 => network.plug(victim, Link::Control, true),
            // What the cable has left behind still does not count.
            Fault::Cables => {
                network.plug(victim, Link::Control, true);
                network.plug(victim, Link::Load, true);
            }
            Fault::ToMaster | Fault::FromMaster => network.heal_worker(victim),
            Fault::Slow => {
                network.heal_worker(victim);
                if let Some(delay) = &self.cluster.delay {
                    delay.set(Duration::ZERO);
                }
            }
            Fault::Restart => self.cluster.restart_master(),
        }
    }

    /// Waits until all users are there, evenly on so many workers, for [`CALM`].
    fn wait(&self, workers: usize) -> bool {
        let users = self.users;
        self.watch.wait(CALM, RECOVERY_MAX, |seen, page: &Look| {
            band(users).contains(&seen) && page.is_even(users, workers)
        })
    }

    /// What is wrong with a worker's departure.
    fn left(&mut self, worker: usize) -> Option<String> {
        let process = self.cluster.process(worker);
        if process.is_running() {
            return Some("it has not left".to_owned());
        }
        let status = process.wait(PATIENCE);
        (!status.success()).then(|| format!("it left with {status}"))
    }
}

/// Users that count as all: one in a thousand may be between two connections.
pub(crate) fn band(users: u64) -> std::ops::RangeInclusive<u64> {
    let slack = (users / 1000).max(1);
    users - slack..=users + slack
}

/// SplitMix64: good enough to draw faults, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % limit as u64).expect("it is below the limit")
    }
}
