//! Tasks, subtasks and waitable sets of a flat dense guest, as the canonical ABI has them: a task
//! is a call of an export, a subtask an import that a task has begun, and a set is what a task
//! waits for. Tables only: who is called when is for `machine`.
//!
//! <https://github.com/WebAssembly/component-model/blob/main/design/mvp/Concurrency.md>

use std::collections::VecDeque;

use futures_util::future::AbortHandle;

use crate::host::user_key::Who;

/// Tells a guest that nothing has happened.
const EVENT_NONE: u32 = 0;
/// Tells a guest that a subtask has got on.
pub(crate) const EVENT_SUBTASK: u32 = 1;

/// The import has been begun.
const STARTED: u32 = 1;
/// The import is done; its result is in the guest's memory.
pub(crate) const RETURNED: u32 = 2;
/// The import was given up before it was done.
const CANCELLED: u32 = 4;

/// Subtasks that an instance may have at a time: room for a batch of a task each.
const SUBTASKS_MAX: usize = 1 << 20;

/// A guest broke the rules of the canonical ABI.
#[derive(Debug, thiserror::Error)]
enum RuleError {
    #[error("a task's function of the canonical ABI was called outside of a task")]
    NoTask,
    #[error("the guest gave the host a subtask or set that it does not have")]
    NoSuchHandle,
    #[error("the guest dropped a subtask that is not done")]
    NotDone,
    #[error("the guest acknowledged a cancellation that nobody asked for")]
    NotAsked,
    #[error("a task gave two results")]
    TwoResults,
    #[error("a task ended without a result")]
    NoResult,
    #[error("more than {SUBTASKS_MAX} subtasks at a time")]
    TooMany,
}

/// What is told to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) code: u32,
    pub(crate) subtask: u32,
    pub(crate) status: u32,
}

/// What a task has given: a value, or the text of an error.
pub(crate) type Given = Result<u32, String>;

#[derive(Debug, Default)]
struct Task {
    /// The guest's own word for it.
    context: u32,
    given: Option<Given>,
}

#[derive(Debug)]
struct Subtask {
    /// The set that it is in; 0 for none.
    set: u32,
    done: bool,
    /// The guest knows that it is done.
    told: bool,
    /// Where its result goes in the guest's memory.
    result: u32,
    /// Whose it is, if it ends with its user.
    of: Option<Who>,
    /// The next one and the one before in the list of its user's place; 0 for none.
    next_of_place: u32,
    previous_of_place: u32,
    abort: AbortHandle,
}

#[derive(Debug, Default)]
struct Set {
    /// Done, and not told.
    ready: VecDeque<u32>,
    /// Who waits for it.
    waiter: Option<u32>,
}

/// A table whose numbers begin at 1.
#[derive(Debug)]
struct Table<T> {
    rows: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), free: Vec::new() }
    }
}

impl<T> Table<T> {
    fn insert(&mut self, row: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self.rows[number as usize - 1] = Some(row);
            return number;
        }
        self.rows.push(Some(row));
        u32::try_from(self.rows.len()).expect("bounded by the limits on what goes in")
    }

    fn get(&mut self, number: u32) -> Result<&mut T, RuleError> {
        let at = (number as usize).checked_sub(1).ok_or(RuleError::NoSuchHandle)?;
        self.rows.get_mut(at).and_then(Option::as_mut).ok_or(RuleError::NoSuchHandle)
    }

    fn remove(&mut self, number: u32) -> Result<T, RuleError> {
        self.get(number)?;
        self.free.push(number);
        Ok(self.rows[number as usize - 1].take().expect("it was just there"))
    }

    fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }
}

/// The tables of an instance.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    tasks: Table<Task>,
    subtasks: Table<Subtask>,
    sets: Table<Set>,
    /// By the place of a user the first of the subtasks that end with it; 0 for none. The others
    /// follow as a list: when thousands of users are stopped at once, each costs what it has begun
    /// and no more.
    first_of_place: Vec<u32>,
    /// Whose turn it is.
    current: u32,
}

impl Tasks {
    /// A task begins, and it is its turn.
    pub(crate) fn begin(&mut self) -> u32 {
        self.current = self.tasks.insert(Task::default());
        self.current
    }

    /// It is this task's turn.
    pub(crate) fn resume(&mut self, task: u32) {
        self.current = task;
    }

    /// A task has ended: what it gave.
    pub(crate) fn end(&mut self, task: u32) -> wasmtime::Result<Given> {
        self.current = 0;
        let task = self.tasks.remove(task)?;
        Ok(task.given.ok_or(RuleError::NoResult)?)
    }

    /// Tasks under way.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    fn current(&mut self) -> Result<&mut Task, RuleError> {
        self.tasks.get(self.current).map_err(|_| RuleError::NoTask)
    }

    /// The guest's own word for the current task.
    pub(crate) fn context(&mut self) -> wasmtime::Result<&mut u32> {
        Ok(&mut self.current()?.context)
    }

    /// The current task gives its result.
    pub(crate) fn give_result(&mut self, given: Given) -> wasmtime::Result<()> {
        let task = self.current()?;
        if task.given.replace(given).is_some() {
            return Err(RuleError::TwoResults.into());
        }
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "as the others that a guest calls")]
    pub(crate) fn cancelled(&mut self) -> wasmtime::Result<()> {
        Err(RuleError::NotAsked.into())
    }

    /// An import has been begun: its number, and what the guest is told of it. `of`: whose it is,
    /// if it is to be given up when its user is interrupted.
    pub(crate) fn begin_subtask(
        &mut self,
        of: Option<Who>,
        result: u32,
        abort: AbortHandle,
    ) -> wasmtime::Result<(u32, u32)> {
        if self.subtasks.len() >= SUBTASKS_MAX {
            return Err(RuleError::TooMany.into());
        }
        let next_of_place = of.map_or(0, |who| self.first_of(who));
        let number = self.subtasks.insert(Subtask {
            set: 0,
            done: false,
            told: false,
            result,
            of,
            next_of_place,
            previous_of_place: 0,
            abort,
        });
        if let Some(Who { place, .. }) = of {
            let place = place as usize;
            if self.first_of_place.len() <= place {
                self.first_of_place.resize(place + 1, 0);
            }
            self.first_of_place[place] = number;
            if let Ok(next) = self.subtasks.get(next_of_place) {
                next.previous_of_place = number;
            }
        }
        Ok((number, STARTED | number << 4))
    }

    fn first_of(&self, who: Who) -> u32 {
        self.first_of_place.get(who.place as usize).copied().unwrap_or(0)
    }

    /// Gives up what this user has begun and waits for. Returns how many subtasks were looked at:
    /// besides its own at most what is left of those who had its place before.
    pub(crate) fn abort_of(&mut self, who: Who) -> usize {
        let (mut looked_at, mut number) = (0, self.first_of(who));
        while let Ok(subtask) = self.subtasks.get(number) {
            if subtask.of == Some(who) {
                subtask.abort.abort();
            }
            looked_at += 1;
            number = subtask.next_of_place;
        }
        looked_at
    }

    /// Takes a subtask out of the list that it is in.
    fn unlink(&mut self, subtask: &Subtask) {
        let Some(Who { place, .. }) = subtask.of else { return };
        let Subtask { next_of_place: next, previous_of_place: previous, .. } = *subtask;
        if let Ok(next) = self.subtasks.get(next) {
            next.previous_of_place = previous;
        }
        match self.subtasks.get(previous) {
            Ok(previous) => previous.next_of_place = next,
            Err(_) => self.first_of_place[place as usize] = next,
        }
    }

    /// Where the result of a subtask goes; `None` if the guest has given it up.
    pub(crate) fn result_of(&mut self, subtask: u32) -> Option<u32> {
        let subtask = self.subtasks.get(subtask).ok()?;
        (!subtask.done).then_some(subtask.result)
    }

    /// A subtask is done, its result is in its place. The task that waits for it, if one does.
    pub(crate) fn done(&mut self, number: u32) -> Option<(u32, Event)> {
        let subtask = self.subtasks.get(number).ok()?;
        subtask.done = true;
        let number_of_set = subtask.set;
        let set = self.sets.get(number_of_set).ok()?;
        set.ready.push_back(number);
        let waiter = set.waiter.take()?;
        let event = self.next_event(number_of_set);
        Some((waiter, event.expect("one was just added")))
    }

    /// The task waits for this set. What has happened already, if something has.
    pub(crate) fn wait(&mut self, task: u32, set: u32) -> wasmtime::Result<Option<Event>> {
        self.sets.get(set)?;
        if let Some(event) = self.next_event(set) {
            return Ok(Some(event));
        }
        self.sets.get(set)?.waiter = Some(task);
        Ok(None)
    }

    fn next_event(&mut self, set: u32) -> Option<Event> {
        let number = self.sets.get(set).ok()?.ready.pop_front()?;
        self.subtasks.get(number).ok()?.told = true;
        Some(Event { code: EVENT_SUBTASK, subtask: number, status: RETURNED })
    }

    pub(crate) fn new_set(&mut self) -> u32 {
        self.sets.insert(Set::default())
    }

    pub(crate) fn drop_set(&mut self, set: u32) -> wasmtime::Result<()> {
        self.sets.remove(set)?;
        Ok(())
    }

    /// Puts a subtask into a set, and takes it out of the one that it was in; 0 is no set.
    pub(crate) fn join(&mut self, number: u32, set: u32) -> wasmtime::Result<()> {
        let subtask = self.subtasks.get(number)?;
        let before = std::mem::replace(&mut subtask.set, set);
        let is_news = subtask.done && !subtask.told;
        if let Ok(before) = self.sets.get(before) {
            before.ready.retain(|&ready| ready != number);
        }
        if set != 0 {
            let set = self.sets.get(set)?;
            if is_news {
                set.ready.push_back(number);
            }
        }
        Ok(())
    }

    pub(crate) fn poll_set(&mut self, set: u32) -> wasmtime::Result<Event> {
        self.sets.get(set)?;
        let nothing = Event { code: EVENT_NONE, subtask: 0, status: 0 };
        Ok(self.next_event(set).unwrap_or(nothing))
    }

    pub(crate) fn drop_subtask(&mut self, number: u32) -> wasmtime::Result<()> {
        if !self.subtasks.get(number)?.done {
            return Err(RuleError::NotDone.into());
        }
        self.join(number, 0)?;
        let subtask = self.subtasks.remove(number)?;
        self.unlink(&subtask);
        Ok(())
    }

    /// Gives up a subtask. What has become of it: it may have been done already.
    pub(crate) fn cancel_subtask(&mut self, number: u32) -> wasmtime::Result<u32> {
        self.join(number, 0)?;
        let subtask = self.subtasks.get(number)?;
        subtask.told = true;
        if std::mem::replace(&mut subtask.done, true) {
            return Ok(RETURNED);
        }
        subtask.abort.abort();
        Ok(CANCELLED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subtask(tasks: &mut Tasks) -> u32 {
        let (number, packed) = tasks
            .begin_subtask(Some(Who { place: 7, stay: 9 }), 64, AbortHandle::new_pair().0)
            .unwrap();
        assert_eq!(packed, STARTED | number << 4);
        number
    }

    #[test]
    fn a_task_that_waits_is_told_once() {
        let mut tasks = Tasks::default();
        let task = tasks.begin();
        *tasks.context().unwrap() = 99;
        let (set, one) = (tasks.new_set(), subtask(&mut tasks));
        tasks.join(one, set).unwrap();
        assert_eq!(tasks.wait(task, set).unwrap(), None);
        assert_eq!(tasks.result_of(one), Some(64));
        let told = Event { code: EVENT_SUBTASK, subtask: one, status: RETURNED };
        assert_eq!(tasks.done(one), Some((task, told)));
        tasks.resume(task);
        assert_eq!(*tasks.context().unwrap(), 99);
        assert_eq!(tasks.poll_set(set).unwrap().code, EVENT_NONE);
        tasks.drop_subtask(one).unwrap();
        tasks.drop_set(set).unwrap();
        tasks.give_result(Ok(3)).unwrap();
        assert_eq!(tasks.end(task).unwrap(), Ok(3));
        assert_eq!(tasks.len(), 0);
    }

    #[test]
    fn what_was_done_before_it_is_waited_for_is_told_at_once() {
        let mut tasks = Tasks::default();
        let task = tasks.begin();
        let (set, one) = (tasks.new_set(), subtask(&mut tasks));
        assert_eq!(tasks.done(one), None);
        tasks.join(one, set).unwrap();
        assert!(tasks.wait(task, set).unwrap().is_some_and(|event| event.subtask == one));
        assert_eq!(tasks.wait(task, set).unwrap(), None);
    }

    #[test]
    fn what_is_given_up_has_no_place_for_a_result() {
        let mut tasks = Tasks::default();
        tasks.begin();
        let one = subtask(&mut tasks);
        assert!(tasks.drop_subtask(one).is_err(), "it is not done");
        assert_eq!(tasks.cancel_subtask(one).unwrap(), CANCELLED);
        assert_eq!(tasks.result_of(one), None);
        assert_eq!(tasks.done(one), None);
        tasks.drop_subtask(one).unwrap();
        assert!(tasks.drop_subtask(one).is_err(), "it is gone");
        let two = subtask(&mut tasks);
        tasks.done(two);
        assert_eq!(tasks.cancel_subtask(two).unwrap(), RETURNED, "too late");
    }

    /// Of users who all have begun something each is given up by looking at its own alone: else
    /// stopping 50,000 at once would look at 2,500,000,000.
    #[test]
    fn giving_up_what_a_user_has_begun_looks_at_nothing_else() {
        const USERS: u32 = 5_000;
        let who = |place: u32| Who { place, stay: 7 * place };
        let mut tasks = Tasks::default();
        tasks.begin();
        let mut handles = Vec::new();
        let mut begin = |tasks: &mut Tasks, of| {
            let (abort, registration) = AbortHandle::new_pair();
            handles.push((abort.clone(), registration));
            tasks.begin_subtask(of, 64, abort).unwrap().0
        };
        let all = (0..3 * USERS).map(|n| begin(&mut tasks, Some(who(n % USERS))));
        let all: Vec<_> = all.collect();
        let nobodys = begin(&mut tasks, None);
        // Of each user one of three is done with: its first, its second or its last.
        for user in 0..USERS {
            let gone = all[(user + user % 3 * USERS) as usize];
            tasks.done(gone);
            tasks.drop_subtask(gone).unwrap();
        }
        for user in 0..USERS {
            assert_eq!(tasks.abort_of(who(user)), 2, "user {user}");
        }
        assert_eq!(tasks.abort_of(who(USERS)), 0, "nobody");
        let given_up = handles.iter().filter(|(abort, _)| abort.is_aborted()).count();
        assert_eq!(given_up, 2 * USERS as usize);
        for number in all.into_iter().chain([nobodys]) {
            if tasks.result_of(number).is_some() {
                tasks.done(number);
                tasks.drop_subtask(number).unwrap();
            }
        }
        assert!(tasks.first_of_place.iter().all(|&first| first == 0), "nothing is left");
    }

    #[test]
    fn what_is_left_of_another_user_is_not_given_up_with_the_one_in_its_place() {
        let (before, after) = (Who { place: 3, stay: 1 }, Who { place: 3, stay: 2 });
        let mut tasks = Tasks::default();
        tasks.begin();
        let pairs = [AbortHandle::new_pair(), AbortHandle::new_pair()];
        tasks.begin_subtask(Some(before), 64, pairs[0].0.clone()).unwrap();
        tasks.begin_subtask(Some(after), 64, pairs[1].0.clone()).unwrap();
        tasks.abort_of(after);
        assert!(!pairs[0].0.is_aborted() && pairs[1].0.is_aborted());
    }

    #[test]
    fn rules_that_are_broken_end_the_call() {
        let mut tasks = Tasks::default();
        assert!(tasks.context().is_err() && tasks.give_result(Ok(0)).is_err());
        let task = tasks.begin();
        for number in [0, 1, u32::MAX] {
            assert!(tasks.join(number, 0).is_err() && tasks.poll_set(number).is_err());
        }
        tasks.give_result(Ok(0)).unwrap();
        assert!(tasks.give_result(Ok(0)).is_err());
        tasks.end(task).unwrap().unwrap();
        let silent = tasks.begin();
        assert!(tasks.end(silent).is_err());
    }
}
