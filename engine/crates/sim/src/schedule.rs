//! What befalls the cluster, drawn from the seed: bursts of faults and changes, each followed by a
//! while without any, after which all has to be in order.

use std::time::Duration;

use swarm_core::cluster::{AWAIT_MAX, State};
use swarm_core::message::WEIGHT_MAX;

use crate::Failure;
use crate::check::{BACK_AFTER_CLOSE_US, BACK_AFTER_SILENCE_US};
use crate::net::{Direction, Message};
use crate::world::World;

/// How large a cluster gets.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// Machines for workers.
    machines: usize,
    /// Of them there from the start.
    first: usize,
    /// Most users of a test.
    users: u32,
    /// Most users of a worker that has a limit.
    limit: u32,
    /// Spawn rates: the usual one, and the range of the others.
    rate: f64,
    rates: (u32, u32),
}

const SMALL: Size =
    Size { machines: 7, first: 4, users: 60, limit: 30, rate: 100.0, rates: (2, 40) };

const LARGE: Size =
    Size { machines: 40, first: 30, users: 2000, limit: 200, rate: 1000.0, rates: (50, 400) };

/// One seed of so many is a large cluster: it takes as long as some fifty small ones.
const LARGE_EVERY: u64 = 100;

/// Of so many things that happen one is a flurry.
const FLURRY_EVERY: u8 = 4;

/// Longest pauses between two changes of a flurry, in milliseconds: within the lead of a rebalance,
/// and within its spread.
const FLURRY_PAUSES_MS: [u64; 2] = [60, 900];

/// Without any fault the cluster is in order after this long, the ramp apart: an attempt to connect
/// (5 s) and a pause (2 s), a silent worker (3 s), who does not come back to a restarted master
/// (5 s), users that move (1.25 s) or finish their tasks (3 s), and reports that wait.
const SETTLE: Duration = Duration::from_secs(22);

/// Draws what befalls a cluster.
#[derive(Debug)]
pub struct Schedule {
    rng: fastrand::Rng,
    size: Size,
    time: Duration,
    /// Of the load that was asked for last.
    rate: f64,
}

type Result = std::result::Result<(), Box<Failure>>;

impl Schedule {
    /// What befalls the cluster of this seed within some time.
    pub fn new(seed: u64, time: Duration) -> Self {
        let rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let size = if seed % LARGE_EVERY == LARGE_EVERY - 1 { LARGE } else { SMALL };
        Self { rng, size, time, rate: 1.0 }
    }

    /// Lets it befall.
    ///
    /// # Errors
    /// When a rule does not hold.
    pub fn play(&mut self, world: &mut World) -> Result {
        world.boot_master(false);
        for _ in 0..self.rng.usize(1..=self.size.first) {
            self.add_worker(world);
        }
        self.wait(world, 2000)?;
        self.load(world);
        while Duration::from_micros(world.now_us) < self.time {
            for _ in 0..self.rng.usize(1..=5) {
                if self.rng.u8(0..FLURRY_EVERY) == 0 {
                    self.flurry(world)?;
                } else {
                    self.befall(world);
                }
                self.wait(world, 4000)?;
            }
            self.heal(world);
            let ramp = f64::from(self.size.users) / self.rate;
            world.run(SETTLE + Duration::from_secs_f64(ramp))?;
            world.check_settled();
            world.run(Duration::ZERO)?;
        }
        world.stop();
        world.run(SETTLE)?;
        world.check_settled();
        world.run(Duration::ZERO)
    }

    fn wait(&mut self, world: &mut World, max_ms: u64) -> Result {
        let ms = if self.rng.u8(0..4) == 0 { self.rng.u64(0..60) } else { self.rng.u64(0..max_ms) };
        world.run(Duration::from_millis(ms))
    }

    /// Workers come and go and the load changes while the users of the change before are still on
    /// their way.
    fn flurry(&mut self, world: &mut World) -> Result {
        for _ in 0..self.rng.usize(3..=7) {
            world.seen.faults += 1;
            world.disturb(BACK_AFTER_CLOSE_US);
            match self.rng.u8(0..10) {
                0..=2 => self.come(world),
                3..=5 => self.leave(world),
                6..=7 => self.load(world),
                8 => self.kill(world),
                _ => self.break_connection(world),
            }
            let pause_max_ms = FLURRY_PAUSES_MS[self.rng.usize(0..FLURRY_PAUSES_MS.len())];
            world.run(Duration::from_millis(self.rng.u64(0..pause_max_ms)))?;
        }
        Ok(())
    }

    /// A worker comes, on a machine that had one or on a new one.
    fn come(&mut self, world: &mut World) {
        if world.workers.iter().any(|worker| worker.process.is_none()) && self.rng.bool() {
            self.boot(world);
        } else {
            self.add_worker(world);
        }
    }

    fn leave(&mut self, world: &mut World) {
        let worker = self.some_worker(world);
        if let Some(w) = worker.filter(|&w| world.workers[w].frozen.is_none()) {
            world.note(&format!("worker {w} leaves"));
            world.leave(w);
        }
    }

    fn add_worker(&mut self, world: &mut World) {
        if world.workers.len() < self.size.machines {
            let users_max =
                if self.rng.u8(0..4) == 0 { Some(self.rng.u32(0..self.size.limit)) } else { None };
            let weight = if self.rng.u8(0..4) == 0 { self.rng.u32(1..=WEIGHT_MAX) } else { 1 };
            let w = world.add_machine(users_max, weight);
            world.note(&format!(
                "worker {w} is there, with at most {users_max:?} users and weight {weight}"
            ));
            world.boot(w);
        }
    }

    fn load(&mut self, world: &mut World) {
        if world.master.is_none() {
            return;
        }
        let users = self.rng.u32(0..=self.size.users);
        let Size { rate, rates: (low, high), .. } = self.size;
        self.rate = if self.rng.bool() { rate } else { f64::from(self.rng.u32(low..high)) };
        let run_time = self.rng.u8(0..5) == 0;
        let run_time = run_time.then(|| Duration::from_secs(self.rng.u64(1..40)));
        world.start(users, self.rate, run_time);
    }

    fn some_worker(&mut self, world: &World) -> Option<usize> {
        let there: Vec<usize> =
            (0..world.workers.len()).filter(|&w| world.workers[w].process.is_some()).collect();
        self.rng.choice(there)
    }

    fn befall(&mut self, world: &mut World) {
        world.seen.faults += 1;
        world.disturb(BACK_AFTER_CLOSE_US);
        match self.rng.u8(0..16) {
            0 => self.kill(world),
            1 => self.boot(world),
            2 => self.add_worker(world),
            3 => self.freeze(world),
            4 | 5 => self.cut(world),
            6 => self.break_connection(world),
            7 | 8 => self.kill_master(world),
            9 => self.boot_master(world),
            10 | 11 => self.load(world),
            12 => world.stop(),
            13 => self.leave(world),
            _ => self.end_users(world),
        }
    }

    fn kill(&mut self, world: &mut World) {
        let Some(w) = self.some_worker(world) else { return };
        let quietly = self.rng.bool();
        world.note(&format!("worker {w} dies{}", if quietly { " with its machine" } else { "" }));
        world.kill(w, quietly);
        if quietly {
            world.disturb(BACK_AFTER_SILENCE_US);
        }
    }

    fn boot(&mut self, world: &mut World) {
        let gone = (0..world.workers.len()).filter(|&w| world.workers[w].process.is_none());
        if let Some(w) = self.rng.choice(gone.collect::<Vec<_>>()) {
            world.note(&format!("worker {w} starts again"));
            world.mend(w);
            world.boot(w);
        }
    }

    fn freeze(&mut self, world: &mut World) {
        let Some(w) = self.some_worker(world) else { return };
        if world.workers[w].frozen.is_some() {
            world.note(&format!("worker {w} thaws"));
            world.thaw(w);
        } else {
            world.note(&format!("worker {w} freezes"));
            world.disturb(BACK_AFTER_SILENCE_US);
            world.workers[w].frozen = Some(Vec::new());
        }
    }

    fn cut(&mut self, world: &mut World) {
        let Some(w) = self.some_worker(world) else { return };
        let link = &mut world.net.links[w];
        if !(link.up && link.down) {
            world.note(&format!("the way of worker {w} is mended"));
            return world.mend(w);
        }
        match self.rng.u8(0..3) {
            0 => link.up = false,
            1 => link.down = false,
            _ => (link.up, link.down) = (false, false),
        }
        let (up, down) = (link.up, link.down);
        world.disturb(BACK_AFTER_SILENCE_US);
        world.note(&format!("the way of worker {w} is cut: to master {up}, from master {down}"));
    }

    /// A connection ends, as by something on the way: for both ends or for one.
    fn break_connection(&mut self, world: &mut World) {
        let Some(w) = self.some_worker(world) else { return };
        let sides = self.rng.u8(1..4);
        world.note(&format!("the connection of worker {w} breaks ({sides})"));
        world.break_connection(w, sides & 1 > 0, sides & 2 > 0);
    }

    fn kill_master(&mut self, world: &mut World) {
        match self.rng.u8(0..4) {
            0 => world.kill_master(true),
            1 => world.kill_master(false),
            kept => {
                if let Some(master) = &mut world.master {
                    master.doomed = Some(kept == 2);
                    world.note(&format!("the master will die (kept: {})", kept == 2));
                }
            }
        }
    }

    fn boot_master(&mut self, world: &mut World) {
        if world.master.is_none() {
            let with_memory = self.rng.u8(0..8) > 0;
            world.note(&format!("a master starts (memory: {with_memory})"));
            world.master_host_down = false;
            world.mend_all();
            world.boot_master(with_memory);
        }
    }

    fn end_users(&mut self, world: &mut World) {
        let Some(w) = self.some_worker(world).filter(|&w| world.workers[w].frozen.is_none()) else {
            return;
        };
        let running = world.process(w).running();
        for _ in 0..self.rng.usize(1..=3) {
            if let Some(&id) = self.rng.choice(&running) {
                world.note(&format!("user {id} of worker {w} finishes"));
                world.end_user(w, id, true);
            }
        }
    }

    /// Everything works again, and there is a worker.
    fn heal(&mut self, world: &mut World) {
        if let Some(master) = &mut world.master {
            master.doomed = None;
        }
        self.boot_master(world);
        for w in 0..world.workers.len() {
            if world.workers[w].process.is_some() || self.rng.bool() || w == 0 {
                world.mend(w);
                if world.workers[w].process.is_none() {
                    world.boot(w);
                }
                world.thaw(w);
            }
        }
        world.disturb(BACK_AFTER_CLOSE_US);
        let state = world.master.as_ref().map(|master| master.cluster.state());
        if state != Some(State::Running) && self.rng.u8(0..4) > 0 {
            self.load(world);
        }
        world.note(&format!(
            "all is well again; within {AWAIT_MAX:?} and more it has to be in order"
        ));
    }
}

impl World {
    /// A process dies; its machine tells the master, unless that dies too.
    pub(crate) fn kill(&mut self, w: usize, machine_too: bool) {
        let connections = self.net.of(w);
        self.workers[w].frozen = None;
        self.bury(w);
        if machine_too {
            let link = &mut self.net.links[w];
            (link.up, link.down) = (false, false);
        } else {
            // What the process had not read yet makes it a reset.
            let broken = self.rng.u8(0..4) == 0;
            for connection in connections {
                self.send(connection, Direction::ToMaster, Message::End { broken });
            }
        }
    }

    pub(crate) fn mend(&mut self, w: usize) {
        for direction in [Direction::ToMaster, Direction::ToWorker] {
            let link = &mut self.net.links[w];
            let there = match direction {
                Direction::ToMaster => std::mem::replace(&mut link.up, true),
                Direction::ToWorker => std::mem::replace(&mut link.down, true),
            };
            if !there {
                self.mend_direction(w, direction);
            }
        }
    }

    /// The master's machine is there again.
    pub(crate) fn mend_all(&mut self) {
        for w in 0..self.workers.len() {
            if self.net.links[w].up {
                self.mend_direction(w, Direction::ToMaster);
            }
        }
    }

    fn mend_direction(&mut self, w: usize, direction: Direction) {
        let now_us = self.now_us;
        for (at, connection) in self.net.mend(now_us, &mut self.rng, w, direction) {
            self.after(at - now_us, crate::world::Event::Arrive(connection, direction));
        }
    }

    pub(crate) fn thaw(&mut self, w: usize) {
        if let Some(waiting) = self.workers[w].frozen.take() {
            self.workers[w].thawed_us = self.now_us;
            for event in waiting {
                let late = self.rng.u64(0..1000);
                self.after(late, event);
            }
        }
    }

    /// Each end that notices takes the connection for ended.
    pub(crate) fn break_connection(&mut self, w: usize, master_sees: bool, worker_sees: bool) {
        let Some(process) = &self.workers[w].process else { return };
        let Some(connection) = process.session else { return };
        if worker_sees {
            self.send(connection, Direction::ToWorker, Message::End { broken: true });
        }
        if master_sees {
            self.send(connection, Direction::ToMaster, Message::End { broken: true });
        }
    }
}
