//! From the generated plan types to those of `swarm-core`.

use swarm_core::plan;

use crate::contract::bindings::swarm::scenario::plan as wit;

pub(crate) fn scenario(from: wit::Scenario) -> plan::Scenario {
    plan::Scenario {
        classes: from.classes.into_iter().map(class).collect(),
        sharing: match from.sharing {
            wit::Sharing::PerUser => plan::Sharing::PerUser,
            wit::Sharing::Shared(users) => plan::Sharing::Shared(users),
        },
        default_hosts: false,
    }
}

fn class(from: wit::UserClass) -> plan::UserClass {
    plan::UserClass {
        name: from.name,
        population: match from.population {
            wit::Population::Weight(weight) => plan::Population::Weight(weight),
            wit::Population::Fixed(users) => plan::Population::Fixed(users),
        },
        host: from.host,
        wait: wait(from.wait),
        sets: from.sets.into_iter().map(set).collect(),
    }
}

fn wait(from: wit::Wait) -> plan::Wait {
    match from {
        wit::Wait::None => plan::Wait::None,
        wit::Wait::Constant(ms) => plan::Wait::Constant(ms),
        wit::Wait::Between(range) => plan::Wait::Between { min_ms: range.min, max_ms: range.max },
        wit::Wait::Pacing(ms) => plan::Wait::Pacing(ms),
        wit::Wait::Throughput(per_second) => plan::Wait::Throughput(per_second),
        wit::Wait::Exponential(mean_ms) => plan::Wait::Exponential(mean_ms),
        wit::Wait::Custom => plan::Wait::Custom,
    }
}

fn set(from: wit::TaskSet) -> plan::TaskSet {
    plan::TaskSet {
        name: from.name,
        order: match from.order {
            wit::Order::Weighted => plan::Order::Weighted,
            wit::Order::Sequential => plan::Order::Sequential,
            wit::Order::Markov(rows) => plan::Order::Markov(rows),
        },
        tasks: from.tasks.into_iter().map(task).collect(),
    }
}

fn task(from: wit::Task) -> plan::Task {
    plan::Task {
        id: from.id,
        name: from.name,
        weight: from.weight,
        tags: from.tags,
        action: match from.action {
            wit::Action::Run => plan::Action::Run,
            wit::Action::Enter(set) => plan::Action::Enter(set),
        },
    }
}

pub(crate) fn then(from: wit::Then) -> plan::Then {
    match from {
        wit::Then::Rest => plan::Then::Rest,
        wit::Then::Hurry => plan::Then::Hurry,
        wit::Then::Leave => plan::Then::Leave,
        wit::Then::Finish => plan::Then::Finish,
    }
}
