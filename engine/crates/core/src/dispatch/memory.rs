//! What a dispatcher knows, as plain data, and one made of it.

use thiserror::Error;

use super::{ClassShare, Dispatcher, Ids};
use crate::ids::{IdRun, IdSet};
use crate::message::ClassUsers;

/// Who runs where, and what else a dispatcher knows but for its target.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Placements {
    /// The workers and who runs on them.
    pub workers: Vec<PlacedWorker>,
    /// Users without a worker, by class.
    pub unplaced: Vec<IdSet>,
    /// Users that finished and are not replaced, by class.
    pub finished: Vec<u32>,
    /// Ids below `next_id` that nobody has.
    pub free_ids: IdSet,
    /// The lowest id that nobody ever had.
    pub next_id: u32,
}

/// A worker and its users.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedWorker {
    /// Its id.
    pub id: String,
    /// The most users that it accepts.
    pub users_max: Option<u32>,
    /// Its part beside those of the others.
    pub weight: u32,
    /// By class.
    pub users: Vec<ClassUsers>,
}

/// Placements that no dispatcher of these classes can have had.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlacementsError {
    /// The scenario has another number of classes.
    #[error("the scenario has {0} classes, which they do not fit")]
    Classes(usize),
    /// An id has two users, or is free and has one.
    #[error("a user of worker {worker} is placed twice, or its id is free")]
    Twice {
        /// The worker, or empty for users without one.
        worker: String,
    },
    /// There are more users than can be counted.
    #[error("they are too many to be counted")]
    TooMany,
}

impl Dispatcher {
    /// What it knows besides the workers.
    #[must_use]
    pub fn remainder(&self) -> Placements {
        Placements {
            workers: Vec::new(),
            unplaced: self.unplaced.clone(),
            finished: self.finished.clone(),
            free_ids: self.ids.free.clone(),
            next_id: self.ids.next,
        }
    }

    /// One with these placements. Moves nobody; the target is 0.
    ///
    /// # Errors
    /// When they contradict themselves or do not fit the classes.
    pub fn restore(
        classes: &[ClassShare],
        placements: Placements,
    ) -> Result<Self, PlacementsError> {
        let Placements { workers, unplaced, finished, free_ids, next_id } = placements;
        if unplaced.len() != classes.len() || finished.len() != classes.len() {
            return Err(PlacementsError::Classes(classes.len()));
        }
        let mut dispatcher = Self::new(classes);
        // An id that has been taken is taken out, so that each can be taken once.
        let mut unused = IdSet::new();
        if let Some(last) = next_id.checked_sub(1) {
            unused.insert_run(IdRun { first: 0, last });
        }
        let mut take = |worker: &str, ids: &IdSet| {
            let before = unused.len();
            unused.remove_all(ids);
            let twice = PlacementsError::Twice { worker: worker.to_owned() };
            if before - unused.len() == ids.len() { Ok(()) } else { Err(twice) }
        };
        take("", &free_ids)?;
        unplaced.iter().try_for_each(|ids| take("", ids))?;
        for PlacedWorker { id, users_max, weight, users } in workers {
            dispatcher.roster.admit(&id, users_max, weight);
            for ClassUsers { class, ids } in users {
                take(&id, &ids)?;
                let class = class as usize;
                if class >= classes.len() {
                    return Err(PlacementsError::Classes(classes.len()));
                }
                let place = dispatcher.roster.place(&id).expect("it was just let in");
                let count = u32::try_from(ids.len()).map_err(|_| PlacementsError::TooMany)?;
                dispatcher.roster.reserve_all((place, class), count);
                dispatcher.roster.seat((place, class), &ids);
            }
        }
        let finished_sum = finished.iter().try_fold(0_u32, |sum, &users| sum.checked_add(users));
        if finished_sum.is_none_or(|sum| u64::from(sum) > unused.len()) {
            return Err(PlacementsError::TooMany);
        }
        dispatcher.unplaced = unplaced;
        dispatcher.finished = finished;
        dispatcher.ids = Ids { free: free_ids, next: next_id };
        Ok(dispatcher)
    }
}
