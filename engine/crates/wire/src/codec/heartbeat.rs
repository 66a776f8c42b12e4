//! Heartbeats: a worker's regular sign of life.

use swarm_core::message::{Heartbeat, WorkerState};

use super::field::{Result, at_most, finite, holds, list_len, read_text, sound, text};
use crate::generated::swarm_capnp::{WorkerState as WireState, heartbeat};
use crate::limits::{CLASSES_MAX, ORDER_IDS_MAX, REASON_BYTES_MAX};

pub(crate) fn write(beat: &Heartbeat, mut to: heartbeat::Builder<'_>) -> Result<()> {
    check(beat)?;
    to.set_state(match beat.state {
        WorkerState::Preparing => WireState::Preparing,
        WorkerState::Ready => WireState::Ready,
        WorkerState::Spawning => WireState::Spawning,
        WorkerState::Running => WireState::Running,
        WorkerState::Stopping => WireState::Stopping,
    });
    to.set_order_done(beat.order_done);
    let mut users = to.reborrow().init_users(list_len("users", beat.users.len(), CLASSES_MAX)?);
    for (i, (class, count)) in (0..).zip(&beat.users) {
        let mut to = users.reborrow().get(i);
        to.set_class(*class);
        to.set_users(*count);
    }
    let len = list_len("finished", beat.finished.len(), ORDER_IDS_MAX)?;
    let mut finished = to.reborrow().init_finished(len);
    for (i, id) in (0..).zip(&beat.finished) {
        finished.set(i, *id);
    }
    to.set_cpu_percent(beat.cpu_percent);
    to.set_memory_bytes(beat.memory_bytes);
    let mut problem = to.init_problem();
    match &beat.problem {
        None => problem.set_none(()),
        Some(what) => problem.set_some(text("problem", what, REASON_BYTES_MAX)?),
    }
    Ok(())
}

pub(crate) fn read(from: heartbeat::Reader<'_>) -> Result<Heartbeat> {
    let state = match sound("state", from.get_state())? {
        WireState::Preparing => WorkerState::Preparing,
        WireState::Ready => WorkerState::Ready,
        WireState::Spawning => WorkerState::Spawning,
        WireState::Running => WorkerState::Running,
        WireState::Stopping => WorkerState::Stopping,
    };
    let users = sound("users", from.get_users())?;
    at_most("users", u64::from(users.len()), u64::from(CLASSES_MAX), "items long")?;
    let finished = sound("finished", from.get_finished())?;
    at_most("finished", u64::from(finished.len()), u64::from(ORDER_IDS_MAX), "items long")?;
    let problem = match sound("problem", from.get_problem().which())? {
        heartbeat::problem::None(()) => None,
        heartbeat::problem::Some(what) => Some(read_text("problem", what, REASON_BYTES_MAX)?),
    };
    let beat = Heartbeat {
        state,
        order_done: from.get_order_done(),
        users: users.iter().map(|count| (count.get_class(), count.get_users())).collect(),
        finished: finished.iter().collect(),
        cpu_percent: from.get_cpu_percent(),
        memory_bytes: from.get_memory_bytes(),
        problem,
    };
    check(&beat)?;
    Ok(beat)
}

fn check(beat: &Heartbeat) -> Result<()> {
    let mut classes = Vec::with_capacity(beat.users.len().min(CLASSES_MAX as usize));
    for (class, _) in &beat.users {
        at_most("users.class", u64::from(*class), u64::from(CLASSES_MAX - 1), "as an index")?;
        classes.push(*class);
    }
    classes.sort_unstable();
    holds("users", classes.is_sorted_by(|a, b| a < b), "name a class twice")?;
    holds("finished", beat.finished.is_sorted_by(|a, b| a < b), "is not ascending")?;
    finite("cpuPercent", f64::from(beat.cpu_percent))?;
    holds("cpuPercent", beat.cpu_percent >= 0.0, "is negative")
}
