//! Sets of user ids, as lists of runs.

use capnp::struct_list;
use swarm_core::ids::{IdRun, IdSet};

use super::field::{Result, at_most, holds, list_len, sound};
use crate::generated::swarm_capnp::id_run;
use crate::limits::{ORDER_RUNS_MAX, ORDER_USERS_MAX};

/// What all sets of a message may have together. Counted before anything is copied, so that many
/// lists over the same bytes are refused too.
#[derive(Debug, Default)]
pub(super) struct Budget {
    runs: u64,
    ids: u64,
}

impl Budget {
    /// Counts a set that shall be sent, and says how long its list is.
    pub(super) fn take(&mut self, field: &str, ids: &IdSet) -> Result<u32> {
        self.runs(field, ids.run_count() as u64)?;
        self.ids(field, ids.len())?;
        list_len(field, ids.run_count(), ORDER_RUNS_MAX)
    }

    fn runs(&mut self, field: &str, runs: u64) -> Result<()> {
        self.runs = self.runs.saturating_add(runs);
        at_most(field, self.runs, u64::from(ORDER_RUNS_MAX), "runs long, with those before")
    }

    fn ids(&mut self, field: &str, ids: u64) -> Result<()> {
        self.ids = self.ids.saturating_add(ids);
        at_most(field, self.ids, ORDER_USERS_MAX, "users, with those before")
    }
}

pub(super) fn write(ids: &IdSet, mut to: struct_list::Builder<'_, id_run::Owned>) {
    for (i, run) in (0..).zip(ids.runs()) {
        let mut to = to.reborrow().get(i);
        to.set_first(run.first);
        to.set_last(run.last);
    }
}

/// Reads a set. Its runs ascend and do not overlap: an id twice would be one user running twice.
pub(super) fn read(
    field: &str,
    list: capnp::Result<struct_list::Reader<'_, id_run::Owned>>,
    budget: &mut Budget,
) -> Result<IdSet> {
    let list = sound(field, list)?;
    budget.runs(field, u64::from(list.len()))?;
    let mut ids = IdSet::new();
    let mut last = None;
    for run in list {
        let run = IdRun { first: run.get_first(), last: run.get_last() };
        holds(field, last < Some(run.first) && run.first <= run.last, "do not ascend")?;
        last = Some(run.last);
        ids.insert_run(run);
    }
    budget.ids(field, ids.len())?;
    Ok(ids)
}
