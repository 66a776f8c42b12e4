//! Connections over links that delay, hold back, and end.
//!
//! A direction of a link that is cut holds everything back, as TCP does that sends again what was
//! lost; what is on its way when the cut comes is lost too, and so held. When the cut is mended it
//! follows after a moment, in its order.

use std::collections::{BTreeMap, VecDeque};

use swarm_core::message::{Heartbeat, Order, WorkerInfo};
use swarm_stats::delta::Report;

/// After a cut is mended TCP needs up to this long to try again, in microseconds.
const RETRANSMIT_MAX_US: u64 = 400_000;

/// What travels over a connection.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    Join(WorkerInfo),
    /// With the worker's clock when it left.
    Beat(Heartbeat, u64),
    Report(Box<Report>),
    Leave,
    Accepted {
        master_ms: u64,
    },
    Refused,
    Order(Box<Order>),
    /// To the heartbeat that left then.
    Answer {
        sent_us: u64,
        master_ms: u64,
    },
    Acknowledged(u64),
    /// The connection has ended, as seen by the other side: its process has closed it (FIN), or it
    /// is `broken` (RST), be it by that side's machine or by something on the way.
    End {
        broken: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    ToMaster,
    ToWorker,
}

/// The way between a worker's machine and the master's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) up: bool,
    pub(crate) down: bool,
    pub(crate) delay_us: (u64, u64),
}

impl Link {
    pub(crate) fn carries(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToMaster => self.up,
            Direction::ToWorker => self.down,
        }
    }
}

#[derive(Debug, Default)]
struct Pipe {
    /// Nothing overtakes this.
    last_us: u64,
    sent: u64,
    /// On its way, with its number.
    flying: VecDeque<(u64, Message)>,
    held: VecDeque<(u64, Message)>,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) worker: usize,
    /// Which process of that worker.
    pub(crate) process: u64,
    up: Pipe,
    down: Pipe,
}

impl Connection {
    fn pipe(&mut self, direction: Direction) -> &mut Pipe {
        match direction {
            Direction::ToMaster => &mut self.up,
            Direction::ToWorker => &mut self.down,
        }
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Net {
    pub(crate) links: Vec<Link>,
    connections: BTreeMap<u64, Connection>,
    last: u64,
}

impl Net {
    pub(crate) fn connect(&mut self, worker: usize, process: u64) -> u64 {
        self.last += 1;
        let (up, down) = (Pipe::default(), Pipe::default());
        self.connections.insert(self.last, Connection { worker, process, up, down });
        self.last
    }

    pub(crate) fn connection(&self, connection: u64) -> Option<&Connection> {
        self.connections.get(&connection)
    }

    /// Both ends have forgotten it.
    pub(crate) fn forget(&mut self, connection: u64) {
        self.connections.remove(&connection);
    }

    /// Connections of a worker's machine.
    pub(crate) fn of(&self, worker: usize) -> Vec<u64> {
        let of_worker = self.connections.iter().filter(|(_, end)| end.worker == worker);
        of_worker.map(|(&connection, _)| connection).collect()
    }

    /// Sends; says when it arrives, unless it is held back.
    pub(crate) fn send(
        &mut self,
        now_us: u64,
        rng: &mut fastrand::Rng,
        connection: u64,
        direction: Direction,
        message: Message,
    ) -> Option<u64> {
        let end = self.connections.get_mut(&connection)?;
        let link = self.links[end.worker];
        let pipe = end.pipe(direction);
        pipe.sent += 1;
        let message = (pipe.sent, message);
        if !link.carries(direction) || !pipe.held.is_empty() {
            pipe.held.push_back(message);
            return None;
        }
        let at = (now_us + rng.u64(link.delay_us.0..=link.delay_us.1)).max(pipe.last_us + 1);
        pipe.last_us = at;
        pipe.flying.push_back(message);
        Some(at)
    }

    /// What arrives now, unless it is lost on the way.
    pub(crate) fn arrive(&mut self, connection: u64, direction: Direction) -> Option<Message> {
        let end = self.connections.get_mut(&connection)?;
        let link = self.links[end.worker];
        let pipe = end.pipe(direction);
        let message = pipe.flying.pop_front()?;
        if link.carries(direction) && pipe.held.is_empty() {
            return Some(message.1);
        }
        pipe.held.push_back(message);
        None
    }

    /// A cut is mended: what was held back follows. Says when each arrives.
    pub(crate) fn mend(
        &mut self,
        now_us: u64,
        rng: &mut fastrand::Rng,
        worker: usize,
        direction: Direction,
    ) -> Vec<(u64, u64)> {
        let link = self.links[worker];
        let mut arrivals = Vec::new();
        let of_worker = self.connections.iter_mut().filter(|(_, end)| end.worker == worker);
        for (&connection, end) in of_worker {
            let pipe = end.pipe(direction);
            let retry = rng.u64(0..RETRANSMIT_MAX_US);
            // What still flies was lost too.
            let mut all: Vec<_> = pipe.held.drain(..).chain(pipe.flying.drain(..)).collect();
            all.sort_by_key(|&(number, _)| number);
            for message in all {
                let at = (now_us + retry + link.delay_us.1).max(pipe.last_us + 1);
                pipe.last_us = at;
                pipe.flying.push_back(message);
                arrivals.push((at, connection));
            }
        }
        arrivals
    }
}
