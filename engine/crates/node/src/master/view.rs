//! How the master looks to people: the page's view, and the summary at the end.

use std::sync::Arc;

use swarm_core::cluster::State as TestState;
use swarm_core::cluster::worker::Worker;
use swarm_core::message::WorkerState;
use swarm_guest::module::digest_text;
use swarm_stats::lateness::WorkerLateness;
use swarm_stats::report::json::{Summary, WorkerSummary};
use swarm_stats::report::rfc3339;
use swarm_stats::snapshot::Snapshot;
use swarm_web::view::{ClassView, View, WorkerPhase, WorkerView};

use super::end::nothing_answered;
use super::late;
use super::state::State;

/// Workers with a late load thread that are named, the latest first.
const LATE_WORKERS_MAX: usize = 3;

/// The page's view of `state`.
pub(super) fn view(state: &mut State, now_ms: u64) -> View {
    let stats = Arc::new(state.results.totals.snapshot(now_ms));
    let cluster = &state.cluster;
    let load = cluster.load();
    let users = cluster.users_by_class();
    let classes = state.config.plan.classes.iter().zip(users);
    View {
        state: cluster.state(),
        scenario: state.config.scenario.clone(),
        host: state.results.settings.host.clone().unwrap_or_default(),
        user_count: cluster.users(),
        in_flight: cluster.in_flight(),
        target_users: load.map_or(state.config.users.unwrap_or(0), |load| load.users),
        spawn_rate: load.map_or(state.config.spawn_rate.unwrap_or(0.0), |load| load.spawn_rate),
        run_time_s: load
            .map_or(state.config.run_time, |load| load.run_time)
            .map(|time| time.as_secs()),
        classes: (0..)
            .zip(classes)
            .map(|(index, (class, user_count))| ClassView {
                name: class.name.clone(),
                user_count,
                runs: load.is_none_or(|load| load.runs(index)),
            })
            .collect(),
        tasks: Arc::clone(&state.tasks),
        is_local: state.config.capacity.is_some(),
        workers: workers(state),
        clock_origin_unix_ms: state.origin_unix_ms,
        test_start_ms: cluster.test_start().map(|start| state.clock.master_ms(start)),
        test_end_ms: state.results.ended_ms,
        now_ms,
        warnings: warnings(state, &stats),
        notices: state.results.notices.clone(),
        stats,
    }
}

fn workers(state: &State) -> Vec<WorkerView> {
    let lateness = |worker: &Worker| state.results.totals.lateness_of(&worker.info().id);
    let workers = (0..).zip(state.cluster.workers());
    let percent = |worker: &Worker| state.module_percent(worker.connection()?);
    workers
        .map(|(index, worker)| WorkerView {
            lateness_ms: lateness(worker),
            module_percent: percent(worker),
            ..worker_view(index, worker)
        })
        .collect()
}

fn worker_view(index: u32, worker: &Worker) -> WorkerView {
    let beat = worker.beat();
    let state = match (worker.connection(), beat.map(|beat| beat.state)) {
        (None, _) if worker.has_left() && worker.lost().is_none() => WorkerPhase::Left,
        (None, _) => WorkerPhase::Lost,
        (Some(_), None | Some(WorkerState::Preparing)) => WorkerPhase::Preparing,
        (Some(_), Some(WorkerState::Ready)) => WorkerPhase::Ready,
        (Some(_), Some(WorkerState::Spawning)) => WorkerPhase::Spawning,
        (Some(_), Some(WorkerState::Running)) => WorkerPhase::Running,
        (Some(_), Some(WorkerState::Stopping | WorkerState::Leaving)) => WorkerPhase::Stopping,
    };
    WorkerView {
        id: worker.info().id.clone(),
        index,
        state,
        user_count: worker.users(),
        in_flight: beat.map_or(0, |beat| beat.in_flight),
        cpu_usage: beat.map_or(0.0, |beat| beat.cpu_percent),
        memory_usage: beat.map_or(0, |beat| beat.memory_bytes),
        lateness_ms: None,
        module_percent: None,
        problem: worker
            .problem()
            .map(ToOwned::to_owned)
            .or_else(|| worker.lost().map(ToString::to_string)),
    }
}

/// The host of the current or last test; the settings may be of the next.
fn host(state: &State) -> Option<String> {
    let settings = state.cluster.load().map_or(&state.results.settings, |load| &load.settings);
    settings.host.clone()
}

/// The summary of the current or last test.
pub(super) fn summary(state: &mut State, now_ms: u64) -> Summary {
    let statistics = state.results.totals.snapshot(now_ms);
    let cluster = &state.cluster;
    let start_ms = cluster.test_start().map(|start| state.clock.master_ms(start));
    let length_ms = state.results.totals.length_ms();
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 ms")]
    let duration_s = start_ms.map_or(0.0, |_| length_ms as f64 / 1000.0);
    Summary {
        scenario: state.config.scenario.clone(),
        module_digest: digest_text(&state.config.digest),
        host: host(state),
        started_at: start_ms.map(|at| rfc3339(state.origin_unix_ms + at)).unwrap_or_default(),
        clock_origin_unix_ms: state.origin_unix_ms,
        duration_s,
        users_max: cluster.users_max(),
        in_flight: cluster.in_flight(),
        nothing_answered: why_nothing_answered(state, &statistics),
        exit_reason: cluster.state().name().to_owned(),
        notices: notices(state, &statistics),
        workers: cluster.workers().iter().map(|worker| worker_summary(state, worker)).collect(),
        ..Summary::new(statistics)
    }
}

/// As it was told when the test ended. A master that has come after that looks for itself.
fn why_nothing_answered(state: &State, statistics: &Snapshot) -> Option<String> {
    let told = state.nothing_answered.clone();
    let is_over = state.cluster.state() == TestState::Stopped;
    told.or_else(|| is_over.then(|| nothing_answered(&state.asked(), statistics)).flatten())
}

/// Why the figures cannot be trusted as they are now.
fn warnings(state: &State, statistics: &Snapshot) -> Vec<String> {
    let is = if state.cluster.is_busy() { "is" } else { "was" };
    let mut warnings: Vec<_> = why_nothing_answered(state, statistics).into_iter().collect();
    match state.late.text(statistics, is) {
        Some(text) => warnings.push(text),
        // Who of many is late does not matter when all of it is.
        None => warnings.extend(late_workers(state)),
    }
    warnings
}

/// What the reader of the result must know.
fn notices(state: &State, statistics: &Snapshot) -> Vec<String> {
    let told = state.results.notices.iter().map(|notice| &notice.text);
    // What was told while the test ran has come to an end with it.
    let kept = told.filter(|text| !statistics.late || !late::is_about(text));
    let mut notices: Vec<_> = kept.cloned().collect();
    notices.extend(state.late.text(statistics, "was"));
    notices.extend(late_workers(state));
    notices
}

/// Names the load threads that fell behind: in the lateness of all tasks they may not show.
fn late_workers(state: &State) -> Vec<String> {
    let lateness = |worker: &Worker| {
        let late = state.results.totals.lateness_of(&worker.info().id)?;
        // Of one load thread it is enough: a share of the users is its.
        late.late.then(|| (worker.info().id.clone(), late))
    };
    let mut late: Vec<_> = state.cluster.workers().iter().filter_map(lateness).collect();
    late.sort_by(|(_, a), (_, b)| b.worst.p99.total_cmp(&a.worst.p99));
    let more = late.len().saturating_sub(LATE_WORKERS_MAX);
    let mut notices: Vec<_> = late
        .iter()
        .take(LATE_WORKERS_MAX)
        .map(|(id, WorkerLateness { worst_shard, worst, .. })| {
            format!(
                "worker {id} fell behind: 1 % of the tasks of its load thread {worst_shard} \
                 started {:.0} ms or more after they were due (at most {:.0} ms); give it fewer \
                 users or more CPU",
                worst.p99, worst.max
            )
        })
        .collect();
    if more > 0 {
        notices.push(format!("{more} more workers fell behind"));
    }
    notices
}

fn worker_summary(state: &State, worker: &Worker) -> WorkerSummary {
    let id = worker.info().id.clone();
    WorkerSummary {
        num_requests: state.results.totals.requests_of(&id),
        users_max: worker.users_max(),
        lateness_ms: state.results.totals.lateness_of(&id),
        left: worker.has_left(),
        lost: worker.lost().is_some(),
        lost_detail: worker.lost().map(ToString::to_string),
        id,
    }
}
