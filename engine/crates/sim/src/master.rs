//! A master's process, as `swarm-node` has it, and its disk.

use std::collections::BTreeMap;
use std::time::Duration;

use swarm_core::cluster::memory::Memory;
use swarm_core::cluster::{Action, Cluster, Load};
use swarm_core::dispatch::ClassShare;
use swarm_core::message::{Digest, Settings};
use swarm_core::plan::Population;
use swarm_stats::delta::Report;
use swarm_stats::{Accept, Ledger, Limits, Totals};

use crate::check::BACK_AFTER_CLOSE_US;
use crate::net::{Direction, Message};
use crate::world::{Event, World};

pub(crate) const MASTER_TICK_US: u64 = 20_000;

const MODULE: Digest = [7; 32];

/// What outlives the process. Every write is whole, or not there.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    memory: Option<Memory>,
    /// The last report of each stream that was applied.
    applied: BTreeMap<u64, u64>,
    /// All of the test, in order.
    reports: Vec<(String, Report)>,
    incomplete: bool,
}

#[derive(Debug)]
pub(crate) struct Master {
    pub(crate) number: u64,
    pub(crate) cluster: Cluster,
    ledger: Ledger,
    pub(crate) totals: Totals,
    /// Open connections; has its worker said goodbye?
    pub(crate) connections: BTreeMap<u64, bool>,
    pub(crate) incomplete: bool,
    /// The revision that is on disk.
    kept: u64,
    /// It dies in the middle of its next step: is that still kept?
    pub(crate) doomed: Option<bool>,
}

fn classes() -> Vec<ClassShare> {
    let class = |name: &str, weight| ClassShare {
        name: name.to_owned(),
        population: Population::Weight(weight),
    };
    vec![class("x", 3.0), class("y", 1.0)]
}

impl World {
    /// Starts a master, on what the last one left or with nothing.
    pub(crate) fn boot_master(&mut self, with_memory: bool) {
        self.masters += 1;
        // The clock of the machine is not exact.
        self.master_ahead_us += self.rng.u64(0..30_000);
        let now = self.master_now();
        // Seconds grow between two masters, more than tests can begin in.
        let first_test = self.masters * 10_000 + now.as_secs();
        let first_test = u32::try_from(first_test).expect("a short run");
        let memory = if with_memory { self.disk.memory.clone() } else { None };
        let mut totals = Totals::new(Limits::default());
        let mut ledger = Ledger::new();
        let cluster = match memory {
            Some(memory) => {
                for (worker, report) in &self.disk.reports {
                    totals.apply(worker, report);
                }
                for (&stream, &applied) in &self.disk.applied {
                    ledger.resume(stream, applied);
                }
                match Cluster::restore(MODULE, classes(), first_test, memory, now) {
                    Ok(cluster) => cluster,
                    Err(error) => return self.fail(format!("no master of the memory: {error}")),
                }
            }
            None => {
                self.disk = Disk::default();
                self.applied.clear();
                self.last_order = 0;
                Cluster::new(MODULE, classes(), first_test)
            }
        };
        self.master = Some(Master {
            number: self.masters,
            cluster,
            ledger,
            totals,
            connections: BTreeMap::new(),
            incomplete: self.disk.incomplete,
            kept: 0,
            doomed: None,
        });
        self.master_since_us = self.now_us;
        self.keep();
        self.after(MASTER_TICK_US, Event::MasterTick(self.masters));
        self.check_acknowledged();
    }

    /// What was acknowledged is in the ledger of the master that goes on.
    fn check_acknowledged(&mut self) {
        let Some(master) = &self.master else { return };
        for (&stream, &acknowledged) in &self.acknowledged {
            let applied = master.ledger.applied(stream);
            if self.applied.contains_key(&stream) && applied < acknowledged {
                let what = format!("report {acknowledged} was acknowledged, {applied} is known");
                return self.fail(what);
            }
        }
    }

    /// The master's clock.
    pub(crate) fn master_now(&self) -> Duration {
        Duration::from_micros(100_000_000 + self.now_us + self.master_ahead_us)
    }

    fn master_ms(&self) -> u64 {
        u64::try_from(self.master_now().as_millis()).expect("a short run")
    }

    /// Its process is gone; the kernel tells the workers, unless the machine is gone too.
    pub(crate) fn kill_master(&mut self, machine_too: bool) {
        let Some(master) = self.master.take() else { return };
        self.note(&format!(
            "the master dies{}",
            if machine_too { " with its machine" } else { "" }
        ));
        if !machine_too {
            for &connection in master.connections.keys() {
                let broken = self.rng.bool();
                self.send(connection, Direction::ToWorker, Message::End { broken });
            }
        }
        self.master_host_down = machine_too;
    }

    /// Writes what has changed, and what must be there before anybody is told.
    fn keep(&mut self) {
        let Some(master) = &mut self.master else { return };
        if master.cluster.revision() > master.kept || self.disk.memory.is_none() {
            let news = master.cluster.memory(master.kept);
            match &mut self.disk.memory {
                Some(memory) if master.kept > 0 => memory.update(news),
                memory => *memory = Some(news),
            }
            master.kept = master.cluster.revision();
        }
    }

    /// Does what the cluster has decided, or dies before that.
    pub(crate) fn obey_cluster(&mut self, actions: Vec<Action>) {
        if let Some(master) = &self.master {
            self.check.wanted(self.now_us, master.cluster.users_wanted());
        }
        if self.master.as_ref().is_some_and(|master| master.doomed.is_some() && !actions.is_empty())
        {
            if self.master.as_ref().is_some_and(|master| master.doomed == Some(true)) {
                self.keep();
                if actions.contains(&Action::Begun) {
                    self.disk.reports.clear();
                }
            }
            return self.kill_master(false);
        }
        self.keep();
        for action in actions {
            match action {
                Action::Order { connection, order } => {
                    if order.number <= self.last_order {
                        let (number, last) = (order.number, self.last_order);
                        return self.fail(format!("order {number} follows on {last}"));
                    }
                    self.last_order = order.number;
                    self.send(connection, Direction::ToWorker, Message::Order(order));
                }
                Action::Close { connection, .. } => {
                    self.drop_connection(connection);
                    let end = Message::End { broken: false };
                    self.send(connection, Direction::ToWorker, end);
                }
                Action::Notice(text) => {
                    self.may_be_missing |= text.contains("samples may be missing");
                    self.note(&format!("notice: {text}"));
                }
                Action::Begun => {
                    let now_ms = self.master_ms();
                    if let Some(master) = &mut self.master {
                        master.totals.start(now_ms);
                        master.incomplete = false;
                    }
                    self.disk.incomplete = false;
                    self.disk.reports.clear();
                    self.finished.clear();
                    self.may_be_missing = false;
                }
                Action::Ended => {
                    let now_ms = self.master_ms();
                    if let Some(master) = &mut self.master {
                        master.totals.stop(now_ms);
                    }
                    self.note("the test has ended");
                }
            }
        }
    }

    fn drop_connection(&mut self, connection: u64) -> Option<bool> {
        self.master.as_mut()?.connections.remove(&connection)
    }

    pub(crate) fn tick_master(&mut self) {
        let now = self.master_now();
        let Some(master) = &mut self.master else { return };
        let (number, actions) = (master.number, master.cluster.tick(now));
        self.obey_cluster(actions);
        self.after(MASTER_TICK_US, Event::MasterTick(number));
    }

    /// Something has come from a worker.
    pub(crate) fn master_hears(&mut self, connection: u64, message: Message) {
        let now = self.master_now();
        let Some(master) = &mut self.master else { return self.reset(connection) };
        if let Message::Join(info) = message {
            let (joined, actions) = master.cluster.join(now, connection, info);
            if joined.is_ok() {
                master.connections.insert(connection, false);
            }
            self.obey_cluster(actions);
            if self.master.is_none() {
                return self.reset(connection);
            }
            let master_ms = self.master_ms();
            let worker = self.net.connection(connection).map(|end| end.worker);
            match (joined, worker) {
                (Ok(_), Some(w)) => {
                    self.workers[w].joined_us = self.now_us;
                    self.disturb(BACK_AFTER_CLOSE_US);
                    self.send(connection, Direction::ToWorker, Message::Accepted { master_ms });
                }
                (Err(_), _) => self.send(connection, Direction::ToWorker, Message::Refused),
                _ => {}
            }
            return;
        }
        if !master.connections.contains_key(&connection) {
            return self.reset(connection);
        }
        match message {
            Message::Beat(beat, sent_us) => {
                let actions = master.cluster.heartbeat(now, connection, beat);
                self.obey_cluster(actions);
                let master_ms = self.master_ms();
                if self.master.is_some() {
                    let answer = Message::Answer { sent_us, master_ms };
                    self.send(connection, Direction::ToWorker, answer);
                }
            }
            Message::Report(report) => {
                if let Some(sequence) = self.take_report(connection, *report) {
                    let message = Message::Acknowledged(sequence);
                    self.send(connection, Direction::ToWorker, message);
                }
            }
            Message::Leave => {
                master.connections.insert(connection, true);
            }
            Message::End { broken } => {
                let left = self.drop_connection(connection).unwrap_or_default();
                let Some(master) = &mut self.master else { return };
                if broken && !left {
                    return master.cluster.broke(connection);
                }
                let actions = master.cluster.closed(now, connection, left);
                self.obey_cluster(actions);
            }
            _ => {}
        }
    }

    /// The connection is none, for this end.
    fn reset(&mut self, connection: u64) {
        if !self.master_host_down {
            self.send(connection, Direction::ToWorker, Message::End { broken: true });
        }
    }

    /// Adds a report to the result. The number to acknowledge, or none when it is 0.
    fn take_report(&mut self, connection: u64, report: Report) -> Option<u64> {
        let now = self.master_now();
        if self.master.as_ref()?.doomed == Some(false) {
            self.kill_master(false);
            return None;
        }
        let master = self.master.as_mut()?;
        let worker = master.cluster.worker_of(connection)?;
        let (id, stream) = (worker.info().id.clone(), worker.info().stream);
        if report.stream != stream {
            return None;
        }
        let sequence = report.sequence;
        if Some(report.test) != master.cluster.test_number() {
            master.ledger.resume(stream, sequence);
        } else {
            let accept = master.ledger.take(stream, sequence);
            if let Accept::Gap(due) = accept {
                master.incomplete = true;
                self.disk.incomplete = true;
                let senders = self.workers.iter().filter_map(|worker| worker.process.as_ref());
                if senders.into_iter().any(|end| end.stream == stream && !end.dropped) {
                    self.fail(format!("stream {stream} sent {sequence} where {due} was due"));
                    return None;
                }
            }
            let master = self.master.as_mut()?;
            if accept != Accept::Repeated {
                master.totals.apply(&id, &report);
                master.cluster.reported(now, connection);
                self.disk.reports.push((id, report.clone()));
                let first = self.applied.entry(stream).or_default().insert(sequence, report);
                if first.is_some() {
                    self.fail(format!("report {sequence} of stream {stream} counts twice"));
                    return None;
                }
            }
        }
        let master = self.master.as_mut()?;
        let applied = master.ledger.applied(stream);
        // On disk with what it stands for, and then told.
        self.disk.applied.insert(stream, applied);
        if master.doomed == Some(true) {
            self.kill_master(false);
            return None;
        }
        let acknowledged = self.acknowledged.entry(stream).or_default();
        *acknowledged = applied.max(*acknowledged);
        Some(applied)
    }

    /// Starts a test, or changes its load.
    pub(crate) fn start(&mut self, users: u32, spawn_rate: f64, run_time: Option<Duration>) {
        let now = self.master_now();
        let stop_timeout_ms = if self.rng.bool() { 0 } else { self.rng.u64(0..3000) };
        let settings = Settings { stop_timeout_ms, ..Settings::default() };
        let only_classes = Vec::new();
        let load = Load { users, spawn_rate, run_time, settings, only_classes };
        let Some(master) = &mut self.master else { return };
        if let Ok(actions) = master.cluster.start(now, load) {
            self.note(&format!("{users} users at {spawn_rate:.1}/s for {run_time:?}"));
            self.stopping_since_us = None;
            self.obey_cluster(actions);
        }
    }

    pub(crate) fn stop(&mut self) {
        let now = self.master_now();
        let Some(master) = &mut self.master else { return };
        let actions = master.cluster.stop(now);
        self.note("stop");
        self.obey_cluster(actions);
    }
}
