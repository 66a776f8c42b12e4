//! Heartbeats: a worker's regular sign of life.

use swarm_core::message::{Heartbeat, Room, WorkerState};

use super::field::{Result, at_most, finite, holds, list_len, read_text, sound};
use super::ids::{self, Budget};
use super::info::shortened;
use crate::generated::swarm_capnp::{WorkerState as WireState, heartbeat};
use crate::limits::{CLASSES_MAX, COUNT_MAX, REASON_BYTES_MAX};

pub(crate) fn write(beat: &Heartbeat, mut to: heartbeat::Builder<'_>) -> Result<()> {
    check(beat)?;
    to.set_state(match beat.state {
        WorkerState::Preparing => WireState::Preparing,
        WorkerState::Ready => WireState::Ready,
        WorkerState::Spawning => WireState::Spawning,
        WorkerState::Running => WireState::Running,
        WorkerState::Stopping => WireState::Stopping,
        WorkerState::Leaving => WireState::Leaving,
    });
    to.set_order_done(beat.order_done);
    to.set_order_taken(beat.order_taken);
    to.set_in_flight(beat.in_flight);
    let mut users = to.reborrow().init_users(list_len("users", beat.users.len(), CLASSES_MAX)?);
    for (i, (class, count)) in (0..).zip(&beat.users) {
        let mut to = users.reborrow().get(i);
        to.set_class(*class);
        to.set_users(*count);
    }
    let len = Budget::default().take("finished", &beat.finished)?;
    ids::write(&beat.finished, to.reborrow().init_finished(len));
    to.set_cpu_percent(beat.cpu_percent);
    to.set_memory_bytes(beat.memory_bytes);
    let mut problem = to.reborrow().init_problem();
    match &beat.problem {
        None => problem.set_none(()),
        Some(what) => problem.set_some(shortened(what, REASON_BYTES_MAX)),
    }
    match beat.room.own {
        None => to.reborrow().init_own_room().set_unlimited(()),
        Some(limit) => to.reborrow().init_own_room().set_limit(limit),
    }
    match beat.room.shared {
        None => to.reborrow().init_shared_room().set_unlimited(()),
        Some(limit) => to.reborrow().init_shared_room().set_limit(limit),
    }
    let mut warning = to.init_warning();
    match &beat.warning {
        None => warning.set_none(()),
        Some(what) => warning.set_some(shortened(what, REASON_BYTES_MAX)),
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
        WireState::Leaving => WorkerState::Leaving,
    };
    let users = sound("users", from.get_users())?;
    at_most("users", u64::from(users.len()), u64::from(CLASSES_MAX), "items long")?;
    let finished = ids::read("finished", from.get_finished(), &mut Budget::default())?;
    let problem = match sound("problem", from.get_problem().which())? {
        heartbeat::problem::None(()) => None,
        heartbeat::problem::Some(what) => Some(read_text("problem", what, REASON_BYTES_MAX)?),
    };
    let own = match sound("ownRoom", from.get_own_room().which())? {
        heartbeat::own_room::Unlimited(()) => None,
        heartbeat::own_room::Limit(limit) => Some(limit),
    };
    let shared = match sound("sharedRoom", from.get_shared_room().which())? {
        heartbeat::shared_room::Unlimited(()) => None,
        heartbeat::shared_room::Limit(limit) => Some(limit),
    };
    let warning = match sound("warning", from.get_warning().which())? {
        heartbeat::warning::None(()) => None,
        heartbeat::warning::Some(what) => Some(read_text("warning", what, REASON_BYTES_MAX)?),
    };
    let beat = Heartbeat {
        state,
        order_done: from.get_order_done(),
        order_taken: from.get_order_taken(),
        users: users.iter().map(|count| (count.get_class(), count.get_users())).collect(),
        finished,
        in_flight: from.get_in_flight(),
        cpu_percent: from.get_cpu_percent(),
        memory_bytes: from.get_memory_bytes(),
        problem,
        room: Room { own, shared },
        warning,
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
    at_most("inFlight", beat.in_flight, COUNT_MAX, "requests")?;
    finite("cpuPercent", f64::from(beat.cpu_percent))?;
    holds("cpuPercent", beat.cpu_percent >= 0.0, "is negative")
}
