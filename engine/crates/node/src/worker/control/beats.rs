//! The clock of a worker's loop, and its signs of life.

use std::time::Duration;

use swarm_core::agent::{LEAVE_ALONE_MAX, LEAVE_MAX};
use swarm_core::message::Heartbeat;
use swarm_wire::WireError;
use tokio::time::Instant;

use super::{Control, Event};
use crate::process::resident_bytes;
use crate::shard::LoadThread;
use crate::worker::WorkerEnd;

/// How often the agent looks at the clock, in milliseconds.
const TICK_MS: u64 = 20;

/// The same while users start, stop or move: they stop up to this much late.
const BUSY_TICK_MS: u64 = 5;

/// How often the master hears of a change that is being carried out, in milliseconds. All workers
/// speak at the same moments by the master's clock, so a user that moves is in the words of one
/// worker, and in neither only while it is nowhere.
const CHANGE_INTERVAL_MS: u64 = 100;

/// The shortest way to the master and back is outdone by a longer one after about this many.
const TRIP_DECAY: u32 = 16;

impl Control {
    /// Looks at the clock.
    pub(super) fn tick(&mut self) {
        let now = self.clock.now();
        let actions = self.agent.tick(now);
        self.apply(now, actions);
        let changing = self.agent.is_changing();
        let period = self.clock.master_ms(now) / CHANGE_INTERVAL_MS;
        let told = std::mem::replace(&mut self.beat_period, period) == period;
        let last_word = std::mem::replace(&mut self.changing, changing) && !changing;
        if last_word || changing && !told {
            self.beat();
        }
        if let Some(since) = self.leaving_since {
            self.end = self.left(now, since);
        }
        self.schedule_tick();
    }

    /// How a worker that leaves since then has ended, if it has.
    fn left(&self, now: Duration, since: Duration) -> Option<WorkerEnd> {
        if self.agent.users() == 0 && self.flushed() {
            return Some(WorkerEnd::Left);
        }
        let leaving = now.saturating_sub(since);
        let why = match self.joining.alone(now) {
            Some(alone) if alone.min(leaving) > LEAVE_ALONE_MAX => "the master is not there",
            _ if leaving > LEAVE_MAX => "there was not enough time",
            _ => return None,
        };
        let users = match self.agent.users() {
            0 => String::new(),
            users => format!("{users} users were cut off, and "),
        };
        let text = format!("{users}the last samples could not be handed to the master: {why}");
        Some(WorkerEnd::Unreported(text))
    }

    /// Chooses when to look at the clock again: when the master's shows a multiple of the time
    /// between two looks, so that all workers look, and tell what they see, at the same moment.
    pub(super) fn schedule_tick(&mut self) {
        let now = self.clock.now();
        let busy = self.agent.is_changing();
        let every_ms = if busy { BUSY_TICK_MS } else { TICK_MS };
        let rest_ms = every_ms - self.clock.master_ms(now) % every_ms;
        let at = self.clock.instant(now + Duration::from_millis(rest_ms));
        self.tick_at = Instant::from_std(at);
    }

    /// A heartbeat that left at `sent` was answered when the master's clock showed `master_ms`.
    pub(super) fn answered(&mut self, now: Duration, sent: Duration, master_ms: u64) {
        self.agent.answered(sent);
        self.joining.answered();
        // The answer was made between the two; half way is the best guess, and the better the
        // shorter the way was. Users that move do so by this clock.
        let trip = now.saturating_sub(sent);
        if trip <= self.trip {
            self.trip = trip;
            self.clock.synchronise(sent + trip / 2, master_ms);
            self.agent.synchronised(trip / 2);
        } else {
            // Ways grow longer and clocks drift: the shortest is not the best for ever.
            self.trip += (trip - self.trip) / TRIP_DECAY;
        }
        self.beaten();
    }

    /// A heartbeat is over.
    pub(super) fn beaten(&mut self) {
        self.beating = false;
        if std::mem::take(&mut self.beat_again) {
            self.beat();
        }
    }

    /// Gives a sign of life now, or as soon as the last is answered.
    pub(super) fn beat(&mut self) {
        let Some((link, session)) = self.session.clone() else { return };
        if std::mem::replace(&mut self.beating, true) {
            self.beat_again = true;
            return;
        }
        let sent = self.clock.now();
        let beat = Heartbeat {
            in_flight: self.threads.iter().map(LoadThread::in_flight).sum(),
            cpu_percent: self.cpu.percent(sent),
            memory_bytes: resident_bytes(),
            problem: self.problem.clone(),
            room: self.prepared.as_ref().map(|prepared| prepared.room).unwrap_or_default(),
            warning: self.memory.look().or_else(|| self.prepared.as_ref()?.warning.clone()),
            ..self.agent.status(self.flushed())
        };
        self.spawn(async move {
            match session.heartbeat(&beat).await {
                Ok(master_ms) => Event::HeartbeatAnswered { link, sent, master_ms },
                Err(error @ (WireError::Unsendable(_) | WireError::Remote(_))) => {
                    tracing::warn!("the master cannot read this worker's heartbeat: {error}");
                    Event::HeartbeatFailed { link }
                }
                Err(error) => {
                    tracing::debug!("a heartbeat was not answered: {error}");
                    Event::HeartbeatFailed { link }
                }
            }
        });
    }
}
